"""HardSigmoid, HardSwish, LeakyRelu, PRelu, Sigmoid, Tanh: functions of one number.

Between a DequantizeLinear and a QuantizeLinear such a function has 256 values: it is a table.
So is what several operators make of one tensor and constants, as x * clip(x + 3, 0, 6) / 6.
`bsc.frontend.curves` and `bsc.frontend.arithmetic` compute them, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.frontend.arithmetic import (
    SINGLE,
    Arithmetic,
    Clipped,
    Composed,
    Itself,
    Number,
    Single,
)
from bsc.frontend.curves import (
    Ambiguous,
    Curve,
    HardSigmoid,
    LeakyRelu,
    Sigmoid,
    Tanh,
    Undefined,
)
from bsc.frontend.graph import Constant, Node
from bsc.frontend.host import hosted, why_not
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.values import Exact, Function, Scaled, Tensor, Value
from bsc.frontend.views import View


class Uncertain(Refusal):
    """A function has no result that every library would agree on."""


@dataclass(frozen=True)
class Lookup:
    """Makes the operation that has `curve` of `x` as a table, for `node`."""

    node: Node
    x: Tensor
    curve: Curve

    def __call__(self, type: TensorType, epilogue: EpilogueAttr | None) -> qnn.LookupOp:
        pos = position_of(type)
        try:
            table = self.curve.table(self.x.pos, pos)
        except Ambiguous as e:
            raise Uncertain(
                f"with an input at 2^{-self.x.pos} and a result at 2^{-pos}, the last bits of "
                f"float32 arithmetic decide how the result for {e.input} is rounded: another "
                "scale of either is accepted",
                self.node,
            ) from None
        except Undefined:
            raise Uncertain("has no finite result for some numbers", self.node) from None
        return qnn.LookupOp(self.x.value, table, pos, type, epilogue)


def _exact(state: State, node: Node, x: Tensor, view: View, curve: Curve) -> Exact:
    """`curve` of x."""
    state.reasons[node.index] = "qnn.lookup: a table of 256 numbers"
    return Exact(node, view, Lookup(node, x, curve), function=Function(x, curve))


def _unary(state: State, node: Node, args: Args, curve: Curve) -> Exact:
    """`curve` of input 0, which may be a function of something itself."""
    value = argument(args, 0)
    inner = function_of(value) if isinstance(value, Exact) else None
    if inner is not None and inner.curve.certain:
        _is_a_step(state, value, node)
        return _exact(state, node, inner.x, _view_of(value), Composed(curve, inner.curve))
    x = activation(state, node, args)
    return _exact(state, node, x, x.view, curve)


def function_of(value: Value | None) -> Function | None:
    """What the elements of a value are, as a function of one number each."""
    if isinstance(value, Tensor) and value.real:
        return Function(value, Itself())
    if not isinstance(value, Exact) or value.function is None:
        return None
    if (value.lo, value.hi) == (-math.inf, math.inf):
        return value.function
    return value.function._replace(curve=Clipped(value.function.curve, value.lo, value.hi))


def number_of(value: Value | None) -> float | None:
    """The number that a constant is, if it is a finite one and nothing else."""
    if isinstance(value, Scaled) and value.array.size == 1:
        return math.ldexp(int(value.array.reshape(-1)[0]), -value.pos)
    array = value.array if isinstance(value, Constant) else None
    if array is None or array.size != 1 or array.dtype != np.float32:
        return None
    number = float(array.reshape(-1)[0])
    return number if math.isfinite(number) else None


def arithmetic(node: Node, args: Args) -> Function | None:
    """What Add, Sub, Mul or Div makes of two functions of the same number, or of one and a
    constant; None if its inputs are not that."""
    curves: list[Curve] = []
    found: list[Function] = []
    views: list[View] = []
    for value in args[:2]:
        if (number := number_of(value)) is not None:
            curves.append(Number(number))
        elif (function := function_of(value)) is not None:
            curves.append(function.curve)
            found.append(function)
            views.append(_view_of(value))
        else:
            return None
    rank = max((len(v.dims) for v in args[:2] if isinstance(v, Constant | Scaled)), default=0)
    if len(curves) != 2 or not found or rank > len(views[0].dims):
        return None
    if any(f.x.value != found[0].x.value for f in found) or not views[0].same(views[-1]):
        return None
    return Function(found[0].x, Arithmetic(node.op_type, *curves))


def combined(state: State, node: Node, args: Args) -> Exact | None:
    """The table that Add, Sub, Mul or Div makes, where it is no operation by itself; None if
    its inputs are not that.

    x * HardSigmoid(x) is one, and each step of x * clip(x + 3, 0, 6) / 6 but for the sum.
    """
    steps = [value for value in args[:2] if isinstance(value, Exact)]
    # A sum with a number is an operation by itself, and so is a product with an int8 one.
    alone = node.op_type == "Div" or (
        node.op_type == "Mul" and any(isinstance(value, Constant) for value in args[:2])
    )
    function = arithmetic(node, args) if steps or alone else None
    if function is None:
        return None
    for value in steps:
        _is_a_step(state, value, node)
    view = next(_view_of(v) for v in args if isinstance(v, Exact | Tensor))
    return _exact(state, node, function.x, view, function.curve)


def _is_a_step(state: State, value: Value | None, node: Node) -> None:
    """Note that an operator is part of the table of another one."""
    assert isinstance(value, Exact)
    state.reasons[value.node.index] = f"a step of the table of {node.subject}"


def _view_of(value: Value | None) -> View:
    assert isinstance(value, Tensor | Exact)
    return value.view


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise Refusal(f"{name} is {value}: a finite number is accepted")
    return value


@imports("HardSigmoid")
def hard_sigmoid(state: State, node: Node, args: Args) -> Value:
    """alpha·x + beta, between 0 and 1."""
    alpha = _finite(node.real("alpha", 0.2), "attribute alpha")
    beta = _finite(node.real("beta", 0.5), "attribute beta")
    return _unary(state, node, args, HardSigmoid(alpha, beta))


@imports("HardSwish")
def hard_swish(state: State, node: Node, args: Args) -> Value:
    """x times HardSigmoid with alpha 1/6 and beta 1/2."""
    gate = HardSigmoid(1 / 6, 0.5)
    return _unary(state, node, args, Arithmetic("Mul", gate, Itself()))


@imports("LeakyRelu")
def leaky_relu(state: State, node: Node, args: Args) -> Value:
    """Negative numbers times alpha."""
    alpha = _finite(node.real("alpha", 0.01), "attribute alpha")
    return _unary(state, node, args, LeakyRelu(alpha))


@imports("PRelu")
def prelu(state: State, node: Node, args: Args) -> Value:
    """LeakyRelu, with the slope as an input."""
    slope = _finite(_slope(node, args), f"slope {quoted(node.inputs[1])}")
    return _unary(state, node, args, LeakyRelu(slope))


def _slope(node: Node, args: Args) -> float:
    """The slope of a PRelu, if it has but one."""
    value = argument(args, 1)
    if isinstance(value, Scaled):
        array, pos = value.array, value.pos
    else:
        array, pos = constant(node, args, 1, "slope"), 0
        if array is None or array.dtype != np.float32:
            raise Refusal("slope is neither float32 nor a dequantized int8 constant")
    found = {float(number) for number in array.reshape(-1).tolist()}
    if len(found) != 1:
        raise Refusal(f"has {len(found)} different slopes: one is accepted")
    return math.ldexp(found.pop(), -pos)


@imports("Sigmoid")
def sigmoid(state: State, node: Node, args: Args) -> Value:
    """1 / (1 + exp(-x))."""
    return _unary(state, node, args, Sigmoid())


@imports("Tanh")
def tanh(state: State, node: Node, args: Args) -> Value:
    """The hyperbolic tangent."""
    return _unary(state, node, args, Tanh())


@imports("Div")
def div(state: State, node: Node, args: Args) -> Value:
    """A function of one number over another one, or over a constant."""
    table = combined(state, node, args)
    return hosted(state, node, args, why_not(node.op_type)) if table is None else table


@imports(*SINGLE)
def single(state: State, node: Node, args: Args) -> Value:
    """A step that IEEE arithmetic has a single result for."""
    value = argument(args, 0)
    function = function_of(value)
    if function is None or not function.curve.certain:
        return hosted(state, node, args, why_not(node.op_type))
    if isinstance(value, Exact):
        _is_a_step(state, value, node)
    curve = Single(node.op_type, function.curve)
    return _exact(state, node, function.x, _view_of(value), curve)
