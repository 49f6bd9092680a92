"""Packing buffers into one memory, held against a map of every byte at every step."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packings import perfect_packing

from bsc.allocate import Buffer, busiest, check, height, least, memory_map, pack
from bsc.allocate.greedy import first_fit
from bsc.allocate.portfolio import found
from bsc.allocate.problem import components
from bsc.allocate.skyline import search
from bsc.errors import BscError

STEPS = 8


def is_legal(buffers: Sequence[Buffer], offsets: Sequence[int], capacity: int) -> bool:
    """Whether no byte has two owners at any step, by counting the owners of all bytes."""
    end = max([capacity, *(o + b.size for o, b in zip(offsets, buffers, strict=True))])
    owners = np.zeros((STEPS, end), np.int64)
    for offset, b in zip(offsets, buffers, strict=True):
        owners[b.lower : b.upper, offset : offset + b.size] += 1
    return bool(owners.max(initial=0) <= 1 and not owners[:, capacity:].any())


@st.composite
def some_buffers(draw: st.DrawFn, most: int = 10) -> list[Buffer]:
    """Buffers with live ranges within `STEPS` and sizes from 1 to 40."""
    buffers: list[Buffer] = []
    for index in range(draw(st.integers(1, most))):
        lower = draw(st.integers(0, STEPS - 1))
        upper = draw(st.integers(lower + 1, STEPS))
        buffers.append(Buffer(f"b{index}", lower, upper, draw(st.integers(1, 40))))
    return buffers


@st.composite
def with_some_fixed(draw: st.DrawFn) -> list[Buffer]:
    """Buffers of which some have been placed already, where they are in nobody's way."""
    buffers = draw(some_buffers())
    placed: list[Buffer] = []
    for index, b in enumerate(buffers):
        fixed = b._replace(fixed=draw(st.integers(0, 100)))
        taken = [*placed, fixed]
        if draw(st.booleans()) and is_legal(taken, [t.fixed or 0 for t in taken], 10**3):
            buffers[index] = fixed
            placed.append(fixed)
    return buffers


@given(some_buffers(), st.integers(20, 400), st.sampled_from([1, 2, 8, 64]))
def test_no_byte_has_two_owners(buffers: list[Buffer], capacity: int, align: int):
    offsets, failed, _ = pack(buffers, capacity, align)
    kept = [(o, b) for o, b in zip(offsets, buffers, strict=True) if o is not None]
    assert is_legal([b for _, b in kept], [o for o, _ in kept], capacity)
    assert all(offset % align == 0 for offset, _ in kept)
    assert (failed is None) == (len(kept) == len(buffers))
    if failed is not None:
        assert offsets[failed] is None


@given(some_buffers(), st.sampled_from([1, 2, 8, 64]))
def test_what_fits_side_by_side_is_placed(buffers: list[Buffer], align: int):
    room = sum(-(-b.size // align) * align for b in buffers)
    assert pack(buffers, room, align).failed is None


@given(some_buffers(), st.integers(0, STEPS - 1))
def test_what_is_live_at_once_and_too_much_is_refused(buffers: list[Buffer], step: int):
    live = sum(b.size for b in buffers if b.lower <= step < b.upper)
    if live:
        assert pack(buffers, live - 1).failed is not None


@given(st.lists(st.integers(1, 40), min_size=1, max_size=STEPS))
def test_buffers_one_after_another_share_the_memory(sizes: list[int]):
    buffers = [Buffer(f"b{step}", step, step + 1, size) for step, size in enumerate(sizes)]
    assert pack(buffers, max(sizes)).offsets == [0] * len(sizes)


@given(with_some_fixed())
def test_placed_buffers_stay_where_they_are(buffers: list[Buffer]):
    offsets, failed, _ = pack(buffers, 1000, 4)
    assert failed is None
    assert is_legal(buffers, [o for o in offsets if o is not None], 1000)
    for offset, b in zip(offsets, buffers, strict=True):
        assert b.fixed is None or offset == b.fixed


@given(some_buffers(6), st.data())
def test_check_agrees_with_the_map_of_bytes(buffers: list[Buffer], data: st.DataObject):
    offsets = [data.draw(st.integers(0, 60)) for _ in buffers]
    capacity = data.draw(st.integers(1, 100))
    try:
        check(buffers, offsets, capacity)
        accepted = True
    except BscError:
        accepted = False
    assert accepted == is_legal(buffers, offsets, capacity)


def test_check_names_what_overlaps():
    pair = [Buffer("left", 0, 3, 10), Buffer("right", 2, 4, 10)]
    with pytest.raises(BscError, match="left and right overlap at 0x8"):
        check(pair, [0, 8], 100)
    with pytest.raises(BscError, match="right ends at 18, the memory at 16"):
        check(pair, [100, 8], 16)
    check([pair[0], pair[1]._replace(lower=3)], [0, 8], 18)


def test_memory_map_lists_what_is_live_by_address():
    buffers = [Buffer("b", 0, 2, 32), Buffer("a", 1, 4, 16), Buffer("gone", 2, 4, 8)]
    lines = memory_map([*buffers, Buffer("big", 1, 2, 4096)], [16, 0, 0, None], 1).split("\n")
    assert [line.split()[-1] for line in lines] == ["a", "b", "big"]
    assert "0x00010-0x00030" in lines[1]
    assert "no room" in lines[2]
    assert "4096 bytes" in lines[2]


# The search ----------------------------------------------------------------------------


def lowest(buffers: Sequence[Buffer]) -> int:
    """The least height, by first fit in all orders.

    In the order of the offsets of a lowest packing, first fit puts no buffer higher than
    it is there.
    """
    orders = itertools.permutations(range(len(buffers)))
    room = sum(b.size for b in buffers)
    return min(height(buffers, found(first_fit(buffers, room, 1, order))) for order in orders)


def ranges(buffers: Sequence[Buffer]) -> list[tuple[int, int, int]]:
    return [(b.lower, b.upper, b.size) for b in buffers]


@given(some_buffers(6))
@settings(max_examples=60)
def test_the_search_finds_what_exists_and_proves_what_does_not(buffers: list[Buffer]):
    for group in components(buffers):
        some = [buffers[index] for index in group]
        least_height = lowest(some)
        result = search(ranges(some), least_height, 10**6)
        assert result.offsets is not None
        assert is_legal(some, result.offsets, least_height)
        refused = search(ranges(some), least_height - 1, 10**6)
        assert refused.offsets is None
        assert refused.complete


@example([Buffer("a", 1, 2, 6), Buffer("b", 0, 2, 4), Buffer("c", 0, 1, 5)], 4)
@given(some_buffers(6), st.sampled_from([1, 4]))
@settings(max_examples=60)
def test_the_least_height_is_found(buffers: list[Buffer], align: int):
    packing = least(buffers, align, 10**5)
    offsets = found(packing)
    used = height(buffers, offsets)
    assert is_legal(buffers, offsets, used)
    assert all(offset % align == 0 for offset in offsets)
    assert used >= busiest(buffers, align).load >= busiest(buffers).load
    if align == 1:
        assert used == lowest(buffers)


@given(some_buffers(14), st.integers(20, 200), st.sampled_from([1, 8]), st.booleans())
def test_the_search_breaks_no_rule(
    buffers: list[Buffer], capacity: int, align: int, circular: bool
):
    packing = pack(buffers, capacity, align, 2000, circular)
    assert packing == pack(buffers, capacity, align, 2000, circular)
    offsets = found(packing)
    assert all(offset % align == 0 for offset in offsets)
    if packing.failed is None:
        check(buffers, offsets, capacity, circular)
        assert capacity >= busiest(buffers, align).load
        assert circular or is_legal(buffers, offsets, capacity)
        assert pack(buffers, capacity, align, 0, circular).impossible is False
    elif packing.impossible and align == 1:
        assert least(buffers, 1).failed is None
        assert capacity < height(buffers, found(least(buffers, 1)))


@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from([0.0, 0.4]))
@settings(max_examples=40)
def test_small_perfect_packings_are_found(seed: int, count: int, pinwheels: float):
    buffers = perfect_packing(seed, count, 40, 60, pinwheels)
    packing = pack(buffers, 60, steps=400_000)
    assert packing.failed is None
    assert is_full(buffers, found(packing), 40, 60)


def is_full(
    buffers: Sequence[Buffer], offsets: Sequence[int], times: int, capacity: int
) -> bool:
    """Whether every byte has one owner at every time."""
    owners = np.zeros((times, capacity), np.int64)
    for offset, b in zip(offsets, buffers, strict=True):
        owners[b.lower : b.upper, offset : offset + b.size] += 1
    return bool((owners == 1).all())


PERFECT = [
    (150, 100_000, 1 << 20, 0.0),
    (450, 100_000, 1 << 20, 0.0),
    (300, 2000, 1 << 16, 0.0),
    (450, 100_000, 1 << 20, 0.3),
    (300, 2000, 1 << 16, 0.3),
    (150, 200, 1000, 0.3),
]


@pytest.mark.parametrize(("count", "times", "capacity", "pinwheels"), PERFECT)
@pytest.mark.parametrize("seed", range(2))
def test_perfect_packings_are_found(
    seed: int, count: int, times: int, capacity: int, pinwheels: float
):
    buffers = perfect_packing(seed, count, times, capacity, pinwheels)
    assert pack(buffers, capacity).failed is not None, "first fit is enough: too easy"
    packing = pack(buffers, capacity, steps=2_000_000)
    assert packing.failed is None
    check(buffers, found(packing), capacity)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_perfect_packings_are_found_with_an_alignment(seed: int):
    draw = random.Random(seed)
    buffers = [
        b._replace(size=64 * b.size - draw.choice([0, 0, 1, 63]))
        for b in perfect_packing(seed, 60, 500, 200, 0.2)
    ]
    packing = pack(buffers, 64 * 200, 64, 500_000)
    assert packing.failed is None
    check(buffers, found(packing), 64 * 200)
    assert all(offset % 64 == 0 for offset in found(packing))


def test_too_little_memory_is_known_to_be_impossible():
    buffers = perfect_packing(3, 30, 100, 100, 0.3)
    packing = pack(buffers, 99, steps=10)
    assert packing.failed is not None
    assert packing.impossible
    assert not pack(buffers[:1], 100).impossible


# Circular memory -----------------------------------------------------------------------


def is_legal_around(buffers: Sequence[Buffer], offsets: Sequence[int], capacity: int) -> bool:
    """As `is_legal`, with addresses modulo the capacity."""
    owners = np.zeros((STEPS, capacity), np.int64)
    for offset, b in zip(offsets, buffers, strict=True):
        for byte in range(offset, offset + b.size):
            owners[b.lower : b.upper, byte % capacity] += 1
    return bool(owners.max(initial=0) <= 1)


@given(some_buffers(), st.integers(40, 200), st.sampled_from([1, 8]))
def test_no_byte_has_two_owners_around(buffers: list[Buffer], capacity: int, align: int):
    packing = pack(buffers, capacity, align, circular=True)
    kept = [(o, b) for o, b in zip(packing.offsets, buffers, strict=True) if o is not None]
    assert is_legal_around([b for _, b in kept], [o for o, _ in kept], capacity)
    if pack(buffers, capacity, align).failed is None:
        assert packing.failed is None


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_a_buffer_goes_around_the_end(low: int, middle: int, high: int):
    buffers = [Buffer("m", 0, 2, middle, low), Buffer("b", 1, 3, low + high)]
    capacity = low + middle + high
    assert pack(buffers, capacity).failed is not None
    assert pack(buffers, capacity, circular=True).offsets == [low, low + middle]


@given(some_buffers(6), st.data())
def test_check_agrees_with_the_map_of_bytes_around(buffers: list[Buffer], data: st.DataObject):
    capacity = data.draw(st.integers(40, 100))
    offsets = [data.draw(st.integers(0, capacity - 1)) for _ in buffers]
    try:
        check(buffers, offsets, capacity, circular=True)
        accepted = True
    except BscError:
        accepted = False
    assert accepted == is_legal_around(buffers, offsets, capacity)
