"""Pooling: the largest or the mean element under a window, channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.frontend.graph import Node
from bsc.frontend.linear import Product
from bsc.frontend.moves import feature_map
from bsc.frontend.pads import padded_input
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import (
    Args,
    State,
    activation,
    argument,
    constant,
    imports,
    rounded,
)
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Maker, Scaled, Tensor, Value
from bsc.frontend.views import NCHW, View
from bsc.frontend.windows import (
    NO_PADS,
    Pads,
    check_reads_input,
    kernel_of,
    rounded_up,
    window_of,
)
from bsc.geometry import Window
from bsc.numerics import INT8_MAX, INT32_LIMIT, pool_counts

_FARTHEST = 31
"""How far apart the positions of a mean and its operand may be: int64 holds the sum."""


@imports("MaxPool")
def max_pool(state: State, node: Node, args: Args) -> Value:
    """The largest element; the indices of the largest are not to be had."""
    given = argument(args, 0)
    quantized = isinstance(given, Tensor) and not given.real
    x = given if isinstance(given, Tensor) and quantized else activation(state, node, args)
    x = feature_map(state, x)
    if any(node.outputs[1:]):
        raise Refusal(f"makes indices {quoted(node.outputs[1])}: only the values are accepted")
    window, _ = _window(node, x, NO_PADS)

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.MaxPoolOp:
        op = qnn.MaxPoolOp(x.value, type, window)
        op.epilogue = epilogue
        return op

    exact = Exact(node, _view(x, window), make, whole=x.pos)
    return rounded(state, exact, node.outputs[0], x) if quantized else exact


@imports("AveragePool")
def average_pool(state: State, node: Node, args: Args) -> Value:
    """The mean of the window, or of what of it lies inside the input."""
    count_pad = bool(node.number("count_include_pad", 0))
    x, more = padded_input(state, node, args)
    if any(more):
        # All elements that a Pad has made count; those that the pool adds perhaps not.
        own = any(node.numbers("pads") or ()) or node.word("auto_pad", "NOTSET") != "NOTSET"
        if node.number("ceil_mode", 0) or (own and not count_pad):
            x, more = activation(state, node, args), NO_PADS
        else:
            count_pad = True
    x = feature_map(state, x)
    window, hangs_over = _window(node, x, more)
    if count_pad and hangs_over:
        raise Refusal(
            "has ceil_mode with count_include_pad, and windows that hang over the padding: "
            "how many elements those have is not agreed on"
        )

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.AvgPoolOp:
        op = qnn.AvgPoolOp(x.value, type, window, count_pad)
        op.epilogue = epilogue
        return op

    mean = _mean(node, x, window.taps, _view(x, window), make)
    counts = pool_counts(*x.shape[1:3], window, count_pad)
    if (counts == window.taps).all():
        mean = replace(mean, scaled=_scaled(state, mean, x, window))
    return mean


@imports("GlobalAveragePool")
def global_average_pool(state: State, node: Node, args: Args) -> Value:
    """The mean of each channel."""
    x = feature_map(state, activation(state, node, args))
    return _global_mean(state, node, x, View.natural((1, 1, 1, x.shape[3])))


@imports("ReduceMean")
def reduce_mean(state: State, node: Node, args: Args) -> Value:
    """The mean over H and W, wherever ONNX has these: global pooling by another name."""
    x = activation(state, node, args)
    order = x.view.order()
    if order is None and len(x.dims) == 4:
        x, order = feature_map(state, x), NCHW
    axes = node.numbers("axes")
    given = constant(node, args, 1, "axes")
    if given is not None:
        axes = tuple(int(n) for n in given.flat[:8])
    image = [] if order is None else [i for i, axis in enumerate(order) if axis in (1, 2)]
    if order is None or sorted(n % 4 for n in axes or ()) != image:
        shown = "all" if axes is None else list(axes)
        raise Refusal(
            f"takes the mean over axes {shown} of {list(x.dims)}: H and W, {image or [2, 3]}"
        )
    view = View.natural((1, 1, 1, x.shape[3]), order)
    view = view if node.number("keepdims", 1) else View.row(view.shape)
    return _global_mean(state, node, x, view)


def _global_mean(state: State, node: Node, x: Tensor, view: View) -> Exact:
    _, h, w, _ = x.shape

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.GlobalAvgPoolOp:
        return qnn.GlobalAvgPoolOp(x.value, type, epilogue)

    mean = _mean(node, x, h * w, view, make)
    return replace(mean, scaled=_scaled(state, mean, x, Window.of((h, w))))


def _scaled(state: State, mean: Exact, x: Tensor, window: Window) -> Callable[[float], Exact]:
    """Multiplies a mean by a constant, as quantizers do that simulate AMD's DPU.

    That machine has no division: it multiplies the sum over N elements by m / 2^n, which is
    nearly 1/N, and the constant is N·m / 2^n.  So we have the same: a depthwise convolution all
    of whose weights are m.
    """

    def scaled(factor: float) -> Exact:
        if factor == 1:
            return mean
        each = Fraction(factor) / window.taps
        pos = each.denominator.bit_length() - 1
        if each.denominator != 1 << pos or abs(each.numerator) > INT8_MAX:
            raise Refusal(
                f"multiplies a mean of {window.taps} elements by {factor:.9g}: "
                f"{window.taps}·m/2^n with a whole m of at most {INT8_MAX} is accepted"
            )
        number: Array = np.array(each.numerator, np.int8)
        shape = (x.shape[3], window.h.kernel, window.w.kernel, 1)
        values: Array = np.full(shape, number)
        weight = Scaled("factor", number, pos)
        layout = ("mean", shape)
        product = Product(state, mean.node, x, weight, layout, values, window, x.shape[3])
        return product.exact(mean.view, -1)

    return scaled


def _mean(node: Node, x: Tensor, count: int, view: View, make: Maker) -> Exact:
    """A mean over `count` elements.  Raises Refusal if their sum may overflow."""
    bound = 128 * count
    if bound >= INT32_LIMIT:
        raise Refusal(
            f"the sum of {count} elements can reach {bound}: less than 2^31 is accepted"
        )

    def checked(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.UnaryOp:
        pos = position_of(type)
        if abs(pos - x.pos) > _FARTHEST:
            raise Refusal(
                f"the scale of its input is 2^{-x.pos} and that of its result 2^{-pos}: at "
                f"most {_FARTHEST} places apart are accepted",
                node,
            )
        op = make(type, epilogue)
        assert isinstance(op, qnn.UnaryOp)
        return op

    return Exact(node, view, checked, bound)


def _window(node: Node, x: Tensor, more: Pads) -> tuple[Window, bool]:
    """The window of a pool over an input with `more` zeros around it, and whether `ceil_mode`
    lets it hang over the padding."""
    _, h, w, _ = x.shape
    window = window_of(node, kernel_of(node), h, w, more)
    hangs_over = False
    if node.number("ceil_mode", 0):
        given, window = window, rounded_up(window, h, w)
        hangs_over = window.h.pad_hi > given.h.pad_hi or window.w.pad_hi > given.w.pad_hi
    if not any(more):
        check_reads_input(window, h, w)
    return window, hangs_over


def _view(x: Tensor, window: Window) -> View:
    """How a pool's value is read."""
    _, h, w, c = x.shape
    return View.natural((1, window.h.out_size(h), window.w.out_size(w), c))
