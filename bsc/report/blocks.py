"""What is worth saying of the blocks of weights: their shapes, and the almost-zero ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from xdsl.dialects.builtin import ModuleOp

from bsc.blocks import ALMOST_ZERO, DEFAULT_BLOCK, Block
from bsc.dialects.bsw import WeightOp
from bsc.report.units import plural


class WeightBlocks(NamedTuple):
    """Of one weight: the shape of its blocks, None where all of it is stored; how many hold
    anything but zeros, and how many of those next to nothing."""

    block: Block | None
    stored: int
    almost_zero: int


def blocks_of(module: ModuleOp) -> list[WeightBlocks]:
    """What `--detect-block-sparsity` has found in the weights of a module."""
    return [
        WeightBlocks(
            None if op.format is None or op.format.data == "dense" else op.block_shape,
            0 if op.gamma is None else int(op.gamma.data.bits.sum()),
            0 if op.almost_zero is None else op.almost_zero.value.data,
        )
        for op in module.ops
        if isinstance(op, WeightOp)
    ]


def shape_text(block: Block | None) -> str:
    """A shape as users write it; `dense` where there are no blocks."""
    return "dense" if block is None else f"{block[0]}x{block[1]}"


def block_lines(weights: Sequence[WeightBlocks]) -> list[str]:
    """The shapes, where they are others than the usual one, and the almost-zero blocks."""
    lines: list[str] = []
    shapes = Counter(weight.block for weight in weights)
    if shapes.keys() - {None, DEFAULT_BLOCK}:
        listed = ", ".join(f"{shape_text(b)} in {n}" for b, n in shapes.most_common())
        lines.append(f"blocks: {listed} of {plural(len(weights), 'weight')}")
    almost = sum(weight.almost_zero for weight in weights)
    if almost:
        lines.append(
            f"{plural(almost, 'block')} almost zero, no number above 1/{ALMOST_ZERO} of the "
            "weight's largest: stored all the same, as leaving them out would change results"
        )
    return lines
