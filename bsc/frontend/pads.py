"""Pad: zeros around a feature map.

A convolution or a mean that follows pads by itself, so that nothing is done here.  Where
something else follows, as a QuantizeLinear of its own, a depthwise convolution with weights
of 1 makes the larger feature map.
"""

from __future__ import annotations

from dataclasses import replace

from bsc.frontend.builder import check_size
from bsc.frontend.graph import Dims, Node
from bsc.frontend.moves import feature_map, padded
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.values import Exact, Input, Scaled, Tensor, Value
from bsc.frontend.views import NCHW, View
from bsc.frontend.windows import NO_PADS, Pads

_LARGEST = 2**16


@imports("Pad")
def pad(state: State, node: Node, args: Args) -> Value:
    """Zeros before and after the rows and columns."""
    mode = node.word("mode", "constant")
    if mode != "constant":
        raise Refusal(f"attribute mode is {mode!r}: constant is accepted")
    _check_zero(node, args)
    if isinstance(source := argument(args, 0), Input) and source.type == "float32":
        return _around_input(state, node, args, source)
    x = activation(state, node, args)
    order = x.view.order()
    if order is None:
        x, order = feature_map(state, x), NCHW
    before, after = _amounts(node, args, len(order))
    amounts = {axis: (before[i], after[i]) for i, axis in enumerate(order)}
    if any(amounts[0]) or any(amounts[3]):
        raise Refusal(
            f"pads by {list(before)} and {list(after)}: only rows and columns may be padded"
        )
    (top, bottom), (left, right) = amounts[1], amounts[2]
    pads = (top, left, bottom, right)
    make, shape = padded(state, x, pads)
    natural = replace(x, view=View.natural(x.shape))
    view = View.natural(shape, order)
    return Exact(node, view, make, whole=x.pos, padded=(natural, pads))


def _around_input(state: State, node: Node, args: Args, source: Input) -> Input:
    """A graph input with zeros around it: the host quantizes it first."""
    before, after = _amounts(node, args, len(source.dims))
    if not any((*before, *after)):
        return source
    old = source.pads or ((0, 0),) * len(source.dims)
    pads = tuple((a + lo, b + hi) for (a, b), lo, hi in zip(old, before, after, strict=True))
    padded = replace(source, pads=pads)
    check_size(padded.dims)
    state.reasons[node.index] = "zeros around the graph input, once the host has quantized it"
    return padded


def padded_input(state: State, node: Node, args: Args, index: int = 0) -> tuple[Tensor, Pads]:
    """Input `index` as an activation, and the zeros around it that a Pad has asked for."""
    value = argument(args, index)
    if isinstance(value, Exact) and value.padded is not None:
        if value.view.same(View.natural(value.shape)):
            return value.padded
    return activation(state, node, args, index), NO_PADS


def _check_zero(node: Node, args: Args) -> None:
    """Raises Refusal unless it is zeros that are put around."""
    value = argument(args, 2)
    if isinstance(value, Scaled):
        number = float(value.array.reshape(-1)[0]) if value.array.size else 0.0
    else:
        array = constant(node, args, 2, "constant_value")
        number = float(array.reshape(-1)[0]) if array is not None and array.size else 0.0
    number = node.real("value", number)
    if number != 0:
        raise Refusal(f"pads with {number:g}: 0 is accepted")


def _amounts(node: Node, args: Args, rank: int) -> tuple[Dims, Dims]:
    """How much is put before and after each axis."""
    listed = node.numbers("pads")
    array = constant(node, args, 1, "pads")
    if array is not None:
        if array.ndim != 1 or array.dtype.kind != "i" or array.size > 2 * rank:
            raise Refusal(f"pads {quoted(node.inputs[1])} must be {2 * rank} whole numbers")
        listed = tuple(int(n) for n in array)
    chosen = constant(node, args, 3, "axes")
    axes = range(rank) if chosen is None else [int(n) for n in chosen.reshape(-1)[:rank]]
    if listed is None or len(listed) != 2 * len(axes):
        raise Refusal(f"has {len(listed or ())} pads: {2 * len(axes)} are needed")
    if not 0 <= min(listed, default=0) <= max(listed, default=0) <= _LARGEST:
        raise Refusal(f"pads by {list(listed)}: 0 to {_LARGEST} are accepted")
    if any(not -rank <= axis < rank for axis in axes):
        raise Refusal(f"names axes {list(axes)} of {rank} dimensions")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = listed[i], listed[len(axes) + i]
    return tuple(before), tuple(after)
