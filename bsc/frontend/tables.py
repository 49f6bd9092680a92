"""HardSigmoid, HardSwish, LeakyRelu, PRelu, Sigmoid and Tanh: functions of one number.

Between a DequantizeLinear and a QuantizeLinear such a function has 256 values: it is a table.
`bsc.frontend.curves` computes them, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.frontend.curves import (
    Ambiguous,
    Curve,
    HardSigmoid,
    LeakyRelu,
    Sigmoid,
    Tanh,
    Times,
    TimesInput,
)
from bsc.frontend.graph import Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.values import Exact, Scaled, Tensor, Value


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
            raise Refusal(
                f"with an input at 2^{-self.x.pos} and a result at 2^{-pos}, the last bits of "
                f"float32 arithmetic decide how the result for {e.input} is rounded: another "
                "scale of either is accepted",
                self.node,
            ) from None
        return qnn.LookupOp(self.x.value, table, pos, type, epilogue)


def lookup_of(value: Value | None) -> Lookup | None:
    """The table that a value is, if it is one that has not been rounded yet."""
    make: object = value.make if isinstance(value, Exact) else None
    return make if isinstance(make, Lookup) else None


def _exact(state: State, node: Node, x: Tensor, curve: Curve) -> Exact:
    """`curve` of x, which may be multiplied by a constant."""
    state.reasons[node.index] = "qnn.lookup: a table of 256 numbers"
    exact = Exact(node, x.view, Lookup(node, x, curve))

    def scaled(factor: float) -> Exact:
        return replace(exact, make=Lookup(node, x, Times(curve, factor)))

    return replace(exact, scaled=scaled)


def _is_input(args: Args, index: int) -> bool:
    """Whether input `index` is a function of the other one."""
    value, x = argument(args, index), argument(args, 1 - index)
    lookup = lookup_of(value)
    if lookup is None or not isinstance(value, Exact) or not isinstance(x, Tensor):
        return False
    clipped = (value.lo, value.hi) != (-math.inf, math.inf)
    return x.real and x.value == lookup.x.value and x.view.same(value.view) and not clipped


def times_input(state: State, node: Node, args: Args) -> Exact | None:
    """The product of a function and what it is a function of, as HardSigmoid(x) · x is; None
    if the inputs of a Mul are not that."""
    for index in (0, 1):
        if (lookup := lookup_of(argument(args, index))) and _is_input(args, index):
            state.reasons[lookup.node.index] = f"a factor of the table of {node.subject}"
            return _exact(state, node, lookup.x, TimesInput(lookup.curve))
    return None


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise Refusal(f"{name} is {value}: a finite number is accepted")
    return value


@imports("HardSigmoid")
def hard_sigmoid(state: State, node: Node, args: Args) -> Value:
    """alpha·x + beta, between 0 and 1."""
    alpha = _finite(node.real("alpha", 0.2), "attribute alpha")
    beta = _finite(node.real("beta", 0.5), "attribute beta")
    return _exact(state, node, activation(state, node, args), HardSigmoid(alpha, beta))


@imports("HardSwish")
def hard_swish(state: State, node: Node, args: Args) -> Value:
    """x times HardSigmoid with alpha 1/6 and beta 1/2."""
    gate = HardSigmoid(1 / 6, 0.5)
    return _exact(state, node, activation(state, node, args), TimesInput(gate))


@imports("LeakyRelu")
def leaky_relu(state: State, node: Node, args: Args) -> Value:
    """Negative numbers times alpha."""
    alpha = _finite(node.real("alpha", 0.01), "attribute alpha")
    return _exact(state, node, activation(state, node, args), LeakyRelu(alpha))


@imports("PRelu")
def prelu(state: State, node: Node, args: Args) -> Value:
    """LeakyRelu, with the slope as an input."""
    slope = _finite(_slope(node, args), f"slope {quoted(node.inputs[1])}")
    return _exact(state, node, activation(state, node, args), LeakyRelu(slope))


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
    return _exact(state, node, activation(state, node, args), Sigmoid())


@imports("Tanh")
def tanh(state: State, node: Node, args: Args) -> Value:
    """The hyperbolic tangent."""
    return _exact(state, node, activation(state, node, args), Tanh())
