"""Pooling: the largest or the mean element under a window, channel by channel."""

from __future__ import annotations

from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.dialects.qnn_base import Shape
from bsc.frontend.graph import Dims, Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, constant, imports
from bsc.frontend.values import Exact, Maker, Tensor, Value
from bsc.frontend.windows import check_reads_input, kernel_of, rounded_up, window_of
from bsc.geometry import Window
from bsc.numerics import INT32_LIMIT

_FARTHEST = 31
"""How far apart the positions of a mean and its operand may be: int64 holds the sum."""


@imports("MaxPool")
def max_pool(state: State, node: Node, args: Args) -> Value:
    """The largest element; the indices of the largest are not to be had."""
    x = activation(node, args)
    if any(node.outputs[1:]):
        raise Refusal(f"makes indices {quoted(node.outputs[1])}: only the values are accepted")
    window, _ = _window(node, x)

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.MaxPoolOp:
        op = qnn.MaxPoolOp(x.value, type, window)
        op.epilogue = epilogue
        return op

    return Exact(node, *_shapes(x, window), make)


@imports("AveragePool")
def average_pool(state: State, node: Node, args: Args) -> Value:
    """The mean of the window, or of what of it lies inside the input."""
    x = activation(node, args)
    window, hangs_over = _window(node, x)
    count_pad = bool(node.number("count_include_pad", 0))
    if count_pad and hangs_over:
        raise Refusal(
            "has ceil_mode with count_include_pad, and windows that hang over the padding: "
            "how many elements those have is not agreed on"
        )

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.AvgPoolOp:
        op = qnn.AvgPoolOp(x.value, type, window, count_pad)
        op.epilogue = epilogue
        return op

    return _mean(node, x, window.taps, _shapes(x, window), make)


@imports("GlobalAveragePool")
def global_average_pool(state: State, node: Node, args: Args) -> Value:
    """The mean of each channel."""
    return _global_mean(node, activation(node, args), keep=True)


@imports("ReduceMean")
def reduce_mean(state: State, node: Node, args: Args) -> Value:
    """The mean over H and W: global pooling by another name."""
    x = activation(node, args)
    axes = node.numbers("axes")
    given = constant(node, args, 1, "axes")
    if given is not None:
        axes = tuple(int(n) for n in given.flat[:8])
    if sorted(n % 4 for n in axes or ()) != [2, 3] or len(x.dims) != 4:
        shown = "all" if axes is None else list(axes)
        raise Refusal(f"takes the mean over axes {shown} of {list(x.dims)}: H and W, [2, 3]")
    return _global_mean(node, x, keep=bool(node.number("keepdims", 1)))


def _global_mean(node: Node, x: Tensor, keep: bool) -> Exact:
    _, h, w, c = x.feature_map()

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.GlobalAvgPoolOp:
        return qnn.GlobalAvgPoolOp(x.value, type, epilogue)

    return _mean(node, x, h * w, ((1, 1, 1, c), (1, c, 1, 1) if keep else (1, c)), make)


def _mean(node: Node, x: Tensor, count: int, shapes: tuple[Shape, Dims], make: Maker) -> Exact:
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

    return Exact(node, *shapes, checked, bound)


def _window(node: Node, x: Tensor) -> tuple[Window, bool]:
    """The window of a pool, and whether `ceil_mode` lets it hang over the padding."""
    _, h, w, _ = x.feature_map()
    window = window_of(node, kernel_of(node), h, w)
    hangs_over = False
    if node.number("ceil_mode", 0):
        given, window = window, rounded_up(window, h, w)
        hangs_over = window.h.pad_hi > given.h.pad_hi or window.w.pad_hi > given.w.pad_hi
    check_reads_input(window, h, w)
    return window, hangs_over


def _shapes(x: Tensor, window: Window) -> tuple[Shape, Dims]:
    """The shape of a pool's value, and ONNX's."""
    _, h, w, c = x.shape
    rows, cols = window.h.out_size(h), window.w.out_size(w)
    return (1, rows, cols, c), (1, c, rows, cols)
