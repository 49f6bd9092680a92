"""Packed weights against a plain reading of the format, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from bsc.asm.packed import Bytes, Mask, PackedShape, blocks_of, pack, pieces, unpack
from bsc.errors import BscError
from bsc.numerics import Int8, Int32


@st.composite
def _shapes(draw: DrawFn) -> PackedShape:
    size = st.integers(1, 20)
    kernel = st.integers(1, 4)
    block = draw(st.sampled_from([(8, 8), (16, 4), (4, 16), (1, 1), (3, 5)]))
    return PackedShape(
        draw(size), draw(kernel), draw(kernel), draw(size), block, draw(st.booleans())
    )


@st.composite
def _subvolumes(draw: DrawFn) -> tuple[PackedShape, Int8, Int32, Mask]:
    """A shape, a weight that is 0 outside the mask, a bias, and the mask."""
    shape = draw(_shapes())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gamma = rng.random(shape.grid) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    weight = rng.integers(-128, 128, (shape.cout, shape.kh, shape.kw, shape.cin), np.int8)
    kept = gamma.repeat(shape.block[0], 0).repeat(shape.block[1], 1)
    weight *= kept[: shape.cout, None, None, : shape.cin]
    bias = rng.integers(-(2**31), 2**31, shape.cout, np.int32) * np.int32(shape.bias)
    return shape, weight, bias, gamma


@given(_subvolumes())
def test_unpacked_is_what_was_packed(given_: tuple[PackedShape, Int8, Int32, Mask]) -> None:
    shape, weight, bias, gamma = given_
    data = pack(shape, blocks_of(weight, shape.block), bias, gamma)
    assert data.size == shape.size(int(gamma.sum()))
    assert data.size % 4 == 0
    found, found_bias, count = unpack(shape, data)
    np.testing.assert_array_equal(found, weight)
    np.testing.assert_array_equal(found_bias, bias)
    assert count == gamma.sum()


@given(_subvolumes())
def test_the_bytes_are_those_of_the_format(
    given_: tuple[PackedShape, Int8, Int32, Mask],
) -> None:
    """docs/asm.md, "Packed weights", in plain loops."""
    shape, weight, bias, gamma = given_
    (rows, cols), (b0, b1) = gamma.shape, shape.block
    bits = [int(gamma[n // cols, n % cols]) for n in range(rows * cols)]
    out = bytearray(4 * -(-len(bits) // 32))
    for n, bit in enumerate(bits):
        out[n // 8] |= bit << n % 8
    if shape.bias:
        for value in bias.tolist():
            out += int(value).to_bytes(4, "little", signed=True)
    for n, bit in enumerate(bits):
        if bit:
            out += _block(weight, n // cols * b0, n % cols * b1, (b0, b1))
    out += bytes(-len(out) % 4)
    assert pack(shape, blocks_of(weight, shape.block), bias, gamma).tobytes() == bytes(out)


def _block(weight: Int8, o0: int, n0: int, block: tuple[int, int]) -> bytes:
    """Kernel rows, kernel columns, input channels, output channels; 0 beyond the edge."""
    cout, kh, kw, cin = weight.shape
    return bytes(
        int(weight[o, i, j, n]) & 255 if o < cout and n < cin else 0
        for i in range(kh)
        for j in range(kw)
        for n in range(n0, n0 + block[1])
        for o in range(o0, o0 + block[0])
    )


@given(_subvolumes(), st.data())
def test_what_does_not_fit_its_mask_is_refused(
    given_: tuple[PackedShape, Int8, Int32, Mask], data: st.DataObject
) -> None:
    shape, weight, bias, gamma = given_
    packed = pack(shape, blocks_of(weight, shape.block), bias, gamma)
    with pytest.raises(BscError):
        unpack(shape, packed[:-4])
    with pytest.raises(BscError):
        unpack(shape, np.concatenate([packed, np.zeros(4, np.uint8)]))
    bit = data.draw(st.integers(0, 8 * shape.gamma_bytes - 1))
    changed: Bytes = packed.copy()
    changed[bit // 8] ^= 1 << bit % 8
    if bit < gamma.size:
        after = int(gamma.sum()) + (-1 if gamma.flat[bit] else 1)
        # A block of a byte or two may hide in what fills up the last word.
        if shape.size(after) == packed.size:
            assert unpack(shape, changed)[2] == after
            return
    with pytest.raises(BscError):
        unpack(shape, changed)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_pieces_are_whole_words_and_all_of_it(words: int, links: int) -> None:
    size = 4 * words
    found = pieces(size, links)
    assert sum(found) == size
    assert len(found) == links
    assert all(piece % 4 == 0 for piece in found)
    assert list(found) == sorted(found, reverse=True)
