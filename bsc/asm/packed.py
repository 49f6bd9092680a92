"""Packed weights: one subvolume's blocks, bias and Γ as one run of bytes.

A subvolume is what a core computes with at once (section 4.2 of the paper: "we compress
the weight accordingly to such a subvolume so that any data movement is a multiple of it
and a single load").  Dense weights take the same form with every bit of Γ set:

    Γ       one bit a block, output blocks outermost, lowest bit first, whole words
    bias    COUT int32 numbers, only in the subvolume with the first input channels
    blocks  those whose bit is set, in that order; each KH x KW x b1 x b0 int8 numbers

The whole is a multiple of 4 bytes, as transfers move words.  All is little endian.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.errors import BscError
from bsc.geometry import ceil_div, round_up
from bsc.numerics import Int8, Int32

WORD = 4
"""Bytes of a word: every transfer is a whole number of words."""

_MOST_DENSE = 2**26
"""No core computes with more, its zero blocks counted, which take no memory in the core."""

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class PackedShape(NamedTuple):
    """The shape of a subvolume, and whether it carries the bias."""

    cout: int
    kh: int
    kw: int
    cin: int
    block: tuple[int, int]
    bias: bool

    @property
    def grid(self) -> tuple[int, int]:
        """Blocks along COUT and CIN; edges count whole."""
        return ceil_div(self.cout, self.block[0]), ceil_div(self.cin, self.block[1])

    @property
    def block_bytes(self) -> int:
        """Bytes of one stored block."""
        return self.kh * self.kw * self.block[0] * self.block[1]

    @property
    def gamma_bytes(self) -> int:
        """Bytes of Γ."""
        rows, cols = self.grid
        return round_up(ceil_div(rows * cols, 8), WORD)

    @property
    def bias_bytes(self) -> int:
        """Bytes of the bias."""
        return 4 * self.cout if self.bias else 0

    def size(self, stored: int) -> int:
        """Bytes of the subvolume with `stored` blocks."""
        taps = self.kh * self.kw
        return int(packed_size(self.cout, self.cin, self.block, taps, self.bias, stored))


def packed_size(
    cout: int | IntArray,
    cin: int | IntArray,
    block: tuple[int, int],
    taps: int,
    bias: bool | Mask,
    stored: int | IntArray,
) -> int | IntArray:
    """Bytes of a subvolume with `stored` blocks of `taps` kernel positions; numbers, or
    arrays for many subvolumes at once."""
    bits = -(-cout // block[0]) * -(-cin // block[1])
    gamma = -(-bits // (8 * WORD)) * WORD
    blocks = stored * (taps * block[0] * block[1])
    return -(-(gamma + bias * 4 * cout + blocks) // WORD) * WORD


def blocks_of(weight: Int8, block: tuple[int, int]) -> Int8:
    """A weight (COUT, KH, KW, CIN) in blocks as they are stored: (blocks along COUT, along
    CIN, KH, KW, b1, b0).  At the edges the rest is zero."""
    cout, kh, kw, cin = weight.shape
    (b0, b1), rows, cols = block, ceil_div(cout, block[0]), ceil_div(cin, block[1])
    if weight.shape != (whole := (rows * b0, kh, kw, cols * b1)):
        weight, part = np.zeros(whole, np.int8), weight
        weight[:cout, :, :, :cin] = part
    blocks = weight.reshape(rows, b0, kh, kw, cols, b1)
    return np.ascontiguousarray(blocks.transpose(0, 4, 2, 3, 5, 1))


def pack(shape: PackedShape, blocks: Int8, bias: Int32, gamma: Mask) -> Bytes:
    """The subvolume's bytes.

    `blocks` are those of the weight (`blocks_of`), perhaps fewer than the shape has (the rest
    is zero), `bias` up to COUT numbers, `gamma` a mask over the grid of blocks.
    """
    # Joined as bytes: of a large dense layer there are tens of thousands, a few blocks each.
    bits = np.packbits(gamma, bitorder="little").tobytes()
    numbers = bias.astype("<i4").tobytes() if shape.bias else b""
    stored = blocks[gamma[: blocks.shape[0], : blocks.shape[1]]].tobytes()
    head = bits.ljust(shape.gamma_bytes, b"\0") + numbers.ljust(shape.bias_bytes, b"\0")
    size = shape.size(int(np.count_nonzero(gamma)))
    return np.frombuffer((head + stored).ljust(size, b"\0"), np.uint8)


def unpack(shape: PackedShape, data: Bytes) -> tuple[Int8, Int32, int]:
    """The dense weight (COUT, KH, KW, CIN), the bias (COUT,), and the number of stored blocks.

    Raises BscError if `data` has not the length that its own Γ asks for.
    """
    (rows, cols), (b0, b1) = shape.grid, shape.block
    if data.size < shape.gamma_bytes + shape.bias_bytes:
        raise BscError(f"{data.size} bytes of weights are too short for Γ and bias")
    bits = np.unpackbits(data[: shape.gamma_bytes], bitorder="little")
    if bits[rows * cols :].any():
        raise BscError("bits of Γ beyond the last block are set: these are not the weights")
    gamma = bits[: rows * cols].reshape(rows, cols).astype(np.bool_)
    count = int(gamma.sum())
    if data.size != shape.size(count):
        raise BscError(
            f"Γ has {count} blocks, which take {shape.size(count)} bytes, not {data.size}"
        )
    at = shape.gamma_bytes
    if rows * cols * shape.block_bytes > _MOST_DENSE:
        raise BscError(f"{rows} x {cols} blocks of {shape.block_bytes} bytes are too many")
    bias = np.zeros(shape.cout, np.int32)
    if shape.bias:
        bias[:] = data[at : at + shape.bias_bytes].copy().view("<i4")
        at += shape.bias_bytes
    blocks = np.zeros((rows, cols, shape.kh, shape.kw, b1, b0), np.int8)
    stored = data[at : at + count * shape.block_bytes].view(np.int8)
    blocks[gamma] = stored.reshape(count, shape.kh, shape.kw, b1, b0)
    dense = blocks.transpose(0, 5, 2, 3, 1, 4).reshape(rows * b0, shape.kh, shape.kw, cols * b1)
    return dense[: shape.cout, :, :, : shape.cin], bias, count


def pieces(size: int, links: int) -> tuple[int, ...]:
    """How `size` bytes are divided over the links that carry them: whole words each."""
    piece = round_up(ceil_div(size, links), WORD)
    return tuple(max(0, min(piece, size - i * piece)) for i in range(links))


def pieces_of(sizes: IntArray, links: int) -> IntArray:
    """As `pieces`, of many sizes at once; the last axis is the link."""
    piece = (-(-sizes // (links * WORD)) * WORD)[..., None]
    return np.minimum(np.maximum(sizes[..., None] - np.arange(links) * piece, 0), piece)
