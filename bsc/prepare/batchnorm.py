"""Batch normalization: statistics for random weights, and folding it away.

`measure` does what training would have done, y = (x - mean) / deviation with the mean and
deviation of x over a batch, so that activations of a network with random (and pruned)
weights stay in range.  `fold` makes a normalization part of the convolution before it:
w·s and (b - mean)·s + bias, where s = scale / √(variance + ε).
"""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bsc.prepare import ort

Array: TypeAlias = np.ndarray[Any, Any]


def measure(model: onnx.ModelProto, feed: ort.Feed) -> None:
    """Sets, in place, mean and variance of every normalization from one pass over `feed`.

    The first dimension of `feed` is the batch, of any size, if `model` does not fix it
    anywhere but in its inputs.
    """
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    graph = trial.graph
    del graph.output[:], graph.value_info[:]
    for value in graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = len(feed[value.name])
    measured: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            # With momentum 0 the running statistics are those of this batch alone.
            names = [f"{node.output[0]}:mean", f"{node.output[0]}:variance"]
            node.output.extend(names)
            kept = [a for a in node.attribute if a.name not in ("training_mode", "momentum")]
            del node.attribute[:]
            node.attribute.extend(kept)
            node.attribute.append(helper.make_attribute("training_mode", 1))
            node.attribute.append(helper.make_attribute("momentum", 0.0))
            measured |= zip(names, node.input[3:5], strict=True)
    for name in measured:
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    values = {measured[name]: value for name, value in ort.run(trial, feed).items()}
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))


def fold(model: onnx.ModelProto) -> None:
    """Removes, in place, the normalizations of `model` whose parameters are constants.

    One that does not follow a convolution becomes a depthwise 1×1 convolution.  One over
    a matrix stays: the value info of `model` tells the rank.
    """
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input)
    }
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        rank = ranks.get(node.input[0], 0) if node.input else 0
        if node.op_type != "BatchNormalization" or not constants.keys() >= {*node.input[1:]}:
            kept.append(node)
            continue
        conv = producers.get(node.input[0])
        if conv is not None and _can_absorb(conv, constants, uses):
            _absorb(conv, node, constants)
            producers[node.output[0]] = conv
        elif rank > 2:
            kept.append(_depthwise(node, rank, constants))
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    _replace(graph, kept, {name: constants[name] for name in constants if name in used})


def _affine(node: onnx.NodeProto, constants: dict[str, Array]) -> tuple[Array, Array]:
    """The slope and the offset of each channel, float64."""
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    scale, bias, mean, variance = (constants[n].astype(np.float64) for n in node.input[1:5])
    slope = scale / np.sqrt(variance + epsilon)
    return slope, bias - mean * slope


def _can_absorb(conv: onnx.NodeProto, constants: dict[str, Array], uses: Counter[str]) -> bool:
    """Whether `conv` feeds nothing else and its parameters are constants of its own."""
    return (
        conv.op_type == "Conv"
        and uses[conv.output[0]] == 1
        and all(name in constants and uses[name] == 1 for name in conv.input[1:])
    )


def _absorb(conv: onnx.NodeProto, node: onnx.NodeProto, constants: dict[str, Array]) -> None:
    slope, offset = _affine(node, constants)
    weight = constants[conv.input[1]]
    rows = slope.reshape(-1, *(1,) * (weight.ndim - 1))
    constants[conv.input[1]] = (weight * rows).astype(np.float32)
    if len(conv.input) == 2:
        conv.input.append(f"{conv.input[1]}:bias")
        constants[conv.input[2]] = offset.astype(np.float32)
    else:
        bias = constants[conv.input[2]] * slope + offset
        constants[conv.input[2]] = bias.astype(np.float32)
    conv.output[0] = node.output[0]


def _depthwise(node: onnx.NodeProto, rank: int, constants: dict[str, Array]) -> onnx.NodeProto:
    slope, offset = _affine(node, constants)
    names = [f"{node.output[0]}:weight", f"{node.output[0]}:bias"]
    constants[names[0]] = slope.astype(np.float32).reshape(-1, *(1,) * (rank - 1))
    constants[names[1]] = offset.astype(np.float32)
    return helper.make_node(
        "Conv",
        [node.input[0], *names],
        [node.output[0]],
        node.name,
        group=len(slope),
        kernel_shape=[1] * (rank - 2),
    )


def _replace(
    graph: onnx.GraphProto, nodes: list[onnx.NodeProto], constants: dict[str, Array]
) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(copies)
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
