"""How long compilation and simulation of whole networks take, pass by pass, how much memory,
and whether every value is onnxruntime's.

    python benchmarks/compile_and_simulate.py [-o DIR] [--models resnet50,vgg16,…]

Dense and with half of the 8x8 blocks zero, on paper-4x4 and paper-2x2.  Each program is
compiled and simulated in a process of its own, so that its peak memory is its own.  The last
rows of a network are what its programs themselves take on the machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from rich.table import Table

import bsc
from bsc.api import load
from bsc.folder import written_whole
from bsc.monitor import PassMonitor
from bsc.prepare import prepare
from bsc.report.record import sums
from bsc.report.screen import print_lines, print_table
from bsc.report.units import ratio, scaled, seconds
from bsc.tools import progress

P = ParamSpec("P")
T = TypeVar("T")

SPARSITIES = {"dense": 0.0, "sparse": 0.5}
ARCHS = ("paper-4x4", "paper-2x2")

COMPILE_S = {"resnet50": 10.0, "vgg16": 20.0, "inception_v3": 20.0}
"""What a compilation may take on two cores."""
COMPILE_BYTES, SIMULATE_S = 2 << 30, 30.0
"""What a compilation and a simulation may take."""


@dataclass(frozen=True)
class Measured:
    """One compilation and one simulation."""

    passes: dict[str, float]
    compile_s: float
    compile_bytes: int
    simulate_s: float
    simulate_bytes: int
    program_s: float
    instructions: int
    totals: dict[str, int]
    equal: bool
    """Whether all tensors of another run are onnxruntime's."""


def measure(model: Path, arch: str) -> Measured:
    """Compile and simulate a model; run in a fresh process."""
    monitor = PassMonitor(verify=False)
    start = time.perf_counter()
    compiled = bsc.compile(model, arch, monitor=monitor)
    compile_s, compile_bytes = time.perf_counter() - start, peak_bytes()
    program, _ = load(compiled)
    (port,) = program.inputs
    image = np.random.default_rng(0).standard_normal(port.dims, dtype=np.float32)
    start = time.perf_counter()
    bsc.run(compiled, image)
    simulate_s, simulate_bytes = time.perf_counter() - start, peak_bytes()
    return Measured(
        {**dict(monitor.seconds), **monitor.other_seconds},
        compile_s,
        compile_bytes,
        simulate_s,
        simulate_bytes,
        compiled.cost.total_s,
        len(program.instructions()),
        sums(compiled.cost.layers),
        bsc.check(model, compiled, inputs=1, every_tensor=True).ok,
    )


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def write_model(path: Path, network: str, sparsity: float) -> None:
    """Prepare a model; run in a fresh process, as those that it starts count from its peak."""
    with written_whole(path) as aside:
        aside.write_bytes(prepare(network, sparsity=sparsity).SerializeToString())


def in_own_process(what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function returns when it is called in a fresh process."""
    with progress.steps(what), ProcessPoolExecutor(1, get_context("spawn")) as alone:
        return alone.submit(function, *args, **kwargs).result()


def measure_all(folder: Path, network: str) -> dict[tuple[str, str], Measured]:
    """All programs of a network, one after another, by machine and name of the model."""
    models = {name: folder / f"{network}-{name}.onnx" for name in SPARSITIES}
    for name, path in models.items():
        in_own_process(f"preparing {path}", write_model, path, network, SPARSITIES[name])
    return {
        (arch, name): in_own_process(f"{path} on {arch}", measure, path, arch)
        for arch in ARCHS
        for name, path in models.items()
    }


# Report --------------------------------------------------------------------------------


def timing_table(found: dict[tuple[str, str], Measured], compile_s: float) -> Table:
    """Seconds of every pass and of the rest, and the peaks of memory."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("milliseconds", no_wrap=True)
    for arch, name in found:
        table.add_column(f"{arch} {name}", justify="right", no_wrap=True)
    all_measured = list(found.values())
    for name in all_measured[0].passes:
        table.add_row(name, *(f"{1000 * m.passes[name]:,.0f}" for m in all_measured))
    for name, limit, texts in (
        ("compile", seconds(compile_s), [seconds(m.compile_s) for m in all_measured]),
        ("  memory", memory(COMPILE_BYTES), [memory(m.compile_bytes) for m in all_measured]),
        ("simulate", seconds(SIMULATE_S), [seconds(m.simulate_s) for m in all_measured]),
        ("  memory", "", [memory(m.simulate_bytes) for m in all_measured]),
        ("equals onnxruntime", "", ["yes" if m.equal else "NO" for m in all_measured]),
    ):
        table.add_row(f"{name} (at most {limit})" if limit else name, *texts)
    return table


def program_table(found: dict[tuple[str, str], Measured]) -> Table:
    """What the programs take on the machine, and the ratio sparse/dense."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, title in enumerate(("program", "dense", "sparse", "sparse/dense")):
        table.add_column(title, justify="right" if index else "left", no_wrap=True)
    for arch in ARCHS:
        dense, sparse = found[arch, "dense"], found[arch, "sparse"]
        times = dense.program_s, sparse.program_s
        table.add_row(f"{arch} time", *map(seconds, times), ratio(times[1], times[0]))
        counts = dense.instructions, sparse.instructions
        table.add_row(f"{arch} instructions", *map(str, counts), ratio(counts[1], counts[0]))
        for key in ("macs", "weight_bytes", "ddr_read_bytes", "ddr_write_bytes"):
            old, new = dense.totals[key], sparse.totals[key]
            table.add_row(f"{arch} {key}", scaled(old), scaled(new), ratio(new, old))
    return table


def memory(count: int) -> str:
    """Bytes as MB."""
    return f"{count / 1e6:,.0f} MB"


def held(measured: Measured, compile_s: float) -> bool:
    """Whether the values are right, and time and memory within what they may be."""
    return (
        measured.equal
        and measured.compile_s <= compile_s
        and measured.compile_bytes <= COMPILE_BYTES
        and measured.simulate_s <= SIMULATE_S
    )


def main() -> int:
    """Measure and print; exit code 1 if a limit does not hold."""
    parser = argparse.ArgumentParser(description="Time and memory of bsc on whole networks.")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR")
    parser.add_argument("--models", default=",".join(COMPILE_S), metavar="NAME,NAME")
    arguments = parser.parse_args()
    folder: Path = arguments.output
    networks: list[str] = arguments.models.split(",")
    if unknown := [name for name in networks if name not in COMPILE_S]:
        parser.error(f"unknown network {unknown[0]}: give some of {', '.join(COMPILE_S)}")
    folder.mkdir(parents=True, exist_ok=True)
    late: list[str] = []
    for network in networks:
        compile_s = COMPILE_S[network]
        found = measure_all(folder, network)
        print_lines(network, "")
        print_table(timing_table(found, compile_s))
        print_lines("")
        print_table(program_table(found))
        print_lines("")
        late += [
            f"{network} {arch} {name}"
            for (arch, name), measured in found.items()
            if not held(measured, compile_s)
        ]
    print_lines(f"over the limits: {', '.join(late)}" if late else "all within the limits")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
