"""What `prepare` accepts: a built-in network, or a float ONNX model made plain.

A model from a file becomes one of batch 1 with fixed shapes, opset 13 or newer, constants
as initializers and unique node names, which is what the later steps count on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper, shape_inference, version_converter

from bsc.errors import BscError
from bsc.prepare.networks import NETWORKS, OPSET

_OLDEST = 13

_INTEGER_OPERATORS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "ConvInteger",
    "MatMulInteger",
)


def read(source: str | Path | onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the float model in a file or in memory, made plain.

    Raises BscError if there is no such file, if it is not a float ONNX model with one
    image at a time, or if it is quantized already.
    """
    if isinstance(source, onnx.ModelProto):
        where = source.graph.name or "model"
        model = onnx.ModelProto()
        model.CopyFrom(source)
    else:
        where = str(source)
        model = _load(Path(source))
    if not model.graph.node:
        raise BscError(f"{where}: not an ONNX model: it has no operators")
    _reject_quantized(model.graph, where)
    try:
        onnx.checker.check_model(model)
        _drop_constants_among_inputs(model)
        _fix_batch(model.graph, where)
        if _opset(model, where) < _OLDEST:
            model = version_converter.convert_version(model, OPSET)
        _plain_nodes(model.graph)
        return shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    except (onnx.checker.ValidationError, shape_inference.InferenceError) as e:
        raise BscError(f"{where}: not a valid ONNX model: {_line(e)}") from None
    except version_converter.ConvertError as e:
        raise BscError(f"{where}: cannot convert to opset {OPSET}: {_line(e)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path, format="protobuf")
    except FileNotFoundError as e:
        if Path(e.filename) == path and not path.suffix:
            names = ", ".join(NETWORKS)
            raise BscError(
                f"unknown network '{path}': give one of {names}, or a float ONNX file"
            ) from None
        raise BscError(f"{e.filename}: no such file") from None
    except OSError as e:
        raise BscError(f"{path}: cannot read the model: {e.strerror}") from None
    except (DecodeError, UnicodeDecodeError):
        raise BscError(f"{path}: not an ONNX file") from None
    except (onnx.checker.ValidationError, ValueError) as e:
        raise BscError(f"{path}: cannot read the external data: {_line(e)}") from None
