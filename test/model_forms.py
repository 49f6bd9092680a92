"""The same networks as other producers write them: uint8, QOperator, channels last."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper

_FUSED = {
    "Add": "QLinearAdd",
    "GlobalAveragePool": "QLinearGlobalAveragePool",
    "Concat": "QLinearConcat",
    "Conv": "QLinearConv",
    "Gemm": "QGemm",
    "MatMul": "QLinearMatMul",
    "Mul": "QLinearMul",
}
_OWN = "com.microsoft"


def as_uint8(model: onnx.ModelProto) -> onnx.ModelProto:
    """All activations uint8 with zero point 128, weights as they are."""
    result = _copy(model)
    middle = numpy_helper.from_array(np.array(128, np.uint8), "middle")
    result.graph.initializer.append(middle)
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in result.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            if node.input[0] not in constants:
                node.input[2] = "middle"
    return result


def as_qoperator(model: onnx.ModelProto) -> onnx.ModelProto:
    """Each operator whose inputs are all dequantized, and whose result is rounded at once, as
    one node.  Biases with a scale of their own keep theirs, and so their operator."""
    result = _copy(model)
    graph = result.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for rounding in list(graph.node):
        node = makers.get(rounding.input[0]) if rounding.input else None
        if rounding.op_type != "QuantizeLinear" or node is None or node.op_type not in _FUSED:
            continue
        operands = [makers.get(name) for name in node.input]
        if readers[node.output[0]] > 1 or any(
            maker is None or maker.op_type != "DequantizeLinear" for maker in operands
        ):
            continue
        triples = [list(maker.input) for maker in operands if maker is not None]
        if node.op_type in ("Conv", "Gemm") and len(triples) > 2:
            bias, scale, _ = triples[2]
            products = constants[triples[0][1]] * constants[triples[1][1]]
            if constants[bias].dtype != np.int32 or constants[scale] != products:
                continue
        _fuse(node, rounding, triples)
        graph.node.remove(rounding)
    result.opset_import.append(helper.make_opsetid(_OWN, 1))
    return result


def _fuse(node: onnx.NodeProto, rounding: onnx.NodeProto, triples: list[list[str]]) -> None:
    """Make `node` do what the quantizers around it do."""
    scale = list(rounding.input[1:])
    bias = [triples.pop()[0]] if node.op_type in ("Conv", "Gemm") and len(triples) > 2 else []
    listed = [name for triple in triples for name in triple]
    inputs = [*listed, *scale, *bias]
    if node.op_type == "Concat":
        inputs = [*scale, *listed]
    if node.op_type == "Gemm":
        inputs = [*listed, *(bias or [""]), *scale]
    node.op_type = _FUSED[node.op_type]
    node.domain = "" if node.op_type in ("QLinearConv", "QLinearMatMul") else _OWN
    del node.input[:]
    node.input.extend(inputs)
    node.output[0] = rounding.output[0]


_MAPS = ("AveragePool", "Conv", "GlobalAveragePool", "MaxPool")


def as_channels_last(model: onnx.ModelProto) -> onnx.ModelProto:
    """The inputs as N, H, W, C, and transposes around all that wants N, C, H, W, as exporters
    of Keras write them.  A flattened tensor has its elements in that order, too."""
    result = _copy(model)
    graph = result.graph
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        n, c, h, w = (dim.dim_value for dim in dims)
        for dim, size in zip(dims, (n, h, w, c), strict=True):
            dim.dim_value = size
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Concat":
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("axis", 3))
        if node.op_type not in _MAPS:
            graph.node.append(node)
            continue
        first, last = f"{node.output[0]}_first", f"{node.output[0]}_last"
        name = node.output[0]
        graph.node.append(_transpose(node.input[0], first, (0, 3, 1, 2)))
        node.input[0], node.output[0] = first, last
        graph.node.extend([node, _transpose(last, name, (0, 2, 3, 1))])
    return result


def _transpose(source: str, name: str, order: tuple[int, ...]) -> onnx.NodeProto:
    return helper.make_node("Transpose", [source], [name], f"{name}_transpose", perm=order)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied
