"""How the time of a compile grows with the length of a network.

    python benchmarks/compile_time.py
    python benchmarks/compile_time.py --arch paper-2x2 --blocks 8

A network of blocks (a bottleneck with a residual, and convolutions side by side whose results
are concatenated) is compiled with its blocks once, twice and four times.  The table has the
instructions of the program, the CPU seconds of the compile, which other processes disturb
less than the clock, and how many times those of the shortest network both are.  Exit code 1
if the seconds grow by more than half as much again as the blocks.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import onnx
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from qdq_models import QdqBuilder, Signal

import bsc
from bsc.asm.parser import parse_program

REPEATS = (1, 2, 4)
SLACK = 1.5
CHANNELS = 64
POSITION = 4


def main(
    arch: Annotated[str, typer.Option(help="The machine.")] = "paper-4x4",
    blocks: Annotated[int, typer.Option(help="Blocks of the shortest network.", min=1)] = 4,
    size: Annotated[int, typer.Option(help="Rows and columns of the image.", min=1)] = 56,
) -> None:
    """Compile the network with its blocks 1, 2 and 4 times."""
    bsc.compile(network(1, size), arch=arch)  # What is loaded and cached at first.
    print(f"{arch}, {blocks} blocks of {size} x {size} pixels\n")
    print("blocks  instructions  x     CPU s   x")
    base: tuple[int, float] | None = None
    growth = 0.0
    for times in REPEATS:
        count, seconds = measured(network(blocks * times, size), arch)
        base = base or (count, seconds)
        growth = seconds / base[1] / times
        print(
            f"{blocks * times:6}  {count:12,}  {count / base[0]:4.2f}  {seconds:6.2f}"
            f"  {seconds / base[1]:4.2f}"
        )
    raise typer.Exit(1 if growth > SLACK else 0)


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
