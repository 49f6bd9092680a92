"""onnxruntime as this package uses it: run, fold, calibrate, quantize.

onnxruntime has no type stubs, so everything untyped stays in this file.  Its quantizer
reads and writes paths, logs through Python's root logger, and its sessions log to stderr:
callers give and get models, and nothing reaches the terminal.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.capi import onnxruntime_pybind11_state

from bsc.errors import BscError

Feed: TypeAlias = dict[str, np.ndarray[Any, Any]]
"""One value for each input of a model."""

_ort: Any = onnxruntime
_quantization: Any = quantization
_state: Any = onnxruntime_pybind11_state

# onnxruntime's exceptions have no base class of their own.
_FAILURES: tuple[type[Exception], ...] = (
    _state.Fail,
    _state.InvalidArgument,
    _state.InvalidGraph,
    _state.InvalidProtobuf,
    _state.NotImplemented,
    _state.RuntimeException,
)

_FATAL = 4
_WARNING = 2  # what onnxruntime starts with


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences both logs, and turns onnxruntime's failures into one line.

    The empty handler keeps `logging.warning` from installing one on stderr for good.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    disabled = root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    _ort.set_default_logger_severity(_FATAL)
    try:
        yield
    except _FAILURES as e:
        reason = " ".join(str(e).split())
        raise BscError(f"onnxruntime cannot run the model: {reason}") from None
    finally:
        _ort.set_default_logger_severity(_WARNING)
        logging.disable(disabled)
        root.removeHandler(handler)


def _session(model: onnx.ModelProto, level: str, **options: str) -> Any:
    settings = _ort.SessionOptions()
    settings.graph_optimization_level = getattr(_ort.GraphOptimizationLevel, level)
    settings.log_severity_level = _FATAL
    for name, value in options.items():
        setattr(settings, name, value)
    return _ort.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def run(model: onnx.ModelProto, feed: Feed) -> Feed:
    """The outputs of `model`, by name, as its nodes stand: without optimisations."""
    with _quiet():
        session = _session(model, "ORT_DISABLE_ALL")
        names = [output.name for output in model.graph.output]
        return dict(zip(names, session.run(names, feed), strict=True))


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` after the optimisations that do not depend on the machine.

    They fold constants and BatchNormalization, Mul and Add behind a convolution, turn
    MatMul with Add into Gemm, and drop Identity and Dropout.
    """
    with _quiet(), tempfile.TemporaryDirectory(prefix="bsc-") as folder:
        path = Path(folder, "folded.onnx")
        _session(model, "ORT_ENABLE_BASIC", optimized_model_filepath=str(path))
        return onnx.load(path)


class _Reader(_quantization.CalibrationDataReader):
    """Hands out feeds one by one, then None."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def ranges(
    model: onnx.ModelProto, feeds: Sequence[Feed], op_types: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every float tensor around the operators `op_types`.

    Values are in the units of the tensors; the ranges are over all of `feeds`.
    """
    with _quiet(), tempfile.TemporaryDirectory(prefix="bsc-") as folder:
        path = Path(folder, "float.onnx")
        onnx.save(model, path)
        calibrator = _quantization.create_calibrator(
            path,
            list(op_types),
            augmented_model_path=str(Path(folder, "augmented.onnx")),
            calibrate_method=_quantization.CalibrationMethod.MinMax,
        )
        calibrator.collect_data(_Reader(feeds))
        found: Any = calibrator.compute_data()
        limits = {name: data.range_value for name, data in found.items()}
    # Each limit is an array of one value, of a shape that depends on the version.
    return {name: (low.item(), high.item()) for name, (low, high) in limits.items()}


def quantize(
    model: onnx.ModelProto,
    scales: Mapping[str, float],
    feed: Feed,
    op_types: Sequence[str],
) -> onnx.ModelProto:
    """`model` with int8 QDQ around the operators `op_types`, zero points 0.

    `scales` has the scale of every tensor that ends up int8.  Biases are not in it: they
    become int32 with the product of input and weight scale.  `feed` is run once and its
    ranges are not used, as all scales are given.
    """
    overrides = {
        name: [{"scale": np.array(scale, np.float32), "zero_point": np.array(0, np.int8)}]
        for name, scale in scales.items()
    }
    with _quiet(), tempfile.TemporaryDirectory(prefix="bsc-") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, source)
        _quantization.quantize_static(
            source,
            target,
            _Reader([feed]),
            quant_format=_quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(op_types),
            per_channel=False,
            activation_type=_quantization.QuantType.QInt8,
            weight_type=_quantization.QuantType.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "ForceQuantizeNoInputCheck": True,
                "QDQDisableWeightAdjustForInt32Bias": True,
                "TensorQuantOverrides": overrides,
            },
        )
        return onnx.load(target)
