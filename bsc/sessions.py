"""onnxruntime sessions, quiet, and with failures as one line.

They run a model as its nodes stand unless told otherwise: the optimisations of onnxruntime
change the rounding of quantized networks.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Generator
from typing import Any, cast

import onnx
import onnxruntime

from bsc.errors import BscError

_ort = cast("Any", onnxruntime)  # no type stubs
_state = cast("Any", importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state"))

# onnxruntime's exceptions have no base class of their own.
_FAILURES: tuple[type[Exception], ...] = (
    _state.Fail,
    _state.InvalidArgument,
    _state.InvalidGraph,
    _state.InvalidProtobuf,
    _state.NotImplemented,
    _state.RuntimeException,
)

_SILENT = 4


@contextlib.contextmanager
def failures_in_a_line(*more: type[Exception]) -> Generator[None]:
    """Turns what onnxruntime raises, and `more`, into a BscError of one line."""
    try:
        yield
    except (*_FAILURES, *more) as e:
        reason = " ".join(str(e).split())
        raise BscError(f"onnxruntime cannot run the model: {reason}") from None


def open_session(
    model: onnx.ModelProto,
    *,
    level: str = "ORT_DISABLE_ALL",
    optimized: str = "",
    external: str = "",
) -> Any:
    """A session of `model` on the CPU.

    `level` is the name of a GraphOptimizationLevel, `optimized` a file in which to put the
    optimised model, `external` the folder of the model's external data.
    """
    options = _ort.SessionOptions()
    options.graph_optimization_level = getattr(_ort.GraphOptimizationLevel, level)
    options.log_severity_level = _SILENT
    # A thread without work sleeps: the core has something better to do than to wait for it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if optimized:
        options.optimized_model_filepath = optimized
    if external:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", external
        )
    return _ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
