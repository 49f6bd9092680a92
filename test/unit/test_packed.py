"""Packed weights: what is packed comes out again, and takes the bytes that it should."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from varied_networks import compiled, random_arch, varied_network

from bsc.asm.packed import (
    Bytes,
    Mask,
    PackedShape,
    blocks_of,
    pack,
    packed_size,
    pieces,
    pieces_of,
    unpack,
)
from bsc.asm.parser import parse_program
from bsc.cost.network import cost_of
from bsc.errors import BscError
from bsc.numerics import Int8, Int32

BLOCKS = ((8, 8), (16, 4), (4, 16), (1, 1), (8, 16), (3, 5))


@st.composite
def subvolumes(draw: st.DrawFn) -> tuple[PackedShape, Int8, Int32, Mask]:
    """A shape, a weight of that shape, its bias, and which blocks are stored."""
    cout, cin = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    block = draw(st.sampled_from(BLOCKS))
    shape = PackedShape(cout, kh, kw, cin, block, draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    gamma = rng.random(shape.grid) < share
    weight = rng.integers(-128, 128, (cout, kh, kw, cin)).astype(np.int8)
    kept = gamma.repeat(block[0], axis=0).repeat(block[1], axis=1)[:cout, :cin]
    weight *= kept[:, None, None, :]
    bias = rng.integers(-(2**31), 2**31, cout).astype(np.int32)
    return shape, weight, bias, gamma


@given(subvolumes())
def test_what_is_packed_comes_out(given_: tuple[PackedShape, Int8, Int32, Mask]):
    shape, weight, bias, gamma = given_
    data = pack(shape, blocks_of(weight, shape.block), bias, gamma)
    found, found_bias, stored = unpack(shape, data)
    np.testing.assert_array_equal(found, weight)
    np.testing.assert_array_equal(found_bias, bias if shape.bias else np.zeros_like(bias))
    assert stored == gamma.sum()


@given(subvolumes())
def test_size_is_mask_bias_and_stored_blocks(
    given_: tuple[PackedShape, Int8, Int32, Mask],
):
    shape, weight, bias, gamma = given_
    (b0, b1), stored = shape.block, int(gamma.sum())
    words = -(-gamma.size // 32)
    numbers = stored * b0 * b1 * shape.kh * shape.kw
    size = 4 * words + 4 * shape.cout * shape.bias + numbers
    size += -size % 4
    assert (
        pack(shape, blocks_of(weight, shape.block), bias, gamma).size
        == shape.size(stored)
        == size
    )


@given(st.lists(subvolumes(), min_size=2, max_size=5))
def test_sizes_of_many_subvolumes_at_once(
    many: list[tuple[PackedShape, Int8, Int32, Mask]],
):
    first = many[0][0]
    shapes = [shape._replace(block=first.block, kh=1, kw=3) for shape, *_ in many]
    stored = [index * 2 for index in range(len(shapes))]
    found = packed_size(
        np.array([shape.cout for shape in shapes]),
        np.array([shape.cin for shape in shapes]),
        first.block,
        3,
        np.array([shape.bias for shape in shapes]),
        np.array(stored),
    )
    sizes = [shape.size(count) for shape, count in zip(shapes, stored, strict=True)]
    assert np.asarray(found).tolist() == sizes


@given(st.integers(0, 10000), st.integers(1, 8))
def test_links_carry_whole_words_and_all_of_them(words: int, links: int):
    parts = pieces(4 * words, links)
    assert len(parts) == links
    assert sum(parts) == 4 * words
    assert all(part % 4 == 0 for part in parts)
    assert max(parts) <= 4 * -(-words // links)
    assert pieces_of(np.array([[4 * words, 0]]), links).tolist() == [[list(parts), [0] * links]]


@given(subvolumes(), st.data())
def test_damaged_bytes_are_not_taken(
    given_: tuple[PackedShape, Int8, Int32, Mask], data: st.DataObject
):
    shape, weight, bias, gamma = given_
    packed = pack(shape, blocks_of(weight, shape.block), bias, gamma)
    bit = data.draw(st.integers(0, 8 * shape.gamma_bytes - 1))
    damaged: Bytes = packed.copy()
    damaged[bit // 8] ^= 1 << bit % 8
    # One block more or less, so that the length is wrong, or a bit beyond the grid; a block
    # that is shorter than a word may hide in the padding.
    assume(shape.block_bytes % 4 == 0)
    with pytest.raises(BscError, match=r"Γ has \d+ blocks|bits of Γ beyond"):
        unpack(shape, damaged)
    with pytest.raises(BscError, match=r"Γ has \d+ blocks|too short"):
        unpack(shape, packed[:-4])


# Whole programs ------------------------------------------------------------------------


def weight_bytes(text: str, cols: int) -> int:
    """Bytes of all LOADW of a text; a number without brackets is that of every column."""
    total = 0
    for found in re.finditer(r"^LOADW .* bytes=(\S+)", text, re.MULTILINE):
        numbers = [int(n) for n in re.findall(r"\d+", found[1])]
        total += sum(numbers) * (1 if found[1].startswith("[") else cols)
    return total


@pytest.mark.parametrize("seed", range(400, 407))
def test_text_blob_and_cost_agree_on_the_bytes_of_weights(seed: int):
    arch = random_arch(seed)
    text, weights = compiled(varied_network(seed), arch)
    program = parse_program(text)
    cost = cost_of(program)
    assert weight_bytes(text, arch.cols) == weights.size == program.blob_bytes
    assert sum(layer.weight_bytes for layer in cost.layers) == weights.size
