"""Statistics that training would have left, for a network with random weights.

A batch normalization gets the mean and the variance of its input over a batch, so that the
activations of a network with random (and pruned) weights stay in range through any depth.
The last Gemm gets the bias that makes the mean of its outputs zero: without it all inputs
would come out as one class, as what two inputs share outweighs what tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bsc.prepare import ort
from bsc.prepare.graph import replace


def measure(model: onnx.ModelProto, feeds: Sequence[ort.Feed]) -> None:
    """Sets, in place, statistics and biases of `model` from one pass over `feeds`.

    The feeds make one batch: nothing but the inputs of `model` may fix the batch.
    """
    batch = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    graph = trial.graph
    del graph.output[:], graph.value_info[:]
    for value in graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = len(feeds)
    results: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            results |= _train(node)
    biased = [node for node in graph.node if node.op_type == "Gemm" and len(node.input) == 3]
    for node in biased[-1:]:
        results[node.output[0]] = node.input[2]
    if not results:
        return
    for name in results:
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    values = {results[name]: value for name, value in ort.run(trial, batch).items()}
    for tensor in model.graph.initializer:
        if tensor.name in values:
            value = values[tensor.name]
            if value.ndim == 2:  # batch × outputs of a Gemm
                value = numpy_helper.to_array(tensor) - value.mean(axis=0)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def _train(node: onnx.NodeProto) -> dict[str, str]:
    """Sets a normalization to training; which of its outputs goes to which input."""
    names = [f"{node.output[0]}:mean", f"{node.output[0]}:variance"]
    node.output.extend(names)
    kept = [a for a in node.attribute if a.name not in ("training_mode", "momentum")]
    replace(node.attribute, kept)
    node.attribute.append(helper.make_attribute("training_mode", 1))
    # With momentum 0 the running statistics are those of this batch alone.
    node.attribute.append(helper.make_attribute("momentum", 0.0))
    return dict(zip(names, node.input[3:5], strict=True))
