"""onnxruntime as this package uses it: run, fold, calibrate, quantize.

onnxruntime has no type stubs, so everything untyped stays in this file.  Its quantizer
reads and writes paths, logs through Python's root logger, and its sessions log to stderr:
callers give and get models, and nothing reaches the terminal.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto
from onnxruntime import quantization

from bsc.prepare.graph import infer_shapes, name_nodes, replace
from bsc.sessions import failures_in_a_line, open_session

Feed: TypeAlias = dict[str, np.ndarray[Any, Any]]
"""One value for each input of a model."""

_ort = cast("Any", onnxruntime)
_quantization = cast("Any", quantization)

_FATAL = 4
_WARNING = 2  # what onnxruntime starts with

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators whose second input is a weight."""


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Silences logs and warnings, and turns onnxruntime's failures into one line.

    The empty handler keeps `logging.warning` from installing one on stderr for good.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    disabled = root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    _ort.set_default_logger_severity(_FATAL)
    try:
        with failures_in_a_line(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _ort.set_default_logger_severity(_WARNING)
        logging.disable(disabled)
        root.removeHandler(handler)


def run(model: onnx.ModelProto, feed: Feed) -> Feed:
    """The outputs of `model`, by name, as its nodes stand: without optimisations."""
    return next(run_each(model, [feed]))


def run_each(model: onnx.ModelProto, feeds: Iterable[Feed]) -> Iterator[Feed]:
    """The outputs of `model` for each of `feeds` in turn."""
    names = [output.name for output in model.graph.output]
    with _quiet():
        session = open_session(model)
    for feed in feeds:
        with _quiet():
            values = session.run(names, feed)
        yield dict(zip(names, values, strict=True))


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` after the optimisations that do not depend on the machine.

    They fold constants and BatchNormalization, Mul and Add behind a convolution, turn
    MatMul with Add into Gemm, and drop Identity and Dropout.
    """
    with _quiet(), tempfile.TemporaryDirectory(prefix="bsc-") as folder:
        path = Path(folder, "folded.onnx")
        open_session(model, level="ORT_ENABLE_BASIC", optimized=str(path))
        simple = onnx.ModelProto.FromString(path.read_bytes())
    name_nodes(simple.graph)
    infer_shapes(simple)
    return simple


class _Reader(_quantization.CalibrationDataReader):
    """Hands out feeds one by one, then None."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def ranges(model: onnx.ModelProto, feeds: Sequence[Feed]) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every float tensor of `model` over `feeds`.

    Tensors are those in the value info, in the order of the nodes, after the inputs;
    weights are not among them.
    """
    values = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    produced = [values[n] for node in model.graph.node for n in node.output if n in values]
    floats = [v for v in produced if v.type.tensor_type.elem_type == TensorProto.FLOAT]
    found: dict[str, tuple[float, float]] = {}
    with _outputs(model, floats):
        for feed, results in zip(feeds, run_each(model, feeds), strict=True):
            for name, value in (feed | results).items():
                low, high = found.get(name, (np.inf, -np.inf))
                # np.minimum keeps a NaN, min() may not.
                found[name] = (
                    float(np.minimum(low, value.min())),
                    float(np.maximum(high, value.max())),
                )
    return found


@contextlib.contextmanager
def _outputs(model: onnx.ModelProto, values: Iterable[onnx.ValueInfoProto]) -> Generator[None]:
    """Gives `model` other outputs for a while; a copy would hold its weights twice."""
    outputs = [copy.deepcopy(value) for value in model.graph.output]
    replace(model.graph.output, values)
    try:
        yield
    finally:
        replace(model.graph.output, outputs)


def quantize(
    model: onnx.ModelProto,
    scales: Mapping[str, float],
    op_types: Sequence[str],
    excluded: Sequence[str],
    *,
    operators: bool,
    unsigned: bool,
) -> onnx.ModelProto:
    """`model` with the operators `op_types` in integers.

    The nodes named in `excluded` stay in float.  `scales` has the scale of every tensor
    that ends up in 8 bits.  Biases are not in it: they become int32 with the product of the
    scales of input and weight.  With `operators` the operators are those that take integers
    (QLinearConv, …), otherwise QuantizeLinear and DequantizeLinear stand around them.
    Weights are int8 with zero point 0; so is the rest, or uint8 with zero point 128 if
    `unsigned`.
    """
    weights = {n.input[1] for n in model.graph.node if n.op_type in _PRODUCTS}
    signed, other = np.array(0, np.int8), np.array(128, np.uint8)
    overrides = {
        name: [
            {
                "scale": np.array(scale, np.float32),
                "zero_point": other if unsigned and name not in weights else signed,
            }
        ]
        for name, scale in scales.items()
    }
    # The quantizer calibrates even when it has all the scales.
    zeros = {
        value.name: np.zeros([d.dim_value for d in value.type.tensor_type.shape.dim], "f4")
        for value in model.graph.input
    }
    formats, types = _quantization.QuantFormat, _quantization.QuantType
    with _quiet(), tempfile.TemporaryDirectory(prefix="bsc-") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(model.SerializeToString())
        _quantization.quantize_static(
            source,
            target,
            _Reader([zeros]),
            quant_format=formats.QOperator if operators else formats.QDQ,
            op_types_to_quantize=list(op_types),
            nodes_to_exclude=list(excluded),
            per_channel=False,
            activation_type=types.QUInt8 if unsigned else types.QInt8,
            weight_type=types.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "ForceQuantizeNoInputCheck": True,
                "QDQDisableWeightAdjustForInt32Bias": True,
                "TensorQuantOverrides": overrides,
            },
        )
        return onnx.ModelProto.FromString(target.read_bytes())
