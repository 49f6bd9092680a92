"""Relu, Clip, Add, Mul and Concat: element by element, each output from its own inputs.

Rounding is monotone, so a relu or a clip before a rounding only narrows the bounds within
which the rounding saturates.
"""

from __future__ import annotations

import math

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.frontend.graph import Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.values import Exact, Scaled, Tensor, Value
from bsc.numerics import INT32_LIMIT


def requantized(node: Node, x: Tensor) -> Exact:
    """The numbers of `x` as they are, to be rounded to another position."""

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.RequantizeOp:
        return qnn.RequantizeOp(x.value, type, epilogue)

    return Exact(node, x.shape, x.dims, make)


def _operand(node: Node, args: Args) -> Exact:
    """Input 0 of a relu or clip, which may follow another operator directly."""
    value = argument(args, 0)
    return value if isinstance(value, Exact) else requantized(node, activation(node, args))


@imports("Relu")
def relu(state: State, node: Node, args: Args) -> Value:
    """max(x, 0)."""
    return _operand(node, args).clipped(0.0, math.inf)


@imports("Clip")
def clip(state: State, node: Node, args: Args) -> Value:
    """x between two constants."""
    operand = _operand(node, args)
    lo, hi = _limit(node, args, 1, "min"), _limit(node, args, 2, "max")
    lo = -math.inf if lo is None else lo
    hi = math.inf if hi is None else hi
    if not lo <= hi:
        raise Refusal(f"clips to [{lo:g}, {hi:g}]: min must not be above max")
    return operand.clipped(lo, hi)


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


@imports("Add")
def add(state: State, node: Node, args: Args) -> Value:
    """Two activations of one shape, or products and their bias."""
    operands = [argument(args, 0), argument(args, 1)]
    for one, other in (operands, operands[::-1]):
        if isinstance(one, Exact) and one.biased and isinstance(other, Scaled):
            return one.biased(other)
    a, b = _equals(node, args)
    bound = 128 * (1 + (1 << abs(a.pos - b.pos)))
    if bound >= INT32_LIMIT:
        raise Refusal(
            f"the scales of its inputs are 2^{-a.pos} and 2^{-b.pos}: at most 23 places "
            "apart are accepted, so that int32 holds the sum"
        )

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.AddOp:
        return qnn.AddOp(a.value, b.value, type, epilogue)

    return Exact(node, a.shape, a.dims, make, bound)


@imports("Mul")
def mul(state: State, node: Node, args: Args) -> Value:
    """Two activations of one shape."""
    a, b = _equals(node, args)

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.MulOp:
        return qnn.MulOp(a.value, b.value, type, epilogue)

    return Exact(node, a.shape, a.dims, make, 128 * 128)


def _equals(node: Node, args: Args) -> tuple[Tensor, Tensor]:
    """Both inputs.  Raises Refusal unless they have one shape, and lie alike."""
    a, b = activation(node, args), activation(node, args, 1)
    if a.dims != b.dims:
        raise Refusal(
            f"has inputs of shapes {list(a.dims)} and {list(b.dims)}: equal shapes are "
            "accepted, nothing is broadcast"
        )
    if a.shape != b.shape:
        raise Refusal(
            f"has inputs {quoted(a.name)} and {quoted(b.name)} whose data lie as "
            f"{list(a.shape)} and {list(b.shape)}: one of them would have to be moved"
        )
    return a, b


@imports("Concat")
def concat(state: State, node: Node, args: Args) -> Value:
    """The inputs side by side along the channels."""
    parts = [activation(node, args, i) for i in range(len(args))]
    rank = len(parts[0].dims)
    axis = node.number("axis", 1)
    if not -rank <= axis < rank:
        raise Refusal(f"attribute axis is {axis}, its inputs have {rank} dimensions")
    axis %= rank
    rest = {(*p.dims[:axis], *p.dims[axis + 1 :]) for p in parts}
    if len(rest) > 1:
        shapes = " and ".join(str(list(p.dims)) for p in parts)
        raise Refusal(f"has inputs of shapes {shapes}: they must agree in all but axis {axis}")
    for part in parts:
        # A row of channels is one whatever its rank; a map has them on axis 1.
        if part.shape[1:3] != (1, 1) or part.dims[axis] != part.shape[3]:
            part.feature_map()
            if axis != 1:
                raise Refusal(f"attribute axis is {axis}: 1, the channels, is accepted")
    dims = (*parts[0].dims[:axis], sum(p.dims[axis] for p in parts), *parts[0].dims[axis + 1 :])
    shape = (*parts[0].shape[:3], sum(p.shape[3] for p in parts))
    values = [part.value for part in parts]

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.ConcatOp:
        op = qnn.ConcatOp(values, type)
        op.epilogue = epilogue
        return op

    return Exact(node, shape, dims, make)
