"""What is computed from constants alone: the chains with which exporters compute shapes.

onnxruntime computes them, node by node, so that there is no second opinion of what an
operator does.  Only small ones: a few numbers in a file may ask for any amount of memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import onnx
from onnx import helper

from bsc.errors import BscError
from bsc.frontend.graph import Constant, Node
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import Args, State, imports
from bsc.frontend.tensors import Array, type_name
from bsc.frontend.values import Exact, Input, Scaled, Tensor, Value
from bsc.sessions import failures_in_a_line, open_session

_FOLDED = frozenset(
    """
    Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Flatten Floor Gather Greater
    Identity Less Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin ReduceProd ReduceSum
    Reshape ScatterND Shape Size Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze Where
    """.split()
)

_LARGEST = 2**16
"""Elements of a result."""


def is_folded(node: Node, args: Args) -> bool:
    """Whether a node reads nothing but constants, and what it makes of them is small."""
    if node.op_type not in _FOLDED or not any(args):
        return False
    given = [arg for arg in args if arg is not None]
    if not all(isinstance(arg, Constant) and arg.array is not None for arg in given):
        return False
    return (
        _size(node, [cast("Array", cast("Constant", arg).array) for arg in given]) <= _LARGEST
    )


def _size(node: Node, arrays: Sequence[Array]) -> int:
    """At most how many elements a node makes of its inputs."""
    sizes = [max(1, array.size) for array in arrays]
    if node.op_type == "Concat":
        return sum(sizes)
    if node.op_type in ("ConstantOfShape", "Expand", "Tile"):
        # The last input is a shape, or how often each axis is repeated.
        factors = [max(1, abs(int(n))) for n in arrays[-1].reshape(-1)[:_LARGEST]]
        return math.prod(factors) * math.prod(sizes[:-1])
    if node.op_type == "Range":
        start, limit, step = (float(array.reshape(-1)[0]) for array in arrays)
        return math.ceil(abs(limit - start) / abs(step)) if step else 0
    return math.prod(sizes)


def folded(node: Node, args: Args, opset: int) -> tuple[Value, ...]:
    """What onnxruntime makes of constants.  Raises Refusal if that is nothing."""
    given = {
        name: arg.array
        for name, arg in zip(node.inputs, args, strict=True)
        if isinstance(arg, Constant) and arg.array is not None
    }
    names = [name for name in node.outputs if name]
    attributes: dict[str, Any] = {k: v for k, v in node.attributes.items() if v is not None}
    proto = helper.make_node(node.op_type, node.inputs, node.outputs, **attributes)
    graph = helper.make_graph(
        [proto],
        "constants",
        [_info(name, array) for name, array in given.items()],
        [onnx.ValueInfoProto(name=name) for name in names],
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)]
    )
    try:
        with failures_in_a_line(ValueError):
            found: list[Array] = open_session(model).run(names, given)
    except BscError as e:
        raise Refusal(f"cannot be computed from its constants: {e}") from None
    results = dict(zip(names, found, strict=True))
    return tuple(_constant(name, results.get(name)) for name in node.outputs)


def _info(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def _constant(name: str, array: Array | None) -> Constant:
    if not isinstance(cast("Any", array), np.ndarray) or array is None:
        return Constant(name, "undefined", None)
    return Constant(name, type_name(helper.np_dtype_to_tensor_dtype(array.dtype)), array)


@imports("Shape")
def shape(state: State, node: Node, args: Args) -> Value:
    """The dimensions of what is known: a constant."""
    (value,) = args[:1]
    if not isinstance(value, Tensor | Exact | Input | Scaled):
        raise Refusal(f"reads {node.inputs[0]!r}, whose shape is not known before the run")
    rank = len(value.dims)
    limits = (node.number("start", 0), node.number("end", rank))
    start, end = (min(max(n + rank if n < 0 else n, 0), rank) for n in limits)
    dims = value.dims[start:end]
    state.reasons[node.index] = "a constant: the shape is known to the compiler"
    return Constant(node.outputs[0], "int64", np.array(dims, np.int64))
