"""Folding: what a constant scales or shifts becomes part of a convolution or a Gemm.

A batch normalization is s·x + (bias - mean·s), with s = scale / √(variance + ε).  Behind
a convolution it goes into weight and bias; anywhere else it is a depthwise 1×1 convolution.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bsc.errors import BscError
from bsc.prepare.graph import drop, keep_used_constants, replace, unique

Array: TypeAlias = np.ndarray[Any, Any]


class _Editor:
    """A graph, its constants, and how often each tensor is used."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses.update(value.name for value in graph.output)
        self._new: list[str] = []

    def value(self, name: str) -> Array:
        """The constant called `name`, in float64."""
        return numpy_helper.to_array(self.tensors[name]).astype(np.float64)

    def add(self, name: str, value: Array) -> str:
        """Adds a float32 constant; returns the name that it got."""
        name = unique(name, self.tensors)
        with np.errstate(over="ignore"):  # the calibration finds what is infinite
            single = value.astype(np.float32)
        self.tensors[name] = numpy_helper.from_array(single, name)
        self._new.append(name)
        return name

    def change(self, node: onnx.NodeProto, index: int, value: Array) -> None:
        """Gives input `index` of `node` another value, for this node alone."""
        name = node.input[index]
        if self.uses[name] == 1:
            del self.tensors[name]
        self.uses[name] -= 1
        node.input[index] = self.add(name, value)
        self.uses[node.input[index]] += 1

    def finish(self, nodes: list[onnx.NodeProto]) -> None:
        """Makes `nodes` the nodes of the graph, with the constants that they use."""
        replace(self.graph.node, nodes)
        keep = self.tensors.keys() - self._new
        drop(self.graph.initializer, lambda tensor: tensor.name not in keep)
        self.graph.initializer.extend(
            self.tensors[name] for name in dict.fromkeys(self._new) if name in self.tensors
        )
        keep_used_constants(self.graph)


def fold(model: onnx.ModelProto) -> None:
    """Removes, in place, batch normalizations, and alpha and beta other than 1.

    Needs the value info of `model`, for the ranks: a normalization over a matrix stays.
    So does one with parameters that are computed, or behind a convolution whose are.
    """
    editor = _Editor(model.graph)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*model.graph.value_info, *model.graph.input)
    }
    convs = {node.output[0]: node for node in model.graph.node if node.op_type == "Conv"}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "Gemm":
            _plain_gemm(node, editor)
        if not _is_affine(node, editor):
            nodes.append(node)
            continue
        conv = convs.get(node.input[0])
        if conv is None or editor.uses[node.input[0]] > 1:
            nodes.append(_depthwise(node, ranks.get(node.input[0], 0), editor))
        elif _is_constant(conv, editor):
            _absorb(conv, node, editor)
            convs[node.output[0]] = conv
        else:
            nodes.append(node)
    editor.finish(nodes)


def _absorb(conv: onnx.NodeProto, node: onnx.NodeProto, editor: _Editor) -> None:
    """Makes the normalization `node` part of the convolution that feeds it."""
    slope, offset = _affine(node, editor)
    weight = editor.value(conv.input[1])
    editor.change(conv, 1, weight * slope.reshape(-1, *(1,) * (weight.ndim - 1)))
    if len(conv.input) == 3:
        editor.change(conv, 2, editor.value(conv.input[2]) * slope + offset)
    else:
        conv.input.append(editor.add(f"{conv.input[1]}_bias", offset))
    conv.output[0] = node.output[0]


def _is_constant(node: onnx.NodeProto, editor: _Editor) -> bool:
    """Whether all inputs of `node` but the first are constants."""
    return all(name in editor.tensors for name in node.input[1:])


def _is_affine(node: onnx.NodeProto, editor: _Editor) -> bool:
    """Whether `node` is a normalization with known statistics."""
    return (
        node.op_type == "BatchNormalization"
        and len(node.output) == 1
        and _is_constant(node, editor)
    )


def _affine(node: onnx.NodeProto, editor: _Editor) -> tuple[Array, Array]:
    """Slope and offset of each channel.  Raises BscError for a negative variance."""
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    scale, bias, mean, variance = (editor.value(name) for name in node.input[1:5])
    if variance.min() + epsilon <= 0:
        raise BscError(f"node '{node.name}' has a variance of {variance.min()}")
    slope = scale / np.sqrt(variance + epsilon)
    return slope, bias - mean * slope


def _depthwise(node: onnx.NodeProto, rank: int, editor: _Editor) -> onnx.NodeProto:
    """The normalization `node` as a depthwise 1×1 convolution, if there can be one."""
    if rank < 3:
        return node
    slope, offset = _affine(node, editor)
    weight = editor.add(f"{node.name}_weight", slope.reshape(-1, *(1,) * (rank - 1)))
    bias = editor.add(f"{node.name}_bias", offset)
    return helper.make_node(
        "Conv",
        [node.input[0], weight, bias],
        node.output,
        node.name,
        group=len(slope),
        kernel_shape=[1] * (rank - 2),
    )


def _plain_gemm(node: onnx.NodeProto, editor: _Editor) -> None:
    """Multiplies alpha into the weight and beta into the bias, if these are constants.

    onnxruntime's quantizer drops beta, and integer hardware has neither.
    """
    for attribute in node.attribute:
        index = {"alpha": 1, "beta": 2}.get(attribute.name, 0)
        if not index or attribute.f == 1 or len(node.input) <= index:
            continue
        if node.input[index] in editor.tensors:
            editor.change(node, index, editor.value(node.input[index]) * attribute.f)
            attribute.f = 1.0
