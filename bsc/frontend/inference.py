"""Shapes as ONNX's own inference finds them, for what the import itself does not know.

Inference neither needs the numbers of weights nor can it read sparse tensors: large constants
and sparse ones have become inputs of the copy of the model that it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import onnx
from onnx import helper, numpy_helper

from bsc.frontend.graph import Dims, Graph
from bsc.frontend.problems import text

_LARGEST_COPIED = 1024
"""Bytes of an initializer that may be a shape; larger ones are weights."""


def inference(
    model: onnx.ModelProto, graph: Graph, opset: int, known: Mapping[str, Dims]
) -> Callable[[], Mapping[str, Dims]]:
    """The shapes that ONNX's own inference finds, found when they are first asked for, and
    those that are known already."""

    @cache
    def shapes() -> Mapping[str, Dims]:
        try:
            inferred = onnx.shape_inference.infer_shapes(_without_weights(model, graph, opset))
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
            # It has no shapes for a broken model; the problem itself is found elsewhere.
            return known
        found = dict(known)
        for value in (*inferred.graph.value_info, *inferred.graph.output):
            dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            if min(dims, default=0) > 0:
                found[text(value.name)] = dims
        return found

    return shapes


def _without_weights(model: onnx.ModelProto, graph: Graph, opset: int) -> onnx.ModelProto:
    """The model as shape inference needs it: in order and of versions that it knows; large
    initializers have become inputs, and the batch is 1."""
    copied = onnx.ModelProto(ir_version=int(onnx.IR_VERSION))
    # Inference gives up on operators of domains that are not imported.
    for domain in {"", *(node.domain for node in model.graph.node)}:
        version = opset if domain in ("", "ai.onnx") else 1
        copied.opset_import.add(domain=domain, version=version)
    copied.graph.name = "shapes"
    sparse = set(_sparse_names(model.graph))
    copied.graph.node.extend(
        model.graph.node[node.index] for node in graph.nodes if sparse.isdisjoint(node.outputs)
    )
    copied.graph.output.extend(model.graph.output)
    copied.graph.value_info.extend(model.graph.value_info)
    given = {declared.name: declared for declared in graph.inputs}
    copied.graph.input.extend(v for v in model.graph.input if text(v.name) in given)
    for value in copied.graph.input:
        dims = value.type.tensor_type.shape.dim
        for i, known in enumerate((given[text(value.name)].dims or ())[: len(dims)]):
            if isinstance(known, int) or i == 0:
                dims[i].dim_value = known if isinstance(known, int) else 1
    for tensor in model.graph.initializer:
        constant = graph.constants.get(text(tensor.name))
        array = None if constant is None else constant.array
        if array is not None and array.nbytes <= _LARGEST_COPIED:
            copied.graph.initializer.append(tensor)
        else:
            copied.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    for name in sparse:
        constant = graph.constants.get(name)
        array = None if constant is None else constant.array
        if array is not None and array.nbytes <= _LARGEST_COPIED:
            copied.graph.initializer.append(numpy_helper.from_array(array, name))
        elif array is not None:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            copied.graph.input.append(helper.make_tensor_value_info(name, kind, array.shape))
    return copied


def _sparse_names(graph: onnx.GraphProto) -> Iterator[str]:
    """The tensors that the file has as sparse ones: initializers, and results of Constants."""
    for sparse in graph.sparse_initializer:
        yield text(sparse.values.name)
    for node in graph.node:
        if any(a.HasField("sparse_tensor") for a in node.attribute):
            yield from map(text, node.output)
