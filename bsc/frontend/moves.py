"""Data that must be moved: where a view cannot be read as it lies.

A part of a feature map, or another order of its channels, is a convolution with weights of 0
and 1: exact, and on a machine that leaves out blocks of zeros not expensive.  Where each pixel
is read several times over, it is made larger to the nearest pixel.
"""

from __future__ import annotations

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


def feature_map(state: State, x: Tensor) -> Tensor:
    """`x` as a value of its own that ONNX sees as N, C, H, W; moved if it has to be.

    Raises Refusal if that is not possible.
    """
    if x.view.same(View.natural(x.shape)):
        return x
    region = x.view.region()
    if region is None:
        raise would_move(x)
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
    seen = replace(x, view=x.view.transposed(NCHW)) if len(x.dims) == 4 else x
    if seen.view.region() is None:
        return feature_map(state, x)
    moved = feature_map(state, seen)
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
    count = len(region.channels)
    shape = (count, kh, kw, 1 if every else c)
    if max(kh, kw) > _LARGEST_KERNEL or np.prod(shape, dtype=np.int64) > _LARGEST_WEIGHT:
        raise would_move(x)
    values: Array = np.zeros(shape, np.int8)
    channels = 0 if every else region.channels
    values[np.arange(count), region.rows[0], region.cols[0], channels] = 1
    return Window.of((kh, kw), (sh, sw)), c if every else 1, values


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
