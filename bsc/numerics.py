"""What every operation computes, to the bit.

A quantized tensor is an integer array with a position p and stands for q * 2^-p.  Between
two quantizations all arithmetic is exact; a quantization scales by a power of two, rounds
once and saturates.  That is what onnxruntime computes on a QDQ model with all
optimisations off.  The reference interpreter and the simulator both compute with this
module, so the rounding of the whole project stands here and nowhere else.

Activations are numpy arrays of shape (N, H, W, C), weights (COUT, KH, KW, CIN/groups).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.errors import BscError
from bsc.geometry import Window

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Ints = npt.NDArray[np.signedinteger]

INT8_MIN, INT8_MAX = -128, 127
TABLE_SIZE = 256
"""Elements of a table with a value for each int8."""
FLOAT32_EXACT = 2**24
"""Integers up to here are exact in float32: the bound of the exactness certificate."""
INT32_LIMIT = 2**31

_PATCH_BYTES = 64 << 20
_SLAB_BYTES = 1 << 20
"""Unrolled input patches are made in pieces of about this size, to bound the memory."""


class Rounding(Enum):
    """How a shift to the right rounds.  ONNX is `HALF_EVEN`; AIE2 can do all of these."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"
    HALF_AWAY = "half_away"
    FLOOR = "floor"


class Requant(NamedTuple):
    """Scale to position `pos`, round, and clamp to [lo, hi].

    Rounding is monotone, so a relu or clip before the rounding is the same as one after
    it: it only narrows the bounds of saturation.
    """

    pos: int
    lo: int = INT8_MIN
    hi: int = INT8_MAX


class Residual(NamedTuple):
    """Add the second operand, exactly, at the larger of the two positions."""

    pos: int


Epilogue = tuple[Requant | Residual, ...]
"""What happens to an exact value before it is stored, step by step."""


def divide(values: Ints, divisor: Ints | int, mode: Rounding = Rounding.HALF_EVEN) -> Int64:
    """`values / divisor` rounded to integers; the divisor is positive."""
    v = values.astype(np.int64)
    quotient, rest = np.divmod(v, np.int64(divisor) if isinstance(divisor, int) else divisor)
    twice = 2 * rest
    match mode:
        case Rounding.HALF_EVEN:
            up = (twice > divisor) | ((twice == divisor) & (quotient & 1 == 1))
        case Rounding.HALF_UP:
            up = twice >= divisor
        case Rounding.HALF_AWAY:
            up = (twice > divisor) | ((twice == divisor) & (v >= 0))
        case Rounding.FLOOR:
            return quotient
    return quotient + up


def requantize(
    values: Ints, pos: int, to: Requant, mode: Rounding = Rounding.HALF_EVEN
) -> Int8:
    """Integers at position `pos` as int8 at position `to.pos`, rounded once, clamped."""
    shift = pos - to.pos
    if shift <= 0:
        # Beyond 31 bits to the left every value but 0 saturates; the cap keeps int64 exact.
        scaled = values.astype(np.int64) << min(-shift, 31)
    else:
        scaled = _shift_right(values, shift, mode)
    return np.clip(scaled, to.lo, to.hi).astype(np.int8)


def _shift_right(values: Ints, shift: int, mode: Rounding) -> Ints:
    """As `divide` by 2^shift, but fast for the usual case: int32 values, half to even."""
    if mode is not Rounding.HALF_EVEN or values.dtype != np.int32 or shift > 30:
        return divide(values, 1 << min(shift, 62), mode)
    quotient = values >> shift
    rest = values - (quotient << shift)
    half = 1 << (shift - 1)
    return quotient + ((rest > half) | ((rest == half) & (quotient & 1 == 1)))


def apply_epilogue(
    values: Ints,
    pos: int,
    epilogue: Epilogue,
    residual: Ints | None = None,
    mode: Rounding = Rounding.HALF_EVEN,
) -> Ints:
    """Run the steps of `epilogue` on exact `values` at position `pos`.

    Returns int8 if the last step rounds, else the exact integers.
    """
    for step in epilogue:
        if isinstance(step, Requant):
            values, pos = requantize(values, pos, step, mode), step.pos
        else:
            assert residual is not None, "an epilogue that adds needs the second operand"
            values, pos = add(values, pos, residual, step.pos)
    return values


def add(a: Ints, a_pos: int, b: Ints, b_pos: int) -> tuple[Int64, int]:
    """The exact sum and its position, the larger of the two.

    Raises BscError if they are too far apart for 64 bits.
    """
    pos = max(a_pos, b_pos)
    if abs(a_pos - b_pos) > 31:
        raise BscError(f"positions {a_pos} and {b_pos} are more than 31 apart: no exact sum")
    return (a.astype(np.int64) << (pos - a_pos)) + (b.astype(np.int64) << (pos - b_pos)), pos


def mul(a: Ints, a_pos: int, b: Ints, b_pos: int) -> tuple[Int64, int]:
    """The exact product and its position, the sum of the two."""
    return a.astype(np.int64) * b.astype(np.int64), a_pos + b_pos


def lookup(x: Int8, table: Int8) -> Int8:
    """The element q + 128 of the table for each number q."""
    return table[x.astype(np.int16) - INT8_MIN]


def resize(x: Int8, factor: tuple[int, int], phase: tuple[int, int], h: int, w: int) -> Int8:
    """The first h x w pixels of x with each pixel repeated, after the first `phase` ones."""
    rows = (np.arange(h) + phase[0]) // factor[0]
    columns = (np.arange(w) + phase[1]) // factor[1]
    return x[:, rows][:, :, columns]


def accumulator_bound(weight: Int8, bias: Ints | None = None) -> int:
    """The largest |accumulator| that any int8 input can give: max over COUT of
    sum|w| * 128 + |bias|.  Up to 2^24 float32 is exact, from 2^31 int32 overflows."""
    step = max(1, _SLAB_BYTES // max(1, weight[:1].nbytes))
    per_cout = np.zeros(len(weight), np.int64)
    axes = tuple(range(1, weight.ndim))
    # Some rows at a time, as a large dense layer is a hundred million numbers.
    for first in range(0, len(weight), step):
        # |-128| is -128 in int8, whose bits are 128 in uint8.
        absolute = np.abs(weight[first : first + step]).view(np.uint8)
        per_cout[first : first + step] = absolute.sum(axis=axes, dtype=np.int64)
    per_cout *= 128
    if bias is not None:
        per_cout = per_cout + np.abs(bias.astype(np.int64))
    return int(per_cout.max(initial=0))


def add_bias(acc: Ints, pos: int, bias: Ints, bias_pos: int) -> tuple[Int64, int]:
    """The accumulator with a bias that has a position of its own, exactly."""
    return add(acc, pos, bias, bias_pos)


def conv2d(x: Int8, weight: Int8, window: Window, groups: int = 1) -> Int32:
    """The exact int32 accumulator of a convolution, without bias; padding is 0.

    Shapes: x (N, H, W, CIN), weight (COUT, KH, KW, CIN/groups), result (N, HO, WO, COUT).
    """
    cout, cin = len(weight), x.shape[3]
    if groups == cin and weight.shape[3] == 1 and cout == cin:
        return _depthwise(x, weight, window)
    if groups == 1:
        return _matrix_conv(x, weight, window)
    outs = [
        _matrix_conv(
            x[..., g * (cin // groups) : (g + 1) * (cin // groups)],
            weight[g * (cout // groups) : (g + 1) * (cout // groups)],
            window,
        )
        for g in range(groups)
    ]
    return np.concatenate(outs, axis=3)


def _matrix_conv(x: Int8, weight: Int8, window: Window) -> Int32:
    """A convolution as one matrix product a piece of rows.

    BLAS on floats is exact as long as every partial sum is below the float's integer
    range, and some twenty times faster than numpy's integer product.
    """
    dtype = np.float32 if accumulator_bound(weight) <= FLOAT32_EXACT else np.float64
    cout = len(weight)
    matrix = np.ascontiguousarray(weight.reshape(cout, -1).T, dtype=dtype)
    taps = patches(pad(x, window, 0), window)
    n, ho, wo, kh, kw, cin = taps.shape
    out = np.empty((n, ho, wo, cout), np.int32)
    rows = max(1, _PATCH_BYTES // max(1, n * wo * kh * kw * cin * np.dtype(dtype).itemsize))
    for top in range(0, ho, rows):
        piece = taps[:, top : top + rows].astype(dtype).reshape(-1, kh * kw * cin)
        out[:, top : top + rows] = (piece @ matrix).reshape(n, -1, wo, cout)
    return out


def _depthwise(x: Int8, weight: Int8, window: Window) -> Int32:
    """One filter a channel: a sum over taps, no matrix product to be had."""
    taps = patches(pad(x, window, 0), window)
    out = np.zeros((*taps.shape[:3], taps.shape[5]), np.int32)
    for i in range(window.h.kernel):
        for j in range(window.w.kernel):
            out += taps[:, :, :, i, j].astype(np.int32) * weight[:, i, j, 0].astype(np.int32)
    return out


def pad(x: Int8, window: Window, value: int) -> Int8:
    """x with the window's padding around H and W, filled with `value`."""
    h, w = window.h, window.w
    if not (h.pad_lo or h.pad_hi or w.pad_lo or w.pad_hi):
        return x
    n, rows, cols, channels = x.shape
    out = np.full(
        (n, rows + h.pad_lo + h.pad_hi, cols + w.pad_lo + w.pad_hi, channels), value, x.dtype
    )
    out[:, h.pad_lo : h.pad_lo + rows, w.pad_lo : w.pad_lo + cols] = x
    return out


def patches(x: Int8, window: Window) -> Int8:
    """A view of the padded x of shape (N, HO, WO, KH, KW, C): each output's taps."""
    h, w = window.h, window.w
    n, rows, cols, channels = x.shape
    ho, wo = (rows - h.reach) // h.stride + 1, (cols - w.reach) // w.stride + 1
    sn, sh, sw, sc = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (n, ho, wo, h.kernel, w.kernel, channels),
        (sn, sh * h.stride, sw * w.stride, sh * h.dilation, sw * w.dilation, sc),
        writeable=False,
    )


def max_pool(x: Int8, window: Window) -> Int8:
    """The largest element under the window; padding never wins over an int8."""
    taps = patches(pad(x, window, INT8_MIN), window)
    return _fold_taps(taps, window, np.maximum)


def _fold_taps(taps: Ints, window: Window, fold: Callable[[Ints, Ints], Ints]) -> Ints:
    out = taps[:, :, :, 0, 0].copy()
    for i in range(window.h.kernel):
        for j in range(window.w.kernel):
            if i or j:
                out = fold(out, taps[:, :, :, i, j])
    return out


def sum_pool(x: Int8, window: Window) -> Int32:
    """The int32 sum under the window; padding counts as 0."""
    taps = patches(pad(x, window, 0), window)
    out = np.zeros((*taps.shape[:3], taps.shape[5]), np.int32)
    for i in range(window.h.kernel):
        for j in range(window.w.kernel):
            out += taps[:, :, :, i, j]
    return out


def pool_counts(rows: int, cols: int, window: Window, count_pad: bool) -> Int64:
    """How many elements each average divides by, of shape (1, HO, WO, 1).

    With `count_pad` it is the size of the window, else only what lies inside the input.
    """
    inside = np.ones((1, rows, cols, 1), np.int8)
    if count_pad:
        ho, wo = window.h.out_size(rows), window.w.out_size(cols)
        return np.full((1, ho, wo, 1), window.taps, np.int64)
    return sum_pool(inside, window).astype(np.int64)


def average(
    sums: Ints, counts: Ints, pos: int, to: Requant, mode: Rounding = Rounding.HALF_EVEN
) -> Int8:
    """`sums / counts` at position `pos` as int8 at `to.pos`, rounded once."""
    # Beyond these shifts every mean saturates, or is 0.
    up, down = min(max(to.pos - pos, 0), 31), min(max(pos - to.pos, 0), 40)
    scaled = divide(sums.astype(np.int64) << up, counts.astype(np.int64) << down, mode)
    return np.clip(scaled, to.lo, to.hi).astype(np.int8)
