"""Data that must be moved: where a view cannot be read as it lies.

A part of a feature map, or another order of its channels, is a convolution with weights of 0
and 1: exact, and on a machine that leaves out blocks of zeros not expensive.  So is a map whose
pixels become channels (SpaceToDepth); where channels become pixels (DepthToSpace), there is one
for each kind of pixel, and their results take turns.  Where each pixel is read several times
over, it is made larger to the nearest pixel.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.dialects.qnn_base import Shape
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import State
from bsc.frontend.tensors import Array
from bsc.frontend.values import Maker, Tensor
from bsc.frontend.views import NCHW, NHWC, Region, View
from bsc.geometry import Window

_LARGEST_WEIGHT = 2**24
_LARGEST_KERNEL = 2**8
_MOST_TURNS = 2**8


def feature_map(state: State, x: Tensor) -> Tensor:
    """`x` as a value of its own that ONNX sees as N, C, H, W; moved if it has to be.

    Raises Refusal if that is not possible.
    """
    if x.view.same(View.natural(x.shape)):
        return x
    region = x.view.region()
    if region is None:
        return _woven(state, x) if _turns(x.view) else _folded(state, x)
    (rows, up), (cols, along) = _repeats(region.rows), _repeats(region.cols)
    if not (_even(rows) and _even(cols)):
        raise would_move(x)
    key = (x.value, x.view.key)
    if key not in state.made:
        moved = _picked(state, x, Region(rows, cols, region.channels))
        if (up, along) != (1, 1):
            moved = _enlarged(state, moved, (up, along))
        state.made[key] = moved
    return state.made[key]


def straight(state: State, x: Tensor) -> Tensor:
    """`x` as all of a value that ONNX sees as N, C, H, W or N, H, W, C; moved if it has to be.

    Raises Refusal if that is not possible.
    """
    if x.view.order() is not None:
        return x
    try:
        return feature_map(state, x)
    except Moves:
        if len(x.dims) != 4:
            raise
    try:
        moved = feature_map(state, replace(x, view=x.view.transposed(NCHW)))
    except Moves:
        raise would_move(x) from None
    return replace(moved, view=View.natural(moved.shape, NHWC))


def _repeats(indices: Array) -> tuple[Array, int]:
    """The indices without those that are the one before once more, and how many there are of
    each."""
    count = int(np.argmax(indices != indices[0])) or len(indices)
    single = indices[::count]
    alike = np.array_equal(single.repeat(count)[: len(indices)], indices)
    return (single, count) if alike and not len(indices) % count else (indices, 1)


def _picked(state: State, x: Tensor, region: Region) -> Tensor:
    """A part of a value as one of its own."""
    window, groups, values = _picking(region, x)
    rows, cols = window.h.out_size(x.shape[1]), window.w.out_size(x.shape[2])
    view = View.natural((1, rows, cols, len(values)))
    if view.shape == x.shape and groups == x.shape[3]:
        return replace(x, view=view)
    key = (region.rows.tobytes(), region.cols.tobytes(), region.channels.tobytes(), x.shape)
    make = _convolution(state, x, values, window, groups, key)
    moved = state.builder.add(make, None, view, "", x.pos, x.name)
    return replace(moved, name=x.name, real=x.real, type=x.type)


def _enlarged(state: State, x: Tensor, factors: tuple[int, int]) -> Tensor:
    """Each pixel of the natural feature map `x` as so many rows and columns."""

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.ResizeOp:
        return qnn.ResizeOp(x.value, factors, type, epilogue)

    _, h, w, c = x.shape
    view = View.natural((1, h * factors[0], w * factors[1], c))
    made = state.builder.add(make, None, view, "", x.pos, x.name)
    return replace(made, name=x.name, real=x.real, type=x.type)


class Moves(Refusal):
    """Data would have to move, as the array does not: the host can."""


def _turns(view: View) -> tuple[int, int] | None:
    """How many rows and columns of a feature map take turns, so that those of each kind are a
    part of the value; None if they are not, or are a part all together."""
    if len(view.offsets) != 4 or view.dims[0] != 1:
        return None
    _, _, w, c = view.shape
    rows, cols = _period(view.offsets[2], w * c), _period(view.offsets[3], c)
    return None if rows * cols == 1 or rows * cols > _MOST_TURNS else (rows, cols)


def _period(steps: Array, unit: int) -> int:
    """The least number so that each so many-th step is a multiple of `unit` further."""
    counts = range(1, min(len(steps), _MOST_TURNS) + 1)
    return next((n for n in counts if not ((steps[n:] - steps[:-n]) % unit).any()), len(steps))


def _woven(state: State, x: Tensor) -> Tensor:
    """A map whose pixels are the channels of fewer pixels, by turns: each has all of these."""
    factors = _turns(x.view)
    assert factors is not None
    key = (x.value, x.view.key)
    if key not in state.made:
        _, channels, h, w = x.dims
        parts: list[Tensor] = []
        for i, j in itertools.product(*map(range, factors)):
            kind = x.view.taken(2, np.arange(i, h, factors[0]))
            kind = kind.taken(3, np.arange(j, w, factors[1]))
            region = kind.region()
            if region is None or (len(region.rows), len(region.cols)) != x.shape[1:3]:
                raise would_move(x)
            parts.append(feature_map(state, replace(x, view=kind)))

        def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.InterleaveOp:
            return qnn.InterleaveOp([part.value for part in parts], factors, type, epilogue)

        view = View.natural((1, h, w, channels))
        moved = state.builder.add(make, None, view, "", x.pos, x.name)
        state.made[key] = replace(moved, name=x.name, real=x.real, type=x.type)
    return state.made[key]


def _folded(state: State, x: Tensor) -> Tensor:
    """A map whose channels are those of several pixels of the value."""
    _, h, w, c = x.shape
    if len(x.dims) != 4 or x.dims[0] != 1:
        raise would_move(x)
    _, channels, rows, cols = x.view.offsets
    row, rest = np.divmod(x.view.base + channels, w * c)
    col, channel = np.divmod(rest, c)
    if (rows % (w * c)).any() or (cols % c).any():
        raise would_move(x)
    rows, cols = rows // (w * c), cols // c
    (kh, sh), (kw, sw) = _kernel(rows, h), _kernel(cols, w)
    outside = min(row.min(), col.min()) < 0 or row.max() >= kh or col.max() >= kw
    if outside or not (_even(rows) and _even(cols)):
        raise would_move(x)
    key = (x.value, x.view.key)
    if key not in state.made:
        values = _one_each(x, (len(channels), kh, kw, c), (row, col, channel))
        window = Window.of((kh, kw), (sh, sw))
        make = _convolution(state, x, values, window, 1, x.view.key)
        view = View.natural((1, len(rows), len(cols), len(channels)))
        moved = state.builder.add(make, None, view, "", x.pos, x.name)
        state.made[key] = replace(moved, name=x.name, real=x.real, type=x.type)
    return state.made[key]


def would_move(x: Tensor) -> Moves:
    """The refusal of a tensor whose data do not lie as they are read."""
    _, h, w, c = x.shape
    return Moves(
        f"tensor {quoted(x.name)} is read as {list(x.dims)}, but its data lie as "
        f"{[1, c, h, w]}: a reshape here would have to move data"
    )


def padded(state: State, x: Tensor, pads: tuple[int, int, int, int]) -> tuple[Maker, Shape]:
    """The natural feature map `x` with zeros around it: above, left, below and right."""
    _, h, w, c = x.shape
    window = Window.of((1, 1), (1, 1), (1, 1), pads)
    values: Array = np.ones((c, 1, 1, 1), np.int8)
    make = _convolution(state, x, values, window, c, ("pads", c))
    return make, (1, window.h.out_size(h), window.w.out_size(w), c)


def _even(indices: Array) -> bool:
    """Whether indices go up by the same step."""
    steps = np.diff(indices)
    return not len(steps) or (steps[0] > 0 and bool((steps == steps[0]).all()))


def _picking(region: Region, x: Tensor) -> tuple[Window, int, Array]:
    """The convolution that takes `region` out of `x`: window, groups and weight."""
    _, h, w, c = x.shape
    (kh, sh), (kw, sw) = _kernel(region.rows, h), _kernel(region.cols, w)
    every = np.array_equal(region.channels, np.arange(c))
    shape = (len(region.channels), kh, kw, 1 if every else c)
    channels = 0 if every else region.channels
    values = _one_each(x, shape, (region.rows[0], region.cols[0], channels))
    return Window.of((kh, kw), (sh, sw)), c if every else 1, values


def _one_each(
    x: Tensor, shape: tuple[int, int, int, int], taps: tuple[Array | int, ...]
) -> Array:
    """A weight of zeros with a 1 for each output channel, at its row, column and channel."""
    if max(shape[1:3]) > _LARGEST_KERNEL or np.prod(shape, dtype=np.int64) > _LARGEST_WEIGHT:
        raise would_move(x)
    values: Array = np.zeros(shape, np.int8)
    values[(np.arange(shape[0]), *taps)] = 1
    return values


def _kernel(indices: Array, size: int) -> tuple[int, int]:
    """A kernel and a stride whose windows over `size` elements begin at even distances, as
    many as there are indices; index 0 then lies in the first window, and so on."""
    step = int(indices[1] - indices[0]) if len(indices) > 1 else 1
    return size - (len(indices) - 1) * step, step


def _convolution(
    state: State, x: Tensor, values: Array, window: Window, groups: int, key: object
) -> Maker:
    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.Conv2dOp:
        weight = state.builder.weight(key, "ones", values, 0, None)
        return qnn.Conv2dOp(x.value, weight, type, window, groups, epilogue=epilogue)

    return make
