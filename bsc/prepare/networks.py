"""The built-in networks: real architectures with random weights of a realistic size.

ResNet-50 comes from the onnx package, which ships the graphs of well-known networks without
their weights; VGG16 and Inception V3 are put together here, by `layers.Layers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from bsc.errors import BscError
from bsc.prepare.graph import infer_shapes, keep_used_constants
from bsc.prepare.inception import inception_v3
from bsc.prepare.layers import OPSET, Array, batch_norm, normal, weights
from bsc.prepare.vgg import vgg16


def resnet50(rng: np.random.Generator, size: int) -> onnx.ModelProto:
    """ResNet-50: 1×3×224×224 to 1000 classes, 25.6 M parameters, 4.1 G MACs.

    In the first block of a stage the 3×3 convolution has the stride (version 1.5).
    """
    if size < 1:
        raise BscError(f"resnet50 takes images of 1 pixel or more, not {size}")
    model = _light("resnet50", rng)
    (image,) = model.graph.input
    for dim in image.type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    for node in model.graph.node:
        if node.op_type == "Sum":  # of two tensors
            node.op_type = "Add"
        elif node.op_type == "AveragePool":  # 7×7 over 7×7
            node.op_type = "GlobalAveragePool"
            del node.attribute[:]
        elif node.op_type == "Reshape":  # from 1×2048×1×1 to 1×2048
            node.op_type = "Flatten"
            del node.input[1:]
    keep_used_constants(model.graph)
    _name_layers(model.graph)
    infer_shapes(model)
    return model


@dataclass(frozen=True)
class Network:
    """A built-in network."""

    build: Callable[[np.random.Generator, int], onnx.ModelProto]
    """Makes a float model of batch 1, with weights and shapes, for square images of a size."""
    size: int
    """The height and width of the images that it is known for."""


NETWORKS = {
    "resnet50": Network(resnet50, 224),
    "vgg16": Network(vgg16, 224),
    "inception_v3": Network(inception_v3, 299),
}
"""The built-in networks by name."""


def _light(name: str, rng: np.random.Generator) -> onnx.ModelProto:
    """The graph of `name` in the onnx package, with weights.  Raises BscError if absent.

    These graphs make most weights with ConstantOfShape.  The opset is converted while
    they still do, which is fast.
    """
    path = Path(onnx.__file__).parent / "backend/test/data/light" / f"light_{name}.onnx"
    if not path.is_file():
        raise BscError(f"the installed onnx package has no {path.name}: reinstall onnx")
    light = onnx.ModelProto.FromString(path.read_bytes())
    graph = version_converter.convert_version(light, OPSET).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    layers = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    shapes = {name: list(tensor.dims) for name, tensor in constants.items()}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            extents = numpy_helper.to_array(constants[node.input[0]])
            shapes[node.output[0]] = [int(n) for n in extents]
    inputs = [value for value in graph.input if value.name not in constants]
    values = _values(layers, shapes, rng)
    used = {name for node in layers for name in node.input} - values.keys()
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    initializers += [numpy_helper.from_array(value, key) for key, value in values.items()]
    clean = onnx.helper.make_graph(layers, name, inputs, list(graph.output), initializers)
    return onnx.helper.make_model(
        clean, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8
    )


def _values(
    nodes: list[onnx.NodeProto], shapes: dict[str, list[int]], rng: np.random.Generator
) -> dict[str, Array]:
    """A random value for each weight in `shapes`, by the use that `nodes` make of it."""
    values: dict[str, Array] = {}
    for node in nodes:
        names = [name for name in node.input[1:] if name in shapes]
        if node.op_type == "BatchNormalization":
            values |= zip(names, batch_norm(shapes[names[0]][0], rng), strict=True)
        elif node.op_type in ("Conv", "Gemm"):
            values[names[0]] = weights(shapes[names[0]], rng)
            values |= {name: normal(shapes[name], 0.1, rng) for name in names[1:]}
    return values


def _name_layers(graph: onnx.GraphProto) -> None:
    """Names nodes and tensors after the weights: `res2_0_branch2a`, `res2_0_relu`, …

    The output of a normalization has the name of its convolution, which is what both
    become when folded.
    """
    layer = {graph.input[0].name: "data"}  # tensor, as the graph has it → layer
    new = {graph.input[0].name: "data"}
    for node in graph.node:
        name = layer[node.input[0]]
        if node.op_type in ("Conv", "Gemm"):
            name = node.input[1].removeprefix("gpu_0/").removesuffix("_w_0")
            node.name = name
        else:
            if node.op_type == "Add":
                name = re.sub(r"_branch\w+$", "", name)
            node.name = f"{name}_{_SUFFIXES[node.op_type]}"
        output = node.output[0]
        layer[output] = name
        new[output] = {"Conv": f"{name}_conv", "BatchNormalization": name}.get(
            node.op_type, node.name
        )
    _rename(graph, new)


_SUFFIXES = {
    "Add": "add",
    "BatchNormalization": "bn",
    "Flatten": "flatten",
    "GlobalAveragePool": "pool",
    "MaxPool": "pool",
    "Relu": "relu",
    "Softmax": "softmax",
}


def _rename(graph: onnx.GraphProto, new: dict[str, str]) -> None:
    """Renames the tensors of `graph`; weights lose the prefix that all of them have."""
    for item in (*graph.input, *graph.output, *graph.initializer):
        item.name = new.get(item.name, item.name.removeprefix("gpu_0/"))
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new.get(name, name.removeprefix("gpu_0/"))
