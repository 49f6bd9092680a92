"""The blocks of a weight: which are zero, which almost, and which shape of them to take.

A block is b0 output by b1 input channels with all taps (section 3 of the paper).  What the
weights show decides: a block is left out if all its numbers are zero, and leaving blocks out
pays only if the matrix unit has less to do than for the whole weight.  It works in tiles, so
that a block smaller than one takes a tile to itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import Mask, packed_size
from bsc.errors import BscError
from bsc.geometry import ceil_div
from bsc.mapped import give_back
from bsc.numerics import Int8

Block: TypeAlias = tuple[int, int]
"""Output and input channels of a block."""

DEFAULT_BLOCK: Block = (8, 8)

DEFAULT_SHAPE = "8x8"

AUTO = "auto"

SHAPES: tuple[Block, ...] = (DEFAULT_BLOCK, (16, 4), (4, 16), (4, 4), (1, 1))
"""What `auto` chooses from; of equal ones the first is taken."""

VALUES = "COUTxCIN, two numbers of at least 1 as in 8x8 or 16x4, or auto"
"""What `parse_block` takes."""

ALMOST_ZERO = 64
"""In an almost-zero block no number is larger than the layer's largest divided by this: with
a largest of 127 nothing but -1, 0 and 1."""

_CHUNK = 2**22
"""Bytes of a weight that are looked at together."""


def parse_block(text: str) -> Block | None:
    """A shape as users write it; None for `auto`.  Raises BscError for anything else."""
    if text == AUTO:
        return None
    match = re.fullmatch("([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", text)
    if match is None:
        raise BscError(f"block must be {VALUES}, not {text!r}")
    return int(match[1]), int(match[2])


def is_block(text: str) -> bool:
    """Whether `parse_block` takes a text."""
    try:
        parse_block(text)
    except BscError:
        return False
    return True


def block_peaks(weight: Int8, block: Block) -> npt.NDArray[np.uint8]:
    """The largest magnitude in each block of a weight (COUT, KH, KW, CIN), over the grid of
    blocks; what is missing in the last ones counts as zero."""
    (cout, kh, kw, cin), (b0, b1) = weight.shape, block
    rows, cols = ceil_div(cout, b0), ceil_div(cin, b1)
    peaks = np.zeros((rows, cols), np.uint8)
    # Some rows at a time: of a large weight there is no room for a second one.
    step = max(1, _CHUNK // (b0 * kh * kw * cin))
    starts = list(range(0, cin, b1))
    for row in range(0, rows, step):
        part = weight[row * b0 : (row + step) * b0]
        # As uint8: the magnitude of -128 is 128.
        taps = np.abs(part).view(np.uint8).max(axis=(1, 2))
        across = np.maximum.reduceat(taps, starts, axis=1)
        tops = list(range(0, len(part), b0))
        peaks[row : row + step] = np.maximum.reduceat(across, tops, axis=0)
    return peaks


class Found(NamedTuple):
    """The blocks of a weight: their shape, and which hold anything but zeros.

    `pays` says whether leaving the others out is less work than the whole weight; `size` are
    the bytes of the packed weight if they are, and of the whole one if not.
    """

    block: Block
    stored: Mask
    almost_zero: int
    pays: bool
    size: int

    @property
    def density(self) -> float:
        """The share of blocks that hold anything but zeros."""
        return float(self.stored.mean())


def find_blocks(weight: Int8, block: Block | None, arch: Arch) -> Found:
    """The blocks of `weight` in the shape asked for; without one, in that which packs it into
    the fewest bytes."""
    shapes = SHAPES if block is None else (block,)
    found = min((_found(weight, shape, arch) for shape in shapes), key=lambda f: f.size)
    give_back(weight)
    return found


def _found(weight: Int8, block: Block, arch: Arch) -> Found:
    cout, kh, kw, cin = weight.shape
    peaks = block_peaks(weight, block)
    stored = np.asarray(peaks > 0, np.bool_)
    almost = stored & (peaks <= int(peaks.max()) // ALMOST_ZERO)
    count = int(stored.sum())
    b0, b1 = DEFAULT_BLOCK
    whole = ceil_div(cout, b0) * ceil_div(cin, b1)
    pays = _tiles(count, block, arch) < _tiles(whole, DEFAULT_BLOCK, arch)
    shape, kept = (block, count) if pays else (DEFAULT_BLOCK, whole)
    size = packed_size(cout, cin, shape, kh * kw, True, kept)
    return Found(block, stored, int(almost.sum()), pays, int(size))


def _tiles(blocks: int, block: Block, arch: Arch) -> int:
    """Matrix operations for one pixel and tap."""
    return blocks * ceil_div(block[0], arch.tile_cout) * ceil_div(block[1], arch.tile_cin)
