"""Ranges and windows against brute force: every element listed one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bsc import numerics
from bsc.geometry import Axis, Window, ceil_div, cut, lengths, round_up, stored_channels

sizes = st.integers(1, 60)
windows = st.builds(
    Axis,
    st.integers(1, 11),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 12),
    st.integers(0, 12),
)


def taps(axis: Axis, out: int) -> list[int]:
    """The input elements under the window of one output; some may lie in the padding."""
    return [out * axis.stride + k * axis.dilation - axis.pad_lo for k in range(axis.kernel)]


# Cuts ----------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(1, 12), st.integers(1, 16))
def test_a_cut_covers_everything_once(size: int, parts: int, granule: int):
    bounds = cut(size, parts, granule)
    assert len(bounds) == parts + 1
    pieces = [list(range(lo, hi)) for lo, hi in pairwise(bounds)]
    assert [x for piece in pieces for x in piece] == list(range(size))
    assert all(bound % granule == 0 or bound == size for bound in bounds)
    # No piece is longer than it must be.
    assert max(lengths(bounds)) <= round_up(ceil_div(size, parts), granule)
    full = max(lengths(bounds))
    used = [length for length in lengths(bounds) if length]
    assert all(length == full for length in used[:-1])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (56, (0, 14, 28, 42, 56)),
        (14, (0, 4, 8, 12, 14)),
        (7, (0, 2, 4, 6, 7)),
        (5, (0, 2, 4, 5, 5)),
        (1, (0, 1, 1, 1, 1)),
    ],
)
def test_whole_and_broken_shares_of_four_columns(size: int, expected: tuple[int, ...]):
    assert cut(size, 4) == expected


@given(st.integers(0, 1000), st.integers(1, 64))
def test_rounding_up(value: int, multiple: int):
    assert round_up(value, multiple) in range(value, value + multiple)
    assert round_up(value, multiple) % multiple == 0
    assert ceil_div(value, multiple) == len(range(0, value, multiple))
    assert stored_channels(value) == round_up(value, 8)


# Windows -------------------------------------------------------------------------------


@given(windows, sizes)
def test_out_size_counts_the_places_of_a_window(axis: Axis, size: int):
    padded = size + axis.pad_lo + axis.pad_hi
    places = [at for at in range(0, padded, axis.stride) if at + axis.reach <= padded]
    assert max(0, axis.out_size(size)) == len(places)


@given(windows, sizes, st.data())
def test_source_is_what_the_windows_touch(axis: Axis, size: int, data: st.DataObject):
    count = axis.out_size(size)
    assume(count > 0)
    lo = data.draw(st.integers(0, count - 1))
    hi = data.draw(st.integers(lo + 1, count))
    span = axis.source(lo, hi, size)
    first, last = min(taps(axis, lo)), max(taps(axis, hi - 1))
    inside = [x for x in range(first, last + 1) if 0 <= x < size]
    assert list(range(span.lo, span.hi)) == inside
    # Seen from the slice, the same outputs fall out with the padding that is told.
    assert span.pad_lo + span.size + span.pad_hi == last - first + 1
    if inside:
        assert (span.pad_lo, span.pad_hi) == (inside[0] - first, last - inside[-1])
    piece = Axis(axis.kernel, axis.stride, axis.dilation, span.pad_lo, span.pad_hi)
    assert piece.out_size(span.size) == hi - lo


@given(windows, sizes)
def test_no_outputs_read_nothing(axis: Axis, size: int):
    span = axis.source(3, 3, size)
    assert (span.size, span.pad_lo, span.pad_hi) == (0, 0, 0)


@given(
    st.integers(1, 24),
    st.integers(1, 24),
    windows,
    windows,
    st.integers(1, 6),
    st.integers(0, 1000),
)
def test_pieces_of_an_output_computed_from_their_sources(
    rows: int, cols: int, h: Axis, w: Axis, parts: int, seed: int
):
    """What every split rests on: a slice of the output is the same operation on the slice of
    the input that its window covers, with the padding that is told."""
    assume(h.out_size(rows) > 0 and w.out_size(cols) > 0)
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (1, rows, cols, 2)).astype(np.int8)
    weight = rng.integers(-128, 128, (3, h.kernel, w.kernel, 2)).astype(np.int8)
    whole = numerics.conv2d(x, weight, Window(h, w))
    best = numerics.max_pool(x, Window(h, w))
    for lo, hi in pairwise(cut(whole.shape[1], parts)):
        if lo == hi:
            continue
        span = h.source(lo, hi, rows)
        part = Window(Axis(h.kernel, h.stride, h.dilation, span.pad_lo, span.pad_hi), w)
        taken = x[:, span.lo : span.hi]
        np.testing.assert_array_equal(numerics.conv2d(taken, weight, part), whole[:, lo:hi])
        np.testing.assert_array_equal(numerics.max_pool(taken, part), best[:, lo:hi])
