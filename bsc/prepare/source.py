"""What `prepare` reads: a float ONNX model, made plain.

Whoever exported it, the model that comes out has batch 1 and fixed shapes, opset 13 or
newer, its constants as initializers, unique node names, and Add in place of Sum, which is
what the later steps count on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper, shape_inference, version_converter
from onnx.external_data_helper import load_external_data_for_model

from bsc.errors import BscError
from bsc.prepare.graph import infer_shapes, name_nodes, replace
from bsc.prepare.layers import OPSET
from bsc.prepare.networks import NETWORKS
from bsc.suggest import did_you_mean

_OLDEST_OPSET = 13

_checker = cast("Any", onnx.checker)  # partly typed

_FAULTS = (
    onnx.checker.ValidationError,
    shape_inference.InferenceError,
    version_converter.ConvertError,
    RuntimeError,
    UnicodeDecodeError,
    ValueError,
)
"""What the onnx package raises on a model that is well-formed protobuf and no more."""


def read(source: str | Path | onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the float model in a file or in memory, made plain.

    Raises BscError if there is no such file, or if it is not a float ONNX model that
    takes one image at a time.
    """
    if isinstance(source, onnx.ModelProto):
        where = f"model '{source.graph.name}'"
        model = onnx.ModelProto()
        model.CopyFrom(source)
    else:
        where = str(source)
        model = _load(Path(source))
    _check_content(model, where)
    try:
        _checker.check_model(model)
        _check_values(model.graph, where)
        _fix_inputs(model.graph, where)
        model.ir_version = max(model.ir_version, 8)
        if _opset(model) < _OLDEST_OPSET:
            model = version_converter.convert_version(model, OPSET)
        _plain_nodes(model.graph)
        infer_shapes(model)
    except _FAULTS as e:
        raise BscError(f"{where}: not a valid ONNX model: {_line(e)}") from None
    return model


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
        load_external_data_for_model(model, str(path.parent))
    except FileNotFoundError as e:
        missing = e.filename or str(path)
        if missing == str(path) and path.name == str(path) and not path.suffix:
            names, hint = ", ".join(NETWORKS), did_you_mean(str(path), NETWORKS)
            raise BscError(
                f"unknown network '{path}': give one of {names}, or a float ONNX file{hint}"
            ) from None
        raise BscError(f"{missing}: no such file") from None
    except OSError as e:
        raise BscError(f"{path}: cannot read the file: {e.strerror or e}") from None
    except (DecodeError, UnicodeDecodeError):
        raise BscError(f"{path}: not an ONNX file") from None
    except (onnx.checker.ValidationError, ValueError) as e:
        raise BscError(f"{path}: cannot read its external data: {_line(e)}") from None
    return model


def _check_content(model: onnx.ModelProto, where: str) -> None:
    """Refuses a model without operators, without its data, or quantized already."""
    if not model.graph.node:
        raise BscError(f"{where}: not an ONNX model: it has no operators")
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise BscError(f"{where}: the data of tensor '{tensor.name}' is not loaded")
    if not all(isinstance(name, str) for name in _names(model.graph)):
        raise BscError(f"{where}: not an ONNX file: it has names that are not text")
    for node in model.graph.node:
        if _INTEGER_OPERATOR.search(node.op_type):
            raise BscError(
                f"{where}: quantized already (node '{node.name}' is {node.op_type}): "
                "give the float model"
            )


def _check_values(graph: onnx.GraphProto, where: str) -> None:
    """Refuses constants without the data that their shape asks for, infinite or NaN."""
    for tensor in graph.initializer:
        if tensor.data_type not in TensorProto.DataType.values():
            raise BscError(f"{where}: tensor '{tensor.name}' has type {tensor.data_type}")
        value = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT and not np.isfinite(value).all():
            raise BscError(f"{where}: tensor '{tensor.name}' has values that are not finite")


def _names(graph: onnx.GraphProto) -> Iterator[object]:
    """All names in `graph`.  Protobuf gives those that are not UTF-8 as bytes."""
    for item in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield item.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


_INTEGER_OPERATOR = re.compile("[Qq]uant|QLinear|QGemm|Integer")


def _fix_inputs(graph: onnx.GraphProto, where: str) -> None:
    """Sets an open batch to 1 and takes the constants out of the inputs."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    replace(graph.input, inputs)
    for value in graph.input:
        what = f"{where}: input '{value.name}'"
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            raise BscError(f"{what} is not a float32 tensor")
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].dim_value:
            dims[0].dim_value = 1
        shape = [dim.dim_value or dim.dim_param or "?" for dim in dims]
        text = "×".join(map(str, shape))
        if not dims or not all(isinstance(extent, int) and extent > 0 for extent in shape):
            raise BscError(f"{what} has shape {text or 'unknown'}: fix all but the batch")
        if len(dims) == 4 and shape[0] != 1:
            raise BscError(f"{what} has shape {text}: only batch 1 is supported")
    # Where the batch was open the shapes after the inputs are open too.
    for value in (*graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            dim.ClearField("dim_param")


def _opset(model: onnx.ModelProto) -> int:
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    return versions[0] if versions else OPSET


def _plain_nodes(graph: onnx.GraphProto) -> None:
    """Makes constants initializers, Sum a chain of Add, and names unique."""
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            graph.initializer.append(value)
            graph.initializer[-1].name = node.output[0]
        elif node.op_type == "Sum" and len(node.input) > 1:
            nodes += _additions(node)
        else:
            nodes.append(node)
    replace(graph.node, nodes)
    name_nodes(graph)


def _additions(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A Sum as additions, two tensors at a time."""
    last = len(node.input) - 1
    partial = [f"{node.output[0]}_sum{i}" for i in range(last)]
    results = [*partial[1:], node.output[0]]
    left = [node.input[0], *results]
    return [
        helper.make_node("Add", [left[i], node.input[i + 1]], [results[i]], node.name)
        for i in range(last)
    ]
