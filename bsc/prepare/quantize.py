"""Quantization to int8 with power-of-two scales: value = integer · 2^-position.

One scale a tensor, zero points 0.  A scale is the smallest power of two for which the
largest magnitude, of the weights or of the activations on the calibration inputs, fits
int8, so that nothing saturates there.  (A vendor's quantizer may choose half of that and
saturate the tail; it makes no difference to a compiler.)  Biases become int32 with the
product of the scales of input and weight.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from bsc.errors import BscError
from bsc.prepare import ort

QUANTIZED = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""The operators with integer inputs and outputs; all others stay in float, for the host."""

_FINEST = 40
"""The largest position: finer scales would leave float32 when two are multiplied."""


def position(magnitude: float) -> int:
    """The largest p, at most 40, with magnitude · 2^p ≤ 127; 7 for a magnitude of 0."""
    if magnitude == 0:
        return 7
    fraction, exponent = math.frexp(magnitude)  # magnitude = fraction · 2^exponent
    return min(_FINEST, (7 if fraction * 128 <= 127 else 6) - exponent)


def quantize(model: onnx.ModelProto, feeds: list[ort.Feed]) -> onnx.ModelProto:
    """The float `model` with QuantizeLinear and DequantizeLinear around its operators.

    Its scales come from its values over `feeds`.  Raises BscError naming a tensor whose
    values are not finite.
    """
    positions = _positions(model, ort.ranges(model, feeds, QUANTIZED))
    scales = {name: 2.0**-p for name, p in positions.items()}
    return ort.quantize(model, scales, feeds[0], QUANTIZED)


def _positions(
    model: onnx.ModelProto, ranges: dict[str, tuple[float, float]]
) -> dict[str, int]:
    """The position of every tensor that becomes int8, weights among them."""
    positions: dict[str, int] = {}
    for name, limits in ranges.items():
        if not all(map(math.isfinite, limits)):
            raise BscError(f"tensor '{name}' is not finite on random inputs: cannot quantize")
        positions[name] = position(max(map(abs, limits)))
    constants = {t.name: t for t in model.graph.initializer}
    magnitudes = {
        name: float(np.abs(numpy_helper.to_array(constants[name])).max(initial=0))
        for node in model.graph.node
        for name in node.input
        if name in constants and constants[name].data_type == onnx.TensorProto.FLOAT
    }
    biases = {name for _, _, name in _biased(model)}
    positions |= {
        name: position(value) for name, value in magnitudes.items() if name not in biases
    }
    _share_across_activations(model, positions)
    for x, weight, bias in _biased(model):
        if bias in magnitudes and magnitudes[bias] > 0:
            # int32 with room to spare: |bias| ≤ 2^30.
            finest = 30 - math.frexp(magnitudes[bias])[1]
            positions[weight] = min(positions[weight], finest - positions.get(x, 7))
    return positions


def _biased(model: onnx.ModelProto) -> Iterator[tuple[str, str, str]]:
    """Input, weight and bias of each convolution and Gemm that has a bias."""
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and len(node.input) == 3 and node.input[2]:
            yield node.input[0], node.input[1], node.input[2]


def _share_across_activations(model: onnx.ModelProto, positions: dict[str, int]) -> None:
    """Gives the input of Relu and Clip the position of the output, where nothing else reads it.

    What the activation cuts off may saturate before it; the rest keeps all its bits, and
    the activation works on integers.
    """
    uses = Counter(name for node in model.graph.node for name in node.input)
    uses.update(value.name for value in model.graph.output)
    for node in reversed(model.graph.node):
        if node.op_type in ("Relu", "Clip") and uses[node.input[0]] == 1:
            positions[node.input[0]] = positions[node.output[0]]
