"""Batch normalization over random weights: statistics from one forward pass.

Each normalization gets the mean and the variance of its input over a batch, which is what
training would have given it, so that the activations of a network with random (and pruned)
weights stay in range through any depth.
"""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper

from bsc.prepare import ort
from bsc.prepare.graph import replace


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
            replace(node.attribute, kept)
            node.attribute.append(helper.make_attribute("training_mode", 1))
            node.attribute.append(helper.make_attribute("momentum", 0.0))
            measured |= zip(names, node.input[3:5], strict=True)
    for name in measured:
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    values = {measured[name]: value for name, value in ort.run(trial, feed).items()}
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
