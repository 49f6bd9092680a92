"""Small edits of ONNX graphs that several steps need."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Iterable
from typing import Any

import onnx
from onnx import TensorProto, helper, shape_inference


def replace(field: Any, items: Iterable[Any]) -> None:
    """Makes `items` the content of a repeated protobuf field; they may come from it."""
    copies = [copy.deepcopy(item) for item in items]
    del field[:]
    field.extend(copies)


def drop(field: Any, unwanted: Callable[[Any], bool]) -> None:
    """Removes the unwanted items of a repeated protobuf field; those that stay are not moved.

    A message keeps the memory of what was ever put into it, so that weights are not copied
    without need.
    """
    for i in reversed(range(len(field))):
        if unwanted(field[i]):
            del field[i]


def unique(name: str, taken: Container[str]) -> str:
    """`name`, or the first of name_1, name_2, … that is not in `taken`."""
    count, candidate = 0, name
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def infer_shapes(model: onnx.ModelProto) -> None:
    """Replaces, in place, the value info of `model` by what inference finds.

    Only the shapes of weights go into it, as inference copies its model several times
    over.  Raises onnx.shape_inference.InferenceError for a model that is at odds with itself.
    """
    graph = model.graph
    skeleton = onnx.ModelProto(ir_version=model.ir_version)
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    skeleton.graph.name = graph.name
    skeleton.graph.node.extend(graph.node)
    skeleton.graph.input.extend(graph.input)
    skeleton.graph.output.extend(graph.output)
    for tensor in graph.initializer:
        # Short ones may be the factors of a Resize.
        if tensor.data_type == TensorProto.FLOAT and math.prod(tensor.dims) > 8:
            weight = helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims)
            skeleton.graph.input.append(weight)
        else:
            skeleton.graph.initializer.append(tensor)
    inferred = shape_inference.infer_shapes(skeleton, data_prop=True).graph
    replace(graph.value_info, inferred.value_info)
    replace(graph.output, inferred.output)


def keep_used_constants(graph: onnx.GraphProto) -> None:
    """Drops the initializers that are neither used nor a result."""
    used = {name for node in graph.node for name in node.input}
    used.update(value.name for value in graph.output)
    drop(graph.initializer, lambda tensor: tensor.name not in used)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Gives every node of `graph` a name of its own, keeping those that are."""
    taken: set[str] = set()
    for node in graph.node:
        node.name = unique(node.name or node.op_type, taken)
        taken.add(node.name)
