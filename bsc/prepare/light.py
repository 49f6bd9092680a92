"""Networks that the onnx package ships as graphs, without their weights.

`onnx/backend/test/data/light` has well-known networks as they were converted from Caffe and
Caffe2: opset 9, every weight made by ConstantOfShape, the scale layers of Caffe as Mul and Add
of constants, Dropout, and the extents of 224×224 images in their Reshapes.  Here they become
as one would write them today, for images of any size, and get names and weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference, version_converter

from bsc.errors import BscError
from bsc.prepare.graph import infer_shapes, keep_used_constants, replace, unique
from bsc.prepare.layers import OPSET, Array, batch_norm, normal, weights

_FILE_SIZE = 224
"""The height and width of the images that the graphs in the package are for."""

_LAST_WINDOW = [7, 7]
"""What is left of such an image in the end: a mean over this window is one over the image."""

_Shapes = dict[str, list[int]]


def light(
    name: str, file: str | None = None
) -> Callable[[np.random.Generator, int], onnx.ModelProto]:
    """What builds the network `name`, for images of a size, from light_`file`.onnx."""

    def build(rng: np.random.Generator, size: int) -> onnx.ModelProto:
        graph, shapes = _read(file or name)
        _simplify(graph, shapes, size)
        _resize(graph, shapes, size)
        model = _weighted(graph, name, shapes, rng)
        _name_layers(model.graph)
        infer_shapes(model)
        return model

    return build


def _read(file: str) -> tuple[onnx.GraphProto, _Shapes]:
    """A graph of the package, and the shapes of its constants.  Raises BscError if absent.

    The opset is converted while ConstantOfShape still makes the weights, which is fast.
    """
    path = Path(onnx.__file__).parent / "backend/test/data/light" / f"light_{file}.onnx"
    if not path.is_file():
        raise BscError(f"the installed onnx package has no {path.name}: reinstall onnx")
    model = onnx.ModelProto.FromString(path.read_bytes())
    graph = version_converter.convert_version(model, OPSET).graph
    for node in graph.node:
        if node.op_type == "Constant":  # from the conversion
            graph.initializer.append(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    shapes = {name: list(tensor.dims) for name, tensor in constants.items()}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            extents = numpy_helper.to_array(constants[node.input[0]])
            shapes[node.output[0]] = [int(n) for n in extents]
    layers = [n for n in graph.node if n.op_type not in ("Constant", "ConstantOfShape")]
    replace(graph.node, layers)
    replace(graph.input, [value for value in graph.input if value.name not in constants])
    return graph, shapes


# Nodes ---------------------------------------------------------------------------------


def _simplify(graph: onnx.GraphProto, shapes: _Shapes, size: int) -> None:
    """Makes the nodes of `graph` plain, in place, for images of `size`.

    Three kinds fall away: Dropout, weights that get another shape, and scale layers, which
    stand behind normalizations that have a scale and a bias themselves.  A network without
    normalizations gets them, as `vgg.py` says why.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    normalized = any(node.op_type == "BatchNormalization" for node in graph.node)
    new: dict[str, str] = {}  # tensor → the one that stands for it
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = new.get(name, name)
        scale = node.op_type in ("Add", "Mul") and node.input[1] in shapes
        if node.op_type == "Dropout" or scale:
            new[node.output[0]] = node.input[0]
        elif node.input[0] in shapes:
            weight = new[node.output[0]] = node.input[0]
            shapes[weight] = [extent for extent in shapes[weight] if extent != 1]
        elif node.op_type == "Conv" and not normalized:
            nodes += _normalize(node, shapes)
        else:
            _plain(node, constants, size)
            nodes.append(node)
    replace(graph.node, nodes)


def _normalize(conv: onnx.NodeProto, shapes: _Shapes) -> list[onnx.NodeProto]:
    """The convolution with a normalization in place of its bias."""
    weight, output = conv.input[1], conv.output[0]
    names = [f"{weight}_bn_{part}" for part in ("s", "b", "rm", "riv")]
    shapes |= {name: shapes[weight][:1] for name in names}
    del conv.input[2:]
    conv.output[0] = f"{output}_conv"
    inputs = [conv.output[0], *names]
    return [conv, helper.make_node("BatchNormalization", inputs, [output], epsilon=1e-3)]


def _plain(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], size: int) -> None:
    """Writes `node`, in place, so that it is right for images of `size`."""
    attributes = {a.name: list(a.ints) for a in node.attribute}
    window, strides = attributes.get("kernel_shape"), attributes.get("strides")
    if node.op_type == "Sum":  # of two tensors
        node.op_type = "Add"
    elif node.op_type == "AveragePool" and window == _LAST_WINDOW:
        node.op_type = "GlobalAveragePool"
        del node.attribute[:]
    elif node.op_type == "MaxPool" and (window, strides) == ([3, 3], [2, 2]):
        # Caffe rounds the extents of a pool up; of some pools the conversion lost that.
        pads = next(a for a in node.attribute if a.name == "pads")
        if not any(pads.ints):
            pads.ints[:] = [0, 0, 1, 1]
    elif node.op_type == "Reshape" and node.input[1] in constants:
        shape = constants[node.input[1]]
        extents = numpy_helper.to_array(shape)
        if len(extents) == 2:  # 1×C×H×W to 1×CHW
            node.op_type = "Flatten"
            del node.input[1:]
        else:
            shape.CopyFrom(numpy_helper.from_array(_scaled(extents, size), shape.name))


def _scaled(extents: Array, size: int) -> Array:
    """The shape of a Reshape, from N to H and W, for images of another size and any batch.

    All strides are 2, and round up.  An extent of 0 is that of the input.
    """
    channels, image = extents[1:-2], extents[-2:]
    if (image > 1).all():
        image = -(-image * size // _FILE_SIZE)
    return np.concatenate([np.zeros_like(extents[:1]), channels, image])


def _resize(graph: onnx.GraphProto, shapes: _Shapes, size: int) -> None:
    """Sets the size of the images, and with it the features of a Gemm behind a Flatten."""
    (image,) = graph.input
    for dim in image.type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    known = {tensor.name for tensor in graph.initializer}
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
        if name not in known
    ]
    trial = helper.make_graph(graph.node, "", [image, *values], [], graph.initializer)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(trial, opset_imports=[opset])
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    dims = {value.name: value.type.tensor_type.shape.dim for value in inferred}
    features = {node.output[0] for node in graph.node if node.op_type == "Flatten"}
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[0] in features:  # with transB = 1
            shapes[node.input[1]][1] = dims[node.input[0]][1].dim_value


# Weights -------------------------------------------------------------------------------


def _weighted(
    graph: onnx.GraphProto, name: str, shapes: _Shapes, rng: np.random.Generator
) -> onnx.ModelProto:
    """The model of `graph`, its weights random."""
    values = _values(graph, shapes, rng)
    del graph.value_info[:]
    constants = [tensor for tensor in graph.initializer if tensor.name not in values]
    constants += [numpy_helper.from_array(value, key) for key, value in values.items()]
    clean = helper.make_graph(graph.node, name, graph.input, graph.output, constants)
    keep_used_constants(clean)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(clean, opset_imports=[opset], ir_version=8)


def _values(
    graph: onnx.GraphProto, shapes: _Shapes, rng: np.random.Generator
) -> dict[str, Array]:
    """A random value for each weight in `shapes`, by the use that the nodes make of it."""
    values: dict[str, Array] = {}
    for node in graph.node:
        names = [name for name in node.input[1:] if name in shapes]
        if node.op_type == "BatchNormalization":
            values |= zip(names, batch_norm(shapes[names[0]][0], rng), strict=True)
        elif node.op_type in ("Conv", "Gemm"):
            values[names[0]] = weights(shapes[names[0]], rng)
            values |= {name: normal(shapes[name], 0.1, rng) for name in names[1:]}
    return values


# Names ---------------------------------------------------------------------------------

_WEIGHTED = ("BatchNormalization", "Conv", "Gemm")

_SUFFIXES = {
    "AveragePool": "pool",
    "GlobalAveragePool": "pool",
    "LRN": "norm",
    "MaxPool": "pool",
}
"""What nodes are called, if not as their operator."""


def _name_layers(graph: onnx.GraphProto) -> None:
    """Names nodes and tensors after the weights: `res2_0_branch2a`, `res2_0_relu`, …

    The output of a normalization has the name of its convolution, which is what both
    become when folded; that of a normalization elsewhere the name of its scale.
    """
    image = graph.input[0].name
    layers = {image: "data"}  # tensor, as the graph has it → layer
    new = {image: "data"}
    convolved: set[str] = set()
    taken: set[str] = set()
    for node in graph.node:
        name = layer = _layer(node, layers, convolved)
        if node.op_type == "BatchNormalization" and node.input[0] in convolved:
            name = f"{layer}_bn"
        elif node.op_type not in _WEIGHTED:
            name = unique(f"{layer}_{_SUFFIXES.get(node.op_type, node.op_type.lower())}", taken)
        node.name = name
        taken.add(name)
        layers[node.output[0]] = layer
        new[node.output[0]] = name
        if node.op_type == "Conv":
            convolved.add(node.output[0])
        elif name == f"{layer}_bn":
            new[node.input[0]], new[node.output[0]] = f"{layer}_conv", layer
    _rename(graph, new)


def _layer(node: onnx.NodeProto, layers: dict[str, str], convolved: set[str]) -> str:
    """What `node` is called after: its weight, or the last layer before it."""
    free = node.op_type == "BatchNormalization" and node.input[0] not in convolved
    if free or node.op_type in ("Conv", "Gemm"):
        return re.sub(r"(_scale|_w)_0$", "", node.input[1].removeprefix("gpu_0/"))
    order = {layer: i for i, layer in enumerate(layers.values())}
    layer = max((layers[x] for x in node.input if x in layers), key=order.__getitem__)
    if node.op_type == "Add":
        return re.sub(r"_branch\w+$", "", layer)
    return layer.rpartition("/")[0] or layer if node.op_type == "Concat" else layer


def _rename(graph: onnx.GraphProto, new: dict[str, str]) -> None:
    """Renames the tensors of `graph`; weights lose the prefix that all of them have."""
    for item in (*graph.input, *graph.output, *graph.initializer):
        item.name = new.get(item.name, item.name.removeprefix("gpu_0/"))
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new.get(name, name.removeprefix("gpu_0/"))
