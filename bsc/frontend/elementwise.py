"""Relu, Clip, Add, Sub, Mul and Concat: element by element, each output from its own inputs.

Rounding is monotone, so a relu or a clip before a rounding only narrows the bounds within
which the rounding saturates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.frontend.arithmetic import Itself
from bsc.frontend.broadcast import paired
from bsc.frontend.graph import Constant, Node
from bsc.frontend.host import hosted, why_not
from bsc.frontend.linear import scaled_channels
from bsc.frontend.moves import Moves, straight
from bsc.frontend.offsets import offset
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.tables import arithmetic, combined, number_of
from bsc.frontend.values import Exact, Function, Scaled, Tensor, Value
from bsc.frontend.views import View
from bsc.numerics import INT32_LIMIT


def requantized(node: Node, x: Tensor) -> Exact:
    """The numbers of `x` as they are, to be rounded to another position."""

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.RequantizeOp:
        return qnn.RequantizeOp(x.value, type, epilogue)

    return Exact(node, x.view, make, whole=x.pos, function=Function(x, Itself()))


def _operand(state: State, node: Node, args: Args) -> Exact:
    """Input 0 of a relu or clip, which may follow another operator directly."""
    value = argument(args, 0)
    if isinstance(value, Exact):
        return value
    return requantized(node, activation(state, node, args))


@imports("Relu")
def relu(state: State, node: Node, args: Args) -> Value:
    """max(x, 0)."""
    return _operand(state, node, args).clipped(0.0, math.inf)


@imports("Clip")
def clip(state: State, node: Node, args: Args) -> Value:
    """x between two constants."""
    value = argument(args, 0)
    if isinstance(value, Constant):
        return _clipped(state, node, args, value)
    operand = _operand(state, node, args)
    lo, hi = _limit(node, args, 1, "min"), _limit(node, args, 2, "max")
    lo = -math.inf if lo is None else lo
    hi = math.inf if hi is None else hi
    if not lo <= hi:
        raise Refusal(f"clips to [{lo:g}, {hi:g}]: min must not be above max")
    return operand.clipped(lo, hi)


@imports("Max", "Min")
def extreme(state: State, node: Node, args: Args) -> Value:
    """The larger or the smaller of x and a constant: a clip at one end."""
    for index, other in ((0, 1), (1, 0)) if len(args) == 2 else ():
        number, value = number_of(argument(args, other)), argument(args, index)
        if number is not None and isinstance(value, Tensor | Exact):
            lo, hi = (number, math.inf) if node.op_type == "Max" else (-math.inf, number)
            return _operand(state, node, [value]).clipped(lo, hi)
    return hosted(state, node, args, why_not(node.op_type))


def _clipped(state: State, node: Node, args: Args, value: Constant) -> Constant:
    """A constant between two constants of its type, as Brevitas has weights."""
    if value.array is None or value.type not in ("int8", "uint8"):
        raise Refusal(f"reads constant {quoted(value.name)} of {value.type}: int8 is accepted")
    array, limits = value.array, [constant(node, args, i, "limit") for i in (1, 2)]
    for limit, clip_to in zip(limits, (np.maximum, np.minimum), strict=True):
        if limit is not None:
            if limit.size != 1 or limit.dtype != array.dtype:
                raise Refusal(f"has a limit that is not one {array.dtype} number")
            array = clip_to(array, limit.reshape(()))
    state.reasons[node.index] = "a constant: clipped by the compiler"
    return replace(value, array=array)


def _limit(node: Node, args: Args, index: int, key: str) -> float | None:
    """A limit of a clip: an attribute up to opset 10, an input later."""
    if key in node.attributes:
        return node.real(key, 0.0)
    value = argument(args, index)
    if isinstance(value, Scaled) and value.array.size == 1:
        return math.ldexp(int(value.array.flat[0]), -value.pos)
    array = constant(node, args, index, key)
    if array is None:
        return None
    if array.size != 1 or array.dtype != np.float32:
        raise Refusal(f"{key} {quoted(node.inputs[index])} must be one float32 number")
    return float(array.flat[0])


def _step(node: Node, args: Args, exact: Exact) -> Exact:
    """A sum or product, which may be a step of a table as well."""
    return replace(exact, function=arithmetic(node, args))


def _all_of_it(state: State, node: Node, args: Args, index: int) -> Tensor:
    """Input `index`, which is to meet a constant; a part of a feature map is moved."""
    x = activation(state, node, args, index)
    part = len(x.dims) == 4 and math.prod(x.dims) != math.prod(x.shape)
    return straight(state, x) if part else x


@imports("Add")
def add(state: State, node: Node, args: Args) -> Value:
    """Two activations, or one and a constant for each channel."""
    if (table := combined(state, node, args)) is not None:
        return table
    for i, other in ((0, argument(args, 1)), (1, argument(args, 0))):
        one = argument(args, i)
        if isinstance(one, Exact) and one.biased and isinstance(other, Scaled):
            return one.biased(other)
        if isinstance(other, Scaled):
            x = _all_of_it(state, node, args, i)
            return _step(node, args, scaled_channels(state, node, x, 1, other))
        if isinstance(other, Constant):
            x = _all_of_it(state, node, args, i)
            return _step(node, args, offset(state, node, x, 1, other, 1))
    a, b = _equals(state, node, args)
    bound = 128 * (1 + (1 << abs(a.pos - b.pos)))
    if bound >= INT32_LIMIT:
        raise Refusal(
            f"the scales of its inputs are 2^{-a.pos} and 2^{-b.pos}: at most 23 places "
            "apart are accepted, so that int32 holds the sum"
        )

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.AddOp:
        return qnn.AddOp(a.value, b.value, type, epilogue)

    return _step(node, args, Exact(node, a.view, make, bound))


@imports("Sub")
def sub(state: State, node: Node, args: Args) -> Value:
    """An activation less a number for each channel, or the other way round."""
    if (table := combined(state, node, args)) is not None:
        return table
    for i, (other, sign) in enumerate(((argument(args, 1), 1), (argument(args, 0), -1))):
        if isinstance(other, Scaled):
            x = _all_of_it(state, node, args, i)
            negative = replace(other, array=-sign * other.array.astype(np.int64))
            return _step(node, args, scaled_channels(state, node, x, sign, negative))
        if isinstance(other, Constant):
            x = _all_of_it(state, node, args, i)
            return _step(node, args, offset(state, node, x, sign, other, -sign))
    raise Refusal("subtracts one activation from another: only a constant is accepted")


@imports("Mul")
def mul(state: State, node: Node, args: Args) -> Value:
    """Two activations, or one and a constant for each channel."""
    if (table := combined(state, node, args)) is not None:
        return table
    for i, other in ((0, argument(args, 1)), (1, argument(args, 0))):
        if isinstance(other, Scaled):
            x = _all_of_it(state, node, args, i)
            return _step(node, args, scaled_channels(state, node, x, other, None))
        if isinstance(other, Constant):
            return _times(state, node, argument(args, i), other, node.inputs[1 - i])
    a, b = _equals(state, node, args)

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.MulOp:
        return qnn.MulOp(a.value, b.value, type, epilogue)

    return _step(node, args, Exact(node, a.view, make, 128 * 128))


def _times(state: State, node: Node, value: Value | None, factor: Constant, name: str) -> Exact:
    """A mean times a float32 constant."""
    if not isinstance(value, Exact) or value.scaled is None:
        raise Refusal(
            f"reads constant {quoted(name)} of {factor.type}: an int8 one with a "
            "DequantizeLinear is accepted, and a float32 one behind a mean that has the same "
            "number of elements everywhere"
        )
    if factor.array is None or factor.array.size != 1 or factor.array.dtype != np.float32:
        raise Refusal(f"multiplies by {quoted(name)}: one float32 number is accepted")
    number = float(factor.array.reshape(-1)[0])
    if not math.isfinite(number):
        raise Refusal(f"multiplies by {quoted(name)}, which is {number}")
    state.reasons[node.index] = "the factor of the mean before it"
    return value.scaled(number)


def _equals(state: State, node: Node, args: Args) -> tuple[Tensor, Tensor]:
    """Both inputs, as the array pairs their elements."""
    return paired(state, activation(state, node, args), activation(state, node, args, 1))


@imports("Concat")
def concat(state: State, node: Node, args: Args) -> Value:
    """The inputs side by side along the channels."""
    parts = [activation(state, node, args, i) for i in range(len(args))]
    rank = len(parts[0].dims)
    axis = node.number("axis", 1)
    if not -rank <= axis < rank:
        raise Refusal(f"attribute axis is {axis}, its inputs have {rank} dimensions")
    axis %= rank
    rest = {(*p.dims[:axis], *p.dims[axis + 1 :]) for p in parts}
    if len(rest) > 1:
        shapes = " and ".join(str(list(p.dims)) for p in parts)
        raise Refusal(f"has inputs of shapes {shapes}: they must agree in all but axis {axis}")
    view = _joined([p.view for p in parts], axis)
    if view is None:
        parts = [straight(state, part) for part in parts]
        view = _joined([p.view for p in parts], axis)
    if view is None:
        raise Moves(f"attribute axis is {axis}: 1, the channels, is accepted")
    values = [part.value for part in parts]

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.ConcatOp:
        op = qnn.ConcatOp(values, type)
        op.epilogue = epilogue
        return op

    positions = {part.pos for part in parts}
    return Exact(node, view, make, whole=parts[0].pos if len(positions) == 1 else None)


def _joined(views: Sequence[View], axis: int) -> View | None:
    """The view of values side by side along their channels, if `axis` is those in all of them
    and the other axes are alike."""
    ordered = [v.channels(axis) for v in views]
    if any(c is None or not np.array_equal(c, np.arange(len(c))) for c in ordered):
        return None
    pixels = [
        [steps // v.shape[3] for i, steps in enumerate(v.offsets) if i != axis] for v in views
    ]
    alike = all(np.array_equal(a, b) for p in pixels for a, b in zip(p, pixels[0], strict=True))
    if not alike or len({v.shape[:3] for v in views}) > 1:
        return None
    count = sum(v.shape[3] for v in views)
    offsets = [steps * count for steps in pixels[0]]
    offsets.insert(axis, np.arange(count))
    return View((*views[0].shape[:3], count), tuple(offsets))
