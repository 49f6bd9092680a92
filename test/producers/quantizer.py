# pyright: basic, reportMissingImports=false
"""onnxruntime's quantizer with power-of-two scales, on a float model as its exporter wrote it.

The quantizer has no such scales of its own, but takes those that it is given
(TensorQuantOverrides): for each tensor the smallest power of two with which the largest
magnitude over some random inputs fits.  Nothing is folded or simplified before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

FORMATS = {
    "qdq-int8": (QuantFormat.QDQ, QuantType.QInt8),
    "qdq-uint8": (QuantFormat.QDQ, QuantType.QUInt8),
    "qop-int8": (QuantFormat.QOperator, QuantType.QInt8),
    "qop-uint8": (QuantFormat.QOperator, QuantType.QUInt8),
}
"""The forms of a model by name; weights are int8 in all of them."""

Feed = dict[str, Any]


class Reader(CalibrationDataReader):
    """Random inputs, one by one."""

    def __init__(self, model: onnx.ModelProto, count: int = 4) -> None:
        self._feeds = iter(feeds(model, count))

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def feeds(model: onnx.ModelProto, count: int) -> Iterator[Feed]:
    """Random inputs of a model; a dimension that is left open is 1."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield {
            value.name: rng.normal(
                size=[d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
            ).astype(np.float32)
            for value in model.graph.input
        }


def largest(values: Any) -> float:
    """The largest magnitude; 0 if there are no values."""
    return float(np.abs(values).max(initial=0))


def magnitudes(model: onnx.ModelProto) -> dict[str, float]:
    """The largest magnitude of each float tensor: of constants, and of all that the random
    inputs make."""
    found = {
        tensor.name: largest(onnx.numpy_helper.to_array(tensor))
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    watched = onnx.shape_inference.infer_shapes(model)
    floats = [
        value
        for value in (*watched.graph.value_info, *watched.graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    ]
    del watched.graph.output[:]
    watched.graph.output.extend(floats)
    session = onnxruntime.InferenceSession(watched.SerializeToString())
    names = [value.name for value in floats]
    for feed in feeds(model, 4):
        values = feed | dict(zip(names, session.run(names, feed), strict=True))
        for name, value in values.items():
            found[name] = max(found.get(name, 0.0), largest(value))
    return found


def position(magnitude: float) -> int:
    """The largest p with magnitude · 2^p ≤ 127."""
    return math.floor(math.log2(127 / magnitude)) if magnitude else 7


def quantize(source: Path, target: Path, form: str) -> None:
    """Quantize the file `source` in one of FORMATS."""
    quant_format, activations = FORMATS[form]
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    biases = {
        node.input[2]
        for node in model.graph.node
        if node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) == 3
    }
    zero = np.array(128, np.uint8) if activations is QuantType.QUInt8 else np.array(0, np.int8)
    overrides = {
        name: [
            {
                "scale": np.array(2.0 ** -position(magnitude), np.float32),
                "zero_point": np.array(0, np.int8) if name in weights else zero,
            }
        ]
        for name, magnitude in magnitudes(model).items()
        if name not in biases
    }
    quantize_static(
        source,
        target,
        Reader(model),
        quant_format=quant_format,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[node.name for node in model.graph.node if node.op_type == "Softmax"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "ForceQuantizeNoInputCheck": True,
            "QDQDisableWeightAdjustForInt32Bias": True,
            "TensorQuantOverrides": overrides,
        },
    )
