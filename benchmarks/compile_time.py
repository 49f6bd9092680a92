"""How long a compile takes, and how that grows with the length of a network.

    python benchmarks/compile_time.py
    python benchmarks/compile_time.py --arch paper-2x2 --blocks 8 --only growth
    python benchmarks/compile_time.py --only networks

First, a network of blocks (a bottleneck with a residual, and convolutions side by side whose
results are concatenated) is compiled with its blocks once, twice and four times.  The table
has the instructions of the program, the CPU seconds of the compile, which other processes
disturb less than the clock, and how many times those of the shortest network both are.

Then `bsc compile`, the whole command with all the files that it writes, compiles the networks
of the paper, with half of their blocks zero, for the arrays that take longest: CPU seconds and
the clock's, beside the limit.

Exit code 1 if the seconds grow by more than half as much again as the blocks, or if a network
takes more CPU seconds than its limit.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import onnx
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from qdq_models import QdqBuilder, Signal

import bsc
from bsc.asm.parser import parse_program
from bsc.prepare import prepare

REPEATS = (1, 2, 4)
SLACK = 1.5
CHANNELS = 64
POSITION = 4


LIMITS = {"resnet50": 10, "inception_v3": 20, "vgg16": 20}
"""Seconds that a network may take, on every array."""

SLOWEST = ("paper-1x1", "paper-8x1", "paper-2x2")
"""The arrays that take longest: those of one column have the most instructions."""


class Part(StrEnum):
    """What is measured."""

    GROWTH = "growth"
    NETWORKS = "networks"


def main(
    arch: Annotated[str, typer.Option(help="The machine of the growth.")] = "paper-4x4",
    blocks: Annotated[int, typer.Option(help="Blocks of the shortest network.", min=1)] = 4,
    size: Annotated[int, typer.Option(help="Rows and columns of the image.", min=1)] = 56,
    only: Annotated[Part | None, typer.Option(help="Leave the other part out.")] = None,
) -> None:
    """Compile networks of blocks, and those of the paper."""
    good = True
    if only is not Part.NETWORKS:
        good &= growth(arch, blocks, size)
    if only is not Part.GROWTH:
        good &= networks()
    raise typer.Exit(0 if good else 1)


def growth(arch: str, blocks: int, size: int) -> bool:
    """Compile the network with its blocks 1, 2 and 4 times; whether it grows as it should."""
    bsc.compile(network(1, size), arch=arch)  # What is loaded and cached at first.
    print(f"{arch}, {blocks} blocks of {size} x {size} pixels\n")
    print("blocks  instructions  x     CPU s   x")
    base: tuple[int, float] | None = None
    grown = 0.0
    for times in REPEATS:
        count, seconds = measured(network(blocks * times, size), arch)
        base = base or (count, seconds)
        grown = seconds / base[1] / times
        print(
            f"{blocks * times:6}  {count:12,}  {count / base[0]:4.2f}  {seconds:6.2f}"
            f"  {seconds / base[1]:4.2f}"
        )
    return grown <= SLACK


def networks() -> bool:
    """Compile the networks of the paper; whether all keep to their limits."""
    print("\nnetwork       array       CPU s  clock s  limit")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, limit in LIMITS.items():
            model = Path(folder) / f"{name}.onnx"
            model.write_bytes(prepare(name, sparsity=0.5).SerializeToString())
            for arch in SLOWEST:
                cpu, clock = command(model, Path(folder) / f"{name}-{arch}", arch)
                over = "  too long" if cpu > limit else ""
                print(f"{name:12}  {arch:10}  {cpu:5.1f}  {clock:7.1f}  {limit:5}{over}")
                good &= not over
    return good


def command(model: Path, out: Path, arch: str) -> tuple[float, float]:
    """CPU seconds of `bsc compile`, and seconds by the clock."""
    words = [sys.executable, "-c", "from bsc.tools.start import bsc; bsc()", "compile"]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*words, str(model), "-o", str(out), "--arch", arch],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    clock, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, clock


def measured(model: onnx.ModelProto, arch: str) -> tuple[int, float]:
    """Instructions of the program, and CPU seconds of its compile."""
    begin = time.process_time()
    compiled = bsc.compile(model, arch=arch)
    seconds = time.process_time() - begin
    return len(parse_program(compiled.program).instructions()), seconds


def network(blocks: int, size: int) -> onnx.ModelProto:
    """`blocks` blocks, all of one shape."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, size, size)), CHANNELS, (3, 3), pads=(1, 1, 1, 1))
    for _ in range(blocks):
        x = _side_by_side(b, _bottleneck(b, x))
    return b.model(x)


def _bottleneck(b: QdqBuilder, x: Signal) -> Signal:
    y = b.conv(x, CHANNELS // 4, activation="Relu")
    y = b.conv(y, CHANNELS // 4, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    return b.binary("Add", b.conv(y, CHANNELS), x, "Relu")


def _side_by_side(b: QdqBuilder, x: Signal) -> Signal:
    branches = [
        b.conv(x, CHANNELS // 2, activation="Relu"),
        b.conv(x, CHANNELS // 4, (1, 7), pads=(0, 3, 0, 3), activation="Relu"),
        b.conv(x, CHANNELS // 4, (7, 1), pads=(3, 0, 3, 0), activation="Relu"),
    ]
    # Positions must not drift away over many blocks.
    return b.concat(branches, POSITION)


if __name__ == "__main__":
    typer.run(main)
