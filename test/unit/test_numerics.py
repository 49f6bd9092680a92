"""The arithmetic of `bsc.numerics` against slow definitions, written with exact fractions
and plain loops, and against onnxruntime."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from exactness import assert_exact
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from qdq_models import QdqBuilder, windowed

from bsc import numerics
from bsc.errors import BscError
from bsc.geometry import Axis, Window
from bsc.numerics import Epilogue, Int8, Requant, Residual, Rounding

POSITIONS = st.integers(-31, 31)
INT8 = st.integers(-128, 127)
INT32 = st.integers(-(2**31), 2**31 - 1)


def rounded(exact: Fraction, mode: Rounding) -> int:
    """An exact number, rounded by the definition of the mode."""
    below = math.floor(exact)
    rest = exact - below
    match mode:
        case Rounding.FLOOR:
            return below
        case Rounding.HALF_UP:
            return below + (rest >= Fraction(1, 2))
        case Rounding.HALF_AWAY:
            return math.floor(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
        case Rounding.HALF_EVEN:
            # Python rounds fractions half to even.
            return round(exact)


def scaled(value: int, pos: int) -> Fraction:
    """The real number that an integer stands for."""
    return Fraction(value) * Fraction(2) ** -pos


def slow_requantize(exact: Fraction, to: Requant, mode: Rounding) -> int:
    """A real number as int8 at a position."""
    return min(max(rounded(exact * Fraction(2) ** to.pos, mode), to.lo), to.hi)


@st.composite
def requants(draw: st.DrawFn) -> Requant:
    """A position and bounds."""
    lo, hi = sorted((draw(INT8), draw(INT8)))
    return draw(st.sampled_from([Requant(draw(POSITIONS)), Requant(draw(POSITIONS), lo, hi)]))


# Rounding ------------------------------------------------------------------------------


@given(
    st.lists(INT32, min_size=1, max_size=8), POSITIONS, requants(), st.sampled_from(Rounding)
)
def test_requantize(values: list[int], pos: int, to: Requant, mode: Rounding):
    expected = [slow_requantize(scaled(v, pos), to, mode) for v in values]
    for dtype in (np.int32, np.int64):
        found = numerics.requantize(np.array(values, dtype), pos, to, mode)
        assert found.dtype == np.int8
        assert found.tolist() == expected


@given(st.integers(-150, 150), st.integers(1, 20), st.sampled_from(Rounding))
def test_requantize_at_the_middle_between_two_numbers(whole: int, shift: int, mode: Rounding):
    middle = (2 * whole + 1) << (shift - 1)
    values = np.array([middle - 1, middle, middle + 1], np.int32)
    to = Requant(0, -128, 127)
    expected = [slow_requantize(scaled(int(v), shift), to, mode) for v in values]
    assert numerics.requantize(values, shift, to, mode).tolist() == expected


@given(
    st.lists(st.integers(-(2**40), 2**40), min_size=1),
    st.integers(1, 2**20),
    st.sampled_from(Rounding),
)
def test_divide(values: list[int], divisor: int, mode: Rounding):
    expected = [rounded(Fraction(v, divisor), mode) for v in values]
    assert numerics.divide(np.array(values, np.int64), divisor, mode).tolist() == expected


@given(st.lists(st.tuples(INT8, INT8), min_size=1), POSITIONS, POSITIONS)
def test_add_and_mul_are_exact(pairs: list[tuple[int, int]], a_pos: int, b_pos: int):
    a, b = (np.array(values, np.int8) for values in zip(*pairs, strict=True))
    if abs(a_pos - b_pos) > 31:
        with pytest.raises(BscError, match="more than 31 apart"):
            numerics.add(a, a_pos, b, b_pos)
    else:
        sums, pos = numerics.add(a, a_pos, b, b_pos)
        exact = [scaled(x, a_pos) + scaled(y, b_pos) for x, y in pairs]
        assert [scaled(int(v), pos) for v in sums] == exact
    products, pos = numerics.mul(a, a_pos, b, b_pos)
    exact = [scaled(x, a_pos) * scaled(y, b_pos) for x, y in pairs]
    assert [scaled(int(v), pos) for v in products] == exact


@given(st.lists(st.tuples(INT32, INT8), min_size=1), st.data(), st.sampled_from(Rounding))
def test_epilogues_round_at_every_step(
    pairs: list[tuple[int, int]], data: st.DataObject, mode: Rounding
):
    near = st.integers(-6, 14)
    pos, first, other, last = (data.draw(near) for _ in range(4))
    lo, hi = sorted((data.draw(INT8), data.draw(INT8)))
    steps: Epilogue = (Requant(first), Residual(other), Requant(last, lo, hi))
    acc, res = (np.array(values) for values in zip(*pairs, strict=True))
    expected: list[int] = []
    for value, residual in pairs:
        inner = slow_requantize(scaled(value, pos), Requant(first), mode)
        total = scaled(inner, first) + scaled(residual, other)
        expected.append(slow_requantize(total, Requant(last, lo, hi), mode))
    found = numerics.apply_epilogue(acc.astype(np.int32), pos, steps, res.astype(np.int8), mode)
    assert found.tolist() == expected


# Windows -------------------------------------------------------------------------------


@st.composite
def axes(draw: st.DrawFn, size: int, dilated: bool = True) -> Axis:
    """A window along `size` elements that leaves an output."""
    axis = Axis(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)) if dilated else 1,
        draw(st.integers(0, 4)),
        draw(st.integers(0, 4)),
    )
    assume(axis.out_size(size) > 0)
    return axis


def values(rng: np.random.Generator, shape: tuple[int, ...], extreme: bool) -> Int8:
    """Random int8 numbers; extreme ones add up to the largest sums that there are."""
    if extreme:
        return rng.choice([-128, 127], shape).astype(np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


@st.composite
def inputs(draw: st.DrawFn, dilated: bool = True) -> tuple[Int8, Window]:
    """An activation and a window over it."""
    rows, cols, channels = (draw(st.integers(1, 7)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    x = values(rng, (1, rows, cols, channels), draw(st.booleans()))
    return x, Window(draw(axes(rows, dilated)), draw(axes(cols, dilated)))


def under(x: Int8, window: Window, row: int, col: int, channel: int) -> list[int | None]:
    """The elements under the window of one output; None in the padding."""
    h, w = window.h, window.w
    found: list[int | None] = []
    for i, j in itertools.product(range(h.kernel), range(w.kernel)):
        y = row * h.stride + i * h.dilation - h.pad_lo
        z = col * w.stride + j * w.dilation - w.pad_lo
        inside = 0 <= y < x.shape[1] and 0 <= z < x.shape[2]
        found.append(int(x[0, y, z, channel]) if inside else None)
    return found


def outputs(x: Int8, window: Window) -> list[tuple[int, int]]:
    """The outputs' rows and columns."""
    rows, cols = window.h.out_size(x.shape[1]), window.w.out_size(x.shape[2])
    return list(itertools.product(range(rows), range(cols)))


@given(inputs(), st.data())
def test_conv2d(given_: tuple[Int8, Window], data: st.DataObject):
    x, window = given_
    cin = x.shape[3]
    groups = data.draw(st.sampled_from([g for g in range(1, cin + 1) if cin % g == 0]))
    cout = groups * data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    kernel = (window.h.kernel, window.w.kernel)
    weight = values(rng, (cout, *kernel, cin // groups), data.draw(st.booleans()))
    found = numerics.conv2d(x, weight, window, groups)
    for row, col in outputs(x, window):
        for out in range(cout):
            first = out // (cout // groups) * (cin // groups)
            exact = sum(
                (value or 0) * int(factor)
                for c in range(cin // groups)
                for value, factor in zip(
                    under(x, window, row, col, first + c),
                    weight[out, :, :, c].reshape(-1),
                    strict=True,
                )
            )
            assert found[0, row, col, out] == exact


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (3, 2, 3, 5), (700, 1, 2, 1000), (3, 1, 2, 600_000)]
)
@pytest.mark.parametrize("biased", [False, True])
def test_the_bound_of_an_accumulator(shape: tuple[int, int, int, int], biased: bool):
    rng = np.random.default_rng(shape[0])
    weight = rng.integers(-128, 128, shape, np.int8)
    weight[-1, ..., -1] = -128
    bias = rng.integers(-(2**30), 2**30, shape[0]).astype(np.int32) if biased else None
    sums = np.abs(weight.astype(np.int64)).reshape(shape[0], -1).sum(axis=1) * 128
    if bias is not None:
        sums += np.abs(bias.astype(np.int64))
    assert numerics.accumulator_bound(weight, bias) == sums.max()


def test_conv2d_beyond_the_exact_integers_of_float32():
    x = np.full((1, 3, 3, 300), -128, np.int8)
    weight = np.full((2, 3, 3, 300), -127, np.int8)
    weight[0, 0, 0, 0] = -126
    assert numerics.accumulator_bound(weight) > numerics.FLOAT32_EXACT
    total = 2700 * 128 * 127
    found = numerics.conv2d(x, weight, Window.of((3, 3)))
    assert found.reshape(-1).tolist() == [total - 128, total]


@given(inputs(dilated=False), st.booleans(), POSITIONS, requants(), st.sampled_from(Rounding))
def test_pools(
    given_: tuple[Int8, Window], count_pad: bool, pos: int, to: Requant, mode: Rounding
):
    x, window = given_
    counts = numerics.pool_counts(x.shape[1], x.shape[2], window, count_pad)
    sums, best = numerics.sum_pool(x, window), numerics.max_pool(x, window)
    for row, col in outputs(x, window):
        for channel in range(x.shape[3]):
            taps = under(x, window, row, col, channel)
            inside = [value for value in taps if value is not None]
            assert sums[0, row, col, channel] == sum(inside)
            assert best[0, row, col, channel] == max(inside, default=-128)
            assert counts[0, row, col, 0] == (len(taps) if count_pad else len(inside))
            if not counts[0, row, col, 0]:
                continue
            at = (slice(0, 1), slice(row, row + 1), slice(col, col + 1))
            one = sums[(*at, slice(channel, channel + 1))]
            mean = numerics.average(one, counts[at], pos, to, mode)
            exact = Fraction(sum(inside), int(counts[0, row, col, 0])) * Fraction(2) ** -pos
            assert int(mean.item()) == slow_requantize(exact, to, mode)


# onnxruntime ---------------------------------------------------------------------------

few = settings(max_examples=25)
small = st.integers(1, 9)


@few
@given(st.integers(0, 10**6), st.tuples(small, small, small), st.data())
def test_conv_is_onnxruntimes(seed: int, dims: tuple[int, int, int], data: st.DataObject):
    b = QdqBuilder(seed)
    channels, rows, cols = dims
    x = b.input((1, *dims), pos=data.draw(st.integers(-3, 9)))
    h, w = data.draw(axes(rows)), data.draw(axes(cols))
    groups = data.draw(st.sampled_from([g for g in range(1, 10) if channels % g == 0]))
    y = b.conv(
        x,
        groups * data.draw(st.integers(1, 3)),
        (h.kernel, w.kernel),
        (h.stride, w.stride),
        (h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi),
        (h.dilation, w.dilation),
        groups,
        data.draw(st.sampled_from([np.int32, np.int8, None])),
        data.draw(st.sampled_from([None, "Relu", "Clip"])),
    )
    assert_exact(b.model(y), seed)


@few
@given(st.integers(0, 10**6), st.tuples(small, small, small), st.data())
def test_pools_are_onnxruntimes(seed: int, dims: tuple[int, int, int], data: st.DataObject):
    b = QdqBuilder(seed)
    x = b.input((1, *dims))
    h, w = (data.draw(axes(size, dilated=False)) for size in dims[1:])
    kernel = (h.kernel, w.kernel)
    # onnxruntime wants less padding than kernel.
    top, bottom = (min(n, h.kernel - 1) for n in (h.pad_lo, h.pad_hi))
    left, right = (min(n, w.kernel - 1) for n in (w.pad_lo, w.pad_hi))
    pads, strides = (top, left, bottom, right), (h.stride, w.stride)
    assume(min(windowed(x.dims, kernel, strides, pads)) > 0)
    best = b.pool("MaxPool", x, kernel, strides, pads)
    include = data.draw(st.integers(0, 1))
    pos = data.draw(st.integers(2, 7))
    mean = b.pool("AveragePool", x, kernel, strides, pads, pos, count_include_pad=include)
    assert_exact(b.model(best, mean), seed)


@few
@given(st.integers(0, 10**6), st.tuples(small, small, small), *[st.integers(-9, 12)] * 3)
def test_sums_and_rounding_are_onnxruntimes(
    seed: int, dims: tuple[int, int, int], a_pos: int, b_pos: int, to: int
):
    b = QdqBuilder(seed)
    x, y = b.input((1, *dims), pos=a_pos), b.input((1, *dims), pos=b_pos)
    total = b.quantize(b.node("Add", [x.name, y.name]), x.dims, to)
    product = b.quantize(b.node("Mul", [x.name, y.name]), x.dims, to)
    assert_exact(b.model(total, product, b.unary("Relu", x, to)), seed)
