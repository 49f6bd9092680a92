"""What a program adds up to, counted instruction by instruction in its text.

The cost model says what a network moves and computes; this says it too, without the cost
model: the fields of each transfer and computation, times its iterations, columns and rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bsc.arch import Arch
from bsc.asm.footprint import Fields
from bsc.asm.isa import Engine
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr


@dataclass
class Tally:
    """Counts over a whole program: bytes between DDR and memtiles, and MACs with stored
    blocks.  `weight_bytes` are those of the bytes read that come from the blob."""

    instructions: int = 0
    macs: int = 0
    weight_bytes: int = 0
    ddr_read_bytes: int = 0
    ddr_write_bytes: int = 0

    def add(self, instr: Instr, arch: Arch) -> None:
        """Count one instruction."""
        self.instructions += 1
        fields = Fields(instr, arch)
        match instr.spec.engine:
            case Engine.LOAD:
                self.ddr_read_bytes += _box_bytes(fields)
            case Engine.WRITE:
                self.ddr_write_bytes += _box_bytes(fields)
            case Engine.LOADW:
                moved = sum(_sum(fields, i, "bytes") for i in range(instr.count))
                self.weight_bytes += moved
                self.ddr_read_bytes += moved
            case Engine.COMP if "blocks" in instr.fields:
                self.macs += _macs(fields)
            case _:
                pass


def tally(text: str) -> Tally:
    """The counts of the program `text`.  Raises BscError if it is not well formed."""
    program = parse_program(text)
    counts = Tally()
    for instr in program.instructions():
        counts.add(instr, program.arch)
    return counts


def _numbers(fields: Fields, iteration: int, name: str) -> list[int]:
    """The numbers of a field in one iteration; those that are the same in all stand once."""
    array = fields[name]
    return array[iteration if len(array) > 1 else 0].reshape(-1).tolist()


def _sum(fields: Fields, iteration: int, name: str) -> int:
    return sum(_numbers(fields, iteration, name))


def _box_bytes(fields: Fields) -> int:
    """Rows x pixels x bytes of a pixel, over all columns and iterations."""
    total = 0
    for i in range(fields.instr.count):
        (rows,) = _numbers(fields, i, "h")
        columns = zip(_numbers(fields, i, "w"), _numbers(fields, i, "c"), strict=True)
        total += rows * sum(pixels * size for pixels, size in columns)
    return total


def _macs(fields: Fields) -> int:
    """Output pixels of all columns x kernel x stored blocks of all rows x their size.  A row
    without output channels computes nothing, whatever number of blocks stands for it."""
    total = 0
    for i in range(fields.instr.count):
        kernel, block = (math.prod(_numbers(fields, i, name)) for name in ("k", "blk"))
        pixels = _sum(fields, i, "h") * _sum(fields, i, "w")
        rows = zip(_numbers(fields, i, "cout"), _numbers(fields, i, "blocks"), strict=True)
        stored = sum(blocks for cout, blocks in rows if cout)
        total += pixels * kernel * stored * block
    return total
