"""Packing buffers into one memory, held against a map of every byte at every step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsc.coloring import Buffer, check, memory_map, pack
from bsc.errors import BscError

STEPS = 8


def is_legal(buffers: Sequence[Buffer], offsets: Sequence[int], capacity: int) -> bool:
    """Whether no byte has two owners at any step, by counting the owners of all bytes."""
    end = max([capacity, *(o + b.size for o, b in zip(offsets, buffers, strict=True))])
    owners = np.zeros((STEPS, end), np.int64)
    for offset, b in zip(offsets, buffers, strict=True):
        owners[b.lower : b.upper + 1, offset : offset + b.size] += 1
    return bool(owners.max(initial=0) <= 1 and not owners[:, capacity:].any())


@st.composite
def some_buffers(draw: st.DrawFn, most: int = 10) -> list[Buffer]:
    """Buffers with live ranges within `STEPS` and sizes from 1 to 40."""
    buffers: list[Buffer] = []
    for index in range(draw(st.integers(1, most))):
        lower = draw(st.integers(0, STEPS - 1))
        upper = draw(st.integers(lower, STEPS - 1))
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
    offsets, failed = pack(buffers, capacity, align)
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
    live = sum(b.size for b in buffers if b.lower <= step <= b.upper)
    if live:
        assert pack(buffers, live - 1).failed is not None


@given(st.lists(st.integers(1, 40), min_size=1, max_size=STEPS))
def test_buffers_one_after_another_share_the_memory(sizes: list[int]):
    buffers = [Buffer(f"b{step}", step, step, size) for step, size in enumerate(sizes)]
    assert pack(buffers, max(sizes)).offsets == [0] * len(sizes)


@given(with_some_fixed())
def test_placed_buffers_stay_where_they_are(buffers: list[Buffer]):
    offsets, failed = pack(buffers, 1000, 4)
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
    pair = [Buffer("left", 0, 2, 10), Buffer("right", 2, 3, 10)]
    with pytest.raises(BscError, match="left and right overlap at 0x8"):
        check(pair, [0, 8], 100)
    with pytest.raises(BscError, match="right ends at 18, the memory at 16"):
        check(pair, [100, 8], 16)
    check([pair[0], pair[1]._replace(lower=3)], [0, 8], 18)


def test_memory_map_lists_what_is_live_by_address():
    buffers = [Buffer("b", 0, 1, 32), Buffer("a", 1, 3, 16), Buffer("gone", 2, 3, 8)]
    lines = memory_map([*buffers, Buffer("big", 1, 1, 4096)], [16, 0, 0, None], 1).split("\n")
    assert [line.split()[-1] for line in lines] == ["a", "b", "big"]
    assert "0x00010-0x00030" in lines[1]
    assert "no room" in lines[2]
    assert "4096 bytes" in lines[2]
