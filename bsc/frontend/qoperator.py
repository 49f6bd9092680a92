"""The other form of quantized models, QOperator: operators that round by themselves.

A QLinearConv is a DequantizeLinear of each input, a Conv and a QuantizeLinear in one node, and
is imported as these three, under its own name.  The int32 bias has no scale of its own: it has
that of the products.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bsc.frontend.graph import Constant, Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import IMPORTERS, Args, State, argument, imports
from bsc.frontend.values import Scaled, Tensor, Value

_OWN = "com.microsoft."


class Form(NamedTuple):
    """Where an operator has what: the plain operator that it is, the first of the three inputs
    (tensor, scale, zero point) of each operand, the scale of the result, and the bias."""

    plain: str
    operands: tuple[int, ...]
    result: int
    bias: int | None = None


FORMS = {
    "QLinearConv": Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": Form("MatMul", (0, 3), 6),
    _OWN + "QGemm": Form("Gemm", (0, 3), 7, 6),
    _OWN + "QLinearAdd": Form("Add", (0, 3), 6),
    _OWN + "QLinearAveragePool": Form("AveragePool", (0,), 3),
    _OWN + "QLinearConcat": Form("Concat", (), 0),
    _OWN + "QLinearGlobalAveragePool": Form("GlobalAveragePool", (0,), 3),
    _OWN + "QLinearMul": Form("Mul", (0, 3), 6),
}


def plain(op_type: str) -> str:
    """The operator without its quantization."""
    return FORMS[op_type].plain if op_type in FORMS else op_type


@imports(*FORMS)
def fused(state: State, node: Node, args: Args) -> Value:
    """Dequantized, computed and rounded."""
    form = FORMS[node.op_type]
    if node.number("channels_last", 0):
        raise Refusal("attribute channels_last is 1: 0 is accepted")
    # QLinearConcat has any number of operands, behind the scale of its result.
    firsts = form.operands or tuple(range(2, len(args) - 2, 3))
    operands = [_dequantized(state, node, args, first) for first in firsts]
    names = [node.inputs[first] for first in firsts]
    if form.bias is not None and argument(args, form.bias) is not None:
        operands.append(_bias(node, args, form.bias, operands))
        names.append(node.inputs[form.bias])
    computed = IMPORTERS[form.plain](state, _part(node, form.plain, names), operands)
    assert not isinstance(computed, tuple)
    if argument(args, form.result) is None:
        # QGemm may hand on its sum as it is.
        return computed
    rounding = range(form.result, form.result + 2)
    quantizer = [node.outputs[0], *(node.inputs[i] for i in rounding if i < len(node.inputs))]
    part = _part(node, "QuantizeLinear", quantizer)
    rounded = IMPORTERS["QuantizeLinear"](
        state, part, [computed, *(argument(args, i) for i in rounding)]
    )
    assert not isinstance(rounded, tuple)
    state.reasons.pop(node.index, None)
    return rounded


def _part(node: Node, op_type: str, inputs: list[str]) -> Node:
    """A node that is part of what `node` does."""
    return replace(
        node, op_type=op_type, inputs=tuple(inputs), shown=node.shown or node.op_type
    )


def _dequantized(state: State, node: Node, args: Args, first: int) -> Value:
    """The operand whose tensor, scale and zero point begin at input `first`."""
    three = range(first, min(first + 3, len(args)))
    part = _part(node, "DequantizeLinear", [node.inputs[i] for i in three])
    value = IMPORTERS["DequantizeLinear"](state, part, [args[i] for i in three])
    assert not isinstance(value, tuple)
    return value


def _bias(node: Node, args: Args, index: int, operands: list[Value]) -> Value:
    """The bias, at the position of the products."""
    value, name = args[index], quoted(node.inputs[index])
    if not isinstance(value, Constant) or value.array is None or value.type != "int32":
        raise Refusal(f"bias {name} is no int32 constant: one is accepted")
    pos = sum(operand.pos for operand in operands if isinstance(operand, Tensor | Scaled))
    return Scaled(value.name, value.array, pos)
