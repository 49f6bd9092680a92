"""QuantizeLinear and DequantizeLinear: where exact values are rounded, and where the host
and the array meet.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, tensor
from bsc.frontend.builder import ZERO_POINTS, nhwc
from bsc.frontend.elementwise import requantized
from bsc.frontend.graph import Constant, Node
from bsc.frontend.host import hosted
from bsc.frontend.moves import padded
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, argument, imports
from bsc.frontend.scales import LARGEST_POSITION
from bsc.frontend.tables import Uncertain
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Hosted, Input, Missing, Scaled, Tensor, Unknown, Value
from bsc.frontend.views import NHWC, View


@imports("DequantizeLinear")
def dequantize(state: State, node: Node, args: Args) -> Value:
    """Integers as real numbers: nothing but a change of view."""
    value = argument(args, 0)
    if isinstance(value, Hosted):
        return _of_host(state, node, args, value)
    is_bias = isinstance(value, Constant) and value.type == "int32"
    pos = state.scales.position(node, args, LARGEST_POSITION * (2 if is_bias else 1))
    match value:
        case Constant(array=np.ndarray()):
            zero = state.scales.constant_zero(node, args, value.type)
            state.reasons[node.index] = "a constant: folded into the operation that reads it"
            assert value.array is not None
            return Scaled(value.name, _without(zero, value.array), pos)
        case Constant() | Input():
            state.scales.check_dequantize(node, args, value.type)
            if isinstance(value, Input) and value.type in ("int8", "uint8"):
                state.reasons[node.index] = f"its scale is the position of {quoted(value.name)}"
                tensor = _argument(state, value, node.inputs[0], pos, value.type)
                return replace(tensor, real=True)
            raise Refusal(f"reads {quoted(value.name)} of {value.type}: int8 is accepted")
        case Tensor(real=False):
            state.scales.check_dequantize(node, args, value.type)
            if value.pos != pos:
                raise Refusal(
                    f"scale {quoted(node.inputs[1])} is 2^{-pos}, but tensor "
                    f"{quoted(value.name)} was quantized with 2^{-value.pos}: the same is "
                    "accepted"
                )
            state.reasons[node.index] = f"its scale is the position of {quoted(value.name)}"
            return replace(value, real=True)
        case Unknown():
            raise Missing(value)
        case _:
            raise Refusal(f"reads {quoted(node.inputs[0])}, which is not an int8 tensor")


@imports("QuantizeLinear")
def quantize(state: State, node: Node, args: Args) -> Value:
    """The rounding of what stands before it."""
    if isinstance(value := argument(args, 0), Hosted):
        return _of_host(state, node, args, value)
    try:
        return _rounding(state, node, args, value)
    except Uncertain as e:
        # At the end of the graph the host has its own library.
        return replace(hosted(state, node, args), back=e)


def _rounding(state: State, node: Node, args: Args, value: Value | None) -> Value:
    pos = state.scales.position(node, args, LARGEST_POSITION)
    if isinstance(value, Constant) and value.array is not None:
        return _constant(state, node, args, value, pos)
    type = state.scales.quantized_type(node, args)
    name, source = node.outputs[0], node.inputs[0]
    match value:
        case Unknown():
            state.rounding.add(node.index)
            return _stand_in(state, node, pos, type, value)
        case Input(type="float32"):
            return _of_input(state, node, value, pos, type)
        case Exact():
            result = state.builder.rounded(value, name, pos, source, type)
            state.reasons[node.index] = f"the rounding of {value.node.subject}"
            state.tensors[value.node.index] = name
            state.exacts[value.node.index] = value
            if value.bound:
                state.bounds[value.node.index] = value.bound
        case Tensor(real=True) if value.pos == pos:

            def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.ReshapeOp:
                return qnn.ReshapeOp(value.value, type)

            result = state.builder.add(make, None, value.view, name, pos, source, type)
            state.reasons[node.index] = f"another name of {quoted(value.name)}: no data moves"
        case Tensor(real=True):
            result = state.builder.rounded(requantized(node, value), name, pos, source, type)
            state.reasons[node.index] = f"rounds {quoted(value.name)} to another position"
        case _:
            raise Refusal(_not_quantizable(node, value))
    state.rounding.add(node.index)
    state.tensors[node.index] = name
    state.quantized[name] = result.view
    return result


def _argument(state: State, source: Input, name: str, pos: int, type: str) -> Tensor:
    """The graph input `source` as an argument of the function, quantized and called `name`."""
    key = ("input", source.name, name, pos, type, source.view.key)
    if key not in state.made:
        state.made[key] = state.builder.argument(source, name, pos, type)
        state.quantized[name] = state.made[key].view
    return state.made[key]


def _of_input(state: State, node: Node, source: Input, pos: int, type: str) -> Tensor:
    """A graph input, quantized by the host; zeros around it are put there by the array."""
    name = node.outputs[0]
    if not source.pads:
        state.entering.add(node.index)
        return _argument(state, source, name, pos, type)
    x = state.builder.argument(source, name, pos, type)
    order = x.view.order()
    amounts = dict(zip(order or (), source.pads, strict=False))
    if order is None or any(amounts[0]) or any(amounts[3]):
        raise Refusal(
            f"reads graph input {quoted(source.name)}, padded by {list(source.pads)}: zeros "
            "around rows and columns are accepted"
        )
    (top, bottom), (left, right) = amounts[1], amounts[2]
    make, shape = padded(state, x, (top, left, bottom, right))
    view = View.natural(shape, order)
    state.reasons[node.index] = "done by the host, before the zeros are put around"
    state.rounding.add(node.index)
    state.tensors[node.index] = name
    state.quantized[name] = view
    return state.builder.add(make, None, view, name, pos, name, type)


def _without(zero: int, values: Array) -> Array:
    """Integers less their zero point: int8 if they can be."""
    if not zero and values.dtype != np.uint8:
        return values
    if values.dtype == np.uint8 and zero == ZERO_POINTS["uint8"]:
        # The highest bit changes: no wider copy of what may be hundreds of megabytes.
        return (values ^ np.uint8(zero)).view(np.int8)
    wide = values.astype(np.int16) - zero
    narrow = wide.astype(np.int8)
    return narrow if np.array_equal(narrow, wide) else wide


def _constant(state: State, node: Node, args: Args, value: Constant, pos: int) -> Constant:
    """A float32 constant as int8 or uint8, as onnxruntime rounds it."""
    zero = argument(args, 2)
    type = zero.type if isinstance(zero, Constant) else state.scales.quantized_type(node, args)
    if type not in ("int8", "uint8"):
        type = state.scales.quantized_type(node, args)
    middle = state.scales.constant_zero(node, args, type)
    state.reasons[node.index] = "a constant: quantized by the compiler"
    values, limits = value.array, np.iinfo(type)
    assert values is not None
    if values.dtype != np.float32:
        raise Refusal(
            f"reads constant {quoted(value.name)} of {values.dtype}: float32 is accepted"
        )
    if not np.isfinite(values).all():
        raise Refusal(f"reads constant {quoted(value.name)} with values that are not finite")
    scaled = np.rint(np.ldexp(values.astype(np.float64), pos)) + middle
    return Constant(node.outputs[0], type, scaled.clip(limits.min, limits.max).astype(type))


def _of_host(state: State, node: Node, args: Args, value: Hosted) -> Hosted:
    """What the host has computed, quantized or dequantized: by the host too, unless an
    operator of the array reads it."""
    back = value.back
    if node.op_type == "DequantizeLinear" and isinstance(back, Tensor):
        back = replace(back, real=True)
    elif not isinstance(back, Refusal | Unknown):
        type = "int8"
        try:
            pos = state.scales.position(node, args, LARGEST_POSITION)
            if node.op_type == "QuantizeLinear":
                type = state.scales.quantized_type(node, args)
            last = value.channels_last
            back = _shaped(state, node, pos, type, last) or Unknown(value.node.subject)
        except Refusal as e:
            back = Refusal(str(e), e.node or node)
    return replace(hosted(state, node, args), back=back)


def _stand_in(state: State, node: Node, pos: int, type: str, value: Unknown) -> Value:
    """A tensor in place of one that cannot be had, so that what comes after the rounding is
    looked at all the same."""
    state.undecided[node.index] = value.cause
    found = _shaped(state, node, pos, type, value.channels_last)
    if found is None:
        raise Missing(value)
    return found


def _shaped(
    state: State, node: Node, pos: int, type: str, channels_last: bool
) -> Tensor | None:
    """A tensor of the shape that ONNX infers for the result of `node`, if it does."""
    dims = state.inferred().get(node.inputs[0])
    if dims is None:
        return None
    try:
        shape = nhwc(dims)
    except Refusal:
        return None
    view = View.natural(shape).reshaped(dims)
    if channels_last and len(dims) == 4:
        shape = (1, *dims[1:])
        view = View.natural(shape, NHWC)
    assert view is not None
    value = Block(arg_types=[tensor(shape, pos)]).args[0]
    real = node.op_type == "DequantizeLinear"
    return Tensor(node.outputs[0], value, view, real, type)


def _not_quantizable(node: Node, value: Value | None) -> str:
    name = quoted(node.inputs[0])
    match value:
        case Input():
            return f"reads graph input {name} of {value.type}: float32 is accepted"
        case Constant():
            return f"reads constant {name} of {value.type}: float32 is accepted"
        case _:
            return f"reads {name}, which is quantized or a constant already"
