"""What onnxruntime computes: the judge of everything that bsc makes.

The model runs as its nodes stand, with all optimisations off: some of onnxruntime's fused
kernels round differently.  Every quantized tensor comes out under its ONNX name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx

from bsc.numerics import INT8_MAX, INT8_MIN, Int8
from bsc.sessions import failures_in_a_line, open_session

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_DEFAULT_DOMAIN = ("", "ai.onnx")
_ROUNDING = ("QLinear", "QGemm")
_QUANTIZED = (np.dtype(np.int8), np.dtype(np.uint8))


def quantized_tensors(
    model: str | Path | onnx.ModelProto, inputs: Mapping[str, Array], more: Iterable[str] = ()
) -> dict[str, Int8]:
    """Every quantized activation of `model` by its ONNX name, in ONNX layout, as int8.

    `inputs` are what the ONNX model takes, by name.  A tensor is what a node quantizes that
    depends on an input, a graph input that is quantized already, or one of `more`.

    Raises BscError if onnxruntime cannot run the model.
    """
    judged, folder = _load(model)
    names = [n for n in dict.fromkeys((*quantized_names(judged), *more)) if n not in inputs]
    del judged.graph.output[:]
    # onnxruntime knows the types: behind the array the host may quantize to others.
    judged.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    # ValueError: an input is missing or has a name that the model does not know.
    with failures_in_a_line(ValueError):
        session = open_session(judged, external="" if folder is None else str(folder))
        found: list[Array] = session.run(names, dict(inputs))
    every = dict(inputs) | dict(zip(names, found, strict=True))
    return {name: as_int8(array) for name, array in every.items() if array.dtype in _QUANTIZED}


def as_int8(values: Array) -> Int8:
    """A quantized tensor less its zero point, which for uint8 is 128."""
    if values.dtype == np.uint8:
        return (values ^ np.uint8(128)).view(np.int8)
    return values.astype(np.int8)


def quantized_names(model: onnx.ModelProto) -> list[str]:
    """The quantized activations: what QuantizeLinear nodes, and those that round by
    themselves (QLinearConv and such), make of inputs of the graph, in file order."""
    graph = model.graph
    known = {"", *(tensor.name for tensor in graph.initializer)}
    known.update(sparse.values.name for sparse in graph.sparse_initializer)
    nodes = list(graph.node)
    while folded := [node for node in nodes if known.issuperset(node.input)]:
        known.update(name for node in folded for name in node.output)
        nodes = [node for node in nodes if not known.issuperset(node.input)]
    return [
        node.output[0]
        for node in nodes
        if (node.op_type == "QuantizeLinear" and node.domain in _DEFAULT_DOMAIN)
        or node.op_type.startswith(_ROUNDING)
    ]


def _load(model: str | Path | onnx.ModelProto) -> tuple[onnx.ModelProto, Path | None]:
    """A copy of the model that may be changed, and the folder of its external data."""
    if isinstance(model, onnx.ModelProto):
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        return copied, None
    path = Path(model)
    return onnx.ModelProto.FromString(path.read_bytes()), path.parent


def host_quantize(values: Array, pos: int) -> Int8:
    """What the host makes of a float32 input without NaN: QuantizeLinear, scale 2^-pos."""
    scaled = np.rint(np.ldexp(values.astype(np.float64), pos))
    return scaled.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def to_nhwc(values: Array) -> Array:
    """An NCHW or NC array as 1 x H x W x C."""
    if values.ndim == 2:
        return values.reshape(1, 1, 1, -1)
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1))


def from_nhwc(values: Array, dims: tuple[int, ...]) -> Array:
    """A 1 x H x W x C array as ONNX has it: in the order N, C, H, W, with shape `dims`."""
    return values.transpose(0, 3, 1, 2).reshape(dims)
