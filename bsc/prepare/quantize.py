"""Quantization to 8 bits with power-of-two scales: value = integer · 2^-position.

One scale a tensor, integers from -128 to 127.  A scale is the smallest power of two for which
the largest magnitude, of the weights or of the activations on the calibration inputs, fits
int8, so that nothing saturates there.  (A vendor's quantizer may choose half of that and
saturate the tail; it makes no difference to a compiler.)  Biases become int32 with the
product of the scales of input and weight.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from bsc.errors import BscError
from bsc.prepare import ort
from bsc.prepare.graph import drop, keep_used_constants, replace

QUANTIZED = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
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

QUANT_FORMATS = ("qdq", "qoperator")
ACTIVATION_TYPES = ("int8", "uint8")
"""What `Form` knows, as onnxruntime's quantizer calls it."""

_LAYOUT = ("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze")

_KEEPING = ("AveragePool", "MaxPool", "Resize", *_LAYOUT)
"""The operators to whose results onnxruntime's quantizer gives the scale of their input."""

_FINEST = 40
"""The largest position: finer scales would leave float32 when two are multiplied."""


def position(magnitude: float) -> int:
    """The largest p, at most 40, with magnitude · 2^p ≤ 127; 7 for a magnitude of 0."""
    if magnitude == 0:
        return 7
    fraction, exponent = math.frexp(magnitude)  # magnitude = fraction · 2^exponent
    return min(_FINEST, (7 if fraction * 128 <= 127 else 6) - exponent)


def calibrate(model: onnx.ModelProto, feeds: Sequence[ort.Feed]) -> dict[str, float]:
    """The scale of every tensor of the float `model` that becomes int8, weights among them.

    Activations take theirs from the values over `feeds`.  Raises BscError naming a tensor
    whose values are not finite.
    """
    positions = _positions(model, ort.ranges(model, feeds))
    _share_across_activations(model, positions)
    _keep_positions(model, positions)
    _make_room_for_biases(model, positions)
    return {name: 2.0**-p for name, p in positions.items()}


@dataclass(frozen=True)
class Form:
    """How a quantized model is written down; all forms compute the same values."""

    quant_format: str = "qdq"
    """One of QUANT_FORMATS: QuantizeLinear and DequantizeLinear around the operators, or
    operators that take integers."""
    activations: str = "int8"
    """One of ACTIVATION_TYPES: int8 with zero point 0 or uint8 with zero point 128."""
    fuse_relu: bool = False
    """No QuantizeLinear between an operator and the Relu or Clip behind it."""

    def check(self) -> None:
        """Raises BscError for what is no form."""
        choices = (
            ("format", self.quant_format, QUANT_FORMATS),
            ("type of activations", self.activations, ACTIVATION_TYPES),
        )
        for what, value, known in choices:
            if value not in known:
                raise BscError(f"unknown {what} '{value}': give one of {', '.join(known)}")
        if self.fuse_relu and self.quant_format != "qdq":
            raise BscError(
                f"relus are fused in format qdq only: in {self.quant_format} each operator "
                "rounds its own result"
            )


def quantize(
    model: onnx.ModelProto, scales: Mapping[str, float], form: Form | None = None
) -> onnx.ModelProto:
    """The float `model` with its QUANTIZED operators in integers, written down in `form`.

    `scales` comes from `calibrate`.  8-bit activations, int8 weights, int32 biases.
    """
    form = form or Form()
    quantized = ort.quantize(
        model,
        scales,
        QUANTIZED,
        _host_layout(model),
        operators=form.quant_format == "qoperator",
        unsigned=form.activations == "uint8",
    )
    if form.fuse_relu:
        _fuse_activations(quantized.graph)
    domains = {node.domain for node in quantized.graph.node}
    replace(quantized.opset_import, [o for o in quantized.opset_import if o.domain in domains])
    del quantized.metadata_props[:]
    quantized.producer_name, quantized.producer_version = "bsc prepare", ""
    return quantized


def _fuse_activations(graph: onnx.GraphProto) -> None:
    """Removes each QuantizeLinear, with its DequantizeLinear, that only a Relu or Clip reads.

    The same position before and after it makes that the same values.
    """
    made = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    removed: set[str] = set()
    for node in graph.node:
        if node.op_type not in ("Clip", "Relu"):
            continue
        pair = [made.get(node.input[0])]
        if pair[0] is not None:
            pair.append(made.get(pair[0].input[0]))
        ends = [n for n in pair if n is not None and uses[n.output[0]] == 1]
        if [n.op_type for n in ends] == ["DequantizeLinear", "QuantizeLinear"]:
            removed.update(n.name for n in ends)
            node.input[0] = ends[1].input[0]
    drop(graph.node, lambda node: node.name in removed)
    keep_used_constants(graph)


def _host_layout(model: onnx.ModelProto) -> list[str]:
    """The names of nodes that do no more than lay out anew what an operator in float made."""
    floats: set[str] = set()
    names: list[str] = []
    for node in model.graph.node:
        if node.op_type in _LAYOUT and node.input[0] in floats:
            names.append(node.name)
            floats.update(node.output)
        elif node.op_type not in QUANTIZED:
            floats.update(node.output)
    return names


def _positions(
    model: onnx.ModelProto, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, int]:
    magnitudes = {name: max(abs(low), abs(high)) for name, (low, high) in ranges.items()}
    magnitudes |= _magnitudes(model)
    for name, magnitude in magnitudes.items():
        if not math.isfinite(magnitude):
            raise BscError(f"tensor '{name}' has values that are not finite: cannot quantize")
    biases = {bias for _, _, bias in _biased(model)}
    return {name: position(m) for name, m in magnitudes.items() if name not in biases}


def _magnitudes(model: onnx.ModelProto) -> dict[str, float]:
    """The largest magnitude in each float constant of `model`."""
    return {
        tensor.name: float(np.abs(numpy_helper.to_array(tensor)).max(initial=0))
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }


def _biased(model: onnx.ModelProto) -> Iterator[tuple[str, str, str]]:
    """Input, weight and bias of each convolution and Gemm that has a bias."""
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) == 3:
            yield node.input[0], node.input[1], node.input[2]


def _make_room_for_biases(model: onnx.ModelProto, positions: dict[str, int]) -> None:
    """Makes weights coarser where a bias, in the product of the scales, would not fit int32.

    That takes weights next to nothing beside their bias.  Biases stay below 2^30.
    """
    magnitudes = _magnitudes(model)
    for activation, weight, bias in _biased(model):
        if activation in positions and weight in positions and magnitudes.get(bias):
            finest = 30 - math.frexp(magnitudes[bias])[1] - positions[activation]
            positions[weight] = min(positions[weight], finest)


def _share_across_activations(model: onnx.ModelProto, positions: dict[str, int]) -> None:
    """Gives what only a Relu or Clip reads the position of its output.

    What the activation cuts off may saturate before it; the rest keeps all its bits, and
    the activation works on integers.
    """
    uses = Counter(name for node in model.graph.node for name in node.input)
    uses.update(value.name for value in model.graph.output)
    for node in reversed(model.graph.node):
        known = node.output[0] in positions
        if known and node.op_type in ("Relu", "Clip") and uses[node.input[0]] == 1:
            positions[node.input[0]] = positions[node.output[0]]


def _keep_positions(model: onnx.ModelProto, positions: dict[str, int]) -> None:
    """Gives what one of _KEEPING makes the position of its input, in every form."""
    for node in model.graph.node:
        if node.op_type in _KEEPING and {node.input[0], node.output[0]} <= positions.keys():
            positions[node.output[0]] = positions[node.input[0]]
