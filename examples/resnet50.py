"""ResNet-50, dense and with half of its weight blocks zero: from ONNX to programs that give
onnxruntime's bits.

    python examples/resnet50.py [--arch NAME|FILE.toml] [-o DIR]

Everything here is the Python API of bsc; the commands `bsc prepare`, `bsc compile` and
`bsc check` do the same one by one.  Models and programs are left in DIR (out/).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from xdsl.utils.exceptions import PassFailedException

import bsc
from bsc.checking import TensorCheck
from bsc.folder import written_whole
from bsc.prepare import prepare
from bsc.report.comparison import comparison_table
from bsc.report.host import host_lines
from bsc.report.layers import layer_table, time_lines
from bsc.report.outcome import difference_lines, elided_table, outcome_lines
from bsc.report.screen import print_lines, print_table
from bsc.report.units import seconds
from bsc.tools import progress

SPARSITIES = {"dense": 0.0, "sparse": 0.5}
"""The share of 8x8 blocks that is zero, in all convolutions but the first."""


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description="ResNet-50 through bsc, dense and sparse.")
    parser.add_argument("--arch", default="paper-4x4", help="the machine (default: paper-4x4)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR")
    args = parser.parse_args()
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        return run(args.arch, args.output)
    except (bsc.BscError, PassFailedException, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1


def run(arch: str, folder: Path) -> int:
    """Prepare, compile, simulate, compare."""
    heading("Prepare ResNet-50, 224x224, int8: dense, and with half of its 8x8 blocks zero")
    models = {name: make_model(name, folder) for name in SPARSITIES}
    heading(f"Compile for {arch}")
    programs = {name: compile_model(path, arch) for name, path in models.items()}
    heading("Simulate the text of the programs, compare every tensor with onnxruntime's")
    checks = {name: check_program(path) for name, path in models.items()}
    print_reports(programs, checks)
    return verdict(checks)


# Steps ---------------------------------------------------------------------------------


def make_model(name: str, folder: Path) -> Path:
    """The path of the quantized model, freshly made."""
    path = folder / f"resnet50-{name}.onnx"
    start = time.perf_counter()
    with progress.steps(f"preparing {path}") as say, written_whole(path) as aside:
        model = prepare("resnet50", sparsity=SPARSITIES[name], progress=say)
        aside.write_bytes(model.SerializeToString())
    done(path, start)
    return path


def compile_model(path: Path, arch: str) -> bsc.Compiled:
    """The program of a model, which is also saved beside it."""
    folder = path.with_suffix("")
    start = time.perf_counter()
    with progress.steps(f"compiling {path}") as say:
        compiled = bsc.compile(path, arch, progress=say)
        compiled.save(folder)
    done(folder / "program.asm", start)
    return compiled


def check_program(path: Path) -> bsc.CheckResult:
    """The comparison of a model with its program, as its text and weights were saved."""
    folder = path.with_suffix("")
    start = time.perf_counter()
    with progress.bar(f"simulating {folder / 'program.asm'}") as tell:
        result = bsc.check(path, folder, every_tensor=True, progress=tell)
    done(folder / "program.asm", start)
    return result


def heading(text: str) -> None:
    """Print what comes next."""
    print_lines("", text, "─" * len(text))


def done(path: Path, start: float) -> None:
    """Print what has been made or simulated, and how long it took."""
    print_lines(f"  {path!s:36}{seconds(time.perf_counter() - start):>8}")


# Reports -------------------------------------------------------------------------------


def print_reports(
    programs: dict[str, bsc.Compiled], checks: dict[str, bsc.CheckResult]
) -> None:
    """The layers of the sparse program, what fusion elides, and both programs compared."""
    dense, sparse = programs.values()
    heading("The sparse program, layer by layer (/dense: of the layer with all blocks stored)")
    print_table(layer_table(sparse.cost))
    print_lines(*time_lines(sparse.cost), *host_lines(sparse.nodes))
    heading("Tensors of the model that the programs never make")
    for elided in distinct([check.elided for check in checks.values()]):
        print_table(elided_table(elided))
    heading("Dense and sparse: as the cost model reports it, and as counted in the text")
    print_table(comparison_table(dense, sparse))


def distinct(lists: list[tuple[TensorCheck, ...]]) -> list[tuple[TensorCheck, ...]]:
    """The lists without those that name the same tensors for the same reasons."""
    by_content = {tuple((t.name, t.elided) for t in tensors): tensors for tensors in lists}
    return list(by_content.values())


def verdict(checks: dict[str, bsc.CheckResult]) -> int:
    """Print whether the programs are exact; the exit code."""
    heading("Against onnxruntime, bit for bit")
    for name, check in checks.items():
        print_lines(f"  {name}:", *(f"    {line}" for line in outcome_lines(check)))
        print_lines(*(f"    DIFFERENT: {line}" for line in difference_lines(check)))
    return 0 if all(check.ok for check in checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
