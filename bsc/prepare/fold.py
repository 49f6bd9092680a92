"""Folding: what a constant scales or shifts becomes part of a convolution or a Gemm.

A batch normalization is y = s·x + (bias - mean·s) with s = scale / √(variance + ε).  Behind
a convolution it goes into weight and bias; anywhere else it is a depthwise 1×1 convolution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bsc.prepare.graph import replace, unique

Array: TypeAlias = np.ndarray[Any, Any]


class _Editor:
    """A graph with its constants as arrays; those that no node uses are dropped at the end."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.changed: set[str] = set()
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses.update(value.name for value in graph.output)

    def add(self, name: str, value: Array) -> str:
        """A new float32 constant, and the name that it gets."""
        name = unique(name, self.constants)
        self.constants[name] = value.astype(np.float32)
        self.changed.add(name)
        return name

    def replace_input(self, node: onnx.NodeProto, index: int, value: Array) -> None:
        """Gives `node` a constant of its own, under the old name if it was its own already."""
        old = node.input[index]
        if self.uses[old] == 1:
            self.constants[old] = value.astype(np.float32)
            self.changed.add(old)
        else:
            node.input[index] = self.add(old, value)

    def finish(self, nodes: list[onnx.NodeProto]) -> None:
        replace(self.graph.node, nodes)
        used = {name for node in self.graph.node for name in node.input}
        used.update(value.name for value in self.graph.output)
        kept = [
            tensor
            for tensor in self.graph.initializer
            if tensor.name in used and tensor.name not in self.changed
        ]
        kept += [
            numpy_helper.from_array(self.constants[name], name)
            for name in self.constants
            if name in self.changed
        ]
        replace(self.graph.initializer, kept)


def fold_into_convolutions(model: onnx.ModelProto) -> None:
    """Removes, in place, each batch normalization that is all a convolution feeds."""
    graph = _Editor(model.graph)
    convs = {node.output[0]: node for node in model.graph.node if node.op_type == "Conv"}
    kept: list[onnx.NodeProto] = []
    for node in model.graph.node:
        conv = convs.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        names = [*node.input[1:], *(conv.input[1:] if conv else ())]
        if conv is None or graph.uses[node.input[0]] > 1 or ...:
            kept.append(node)
            continue
