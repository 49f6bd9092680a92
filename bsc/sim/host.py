"""The host's side of the boundary: quantize, lay out, and back.

The text says for every input and output its ONNX name, type, layout and zero point.  The
host quantizes (QuantizeLinear with a power-of-two scale), turns NCHW into NHWC, and pads
the channels with zeros that are really written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bsc.asm.program import Port, Program, Tensor
from bsc.errors import BscError
from bsc.numerics import INT8_MAX, INT8_MIN, Int8
from bsc.sim.memory import Machine
from bsc.sim.tags import Data, expect, tag_of


def store_inputs(
    machine: Machine, program: Program, inputs: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Quantize and write the inputs, given by ONNX name as the ONNX model takes them.

    Raises BscError for a missing or unknown name, a wrong shape or a wrong type.
    """
    known = [port.onnx_name for port in program.inputs]
    for name in inputs:
        if name not in known:
            raise BscError(f"unknown input '{name}'; the program takes {', '.join(known)}")
    for port in program.inputs:
        if port.onnx_name not in inputs:
            raise BscError(f"input '{port.onnx_name}' is missing")
        tensor = program.tensors[port.tensor]
        values = to_nhwc(quantize(inputs[port.onnx_name], port, tensor), port, tensor)
        h, w, c = tensor.shape
        padded = np.zeros((h, w, tensor.pixel), np.int8)
        padded[:, :, :c] = values
        data = Data(padded.view(np.uint8), tag_of(np.int8, tensor.pos))
        machine.ddr.put(machine.ddr.tensor_box(tensor), data).do()


def quantize(values: npt.NDArray[Any], port: Port, tensor: Tensor) -> Int8:
    """As QuantizeLinear does: scale, round half to even, saturate.  int8 stays as it is."""
    if port.dtype == "float32":
        if values.dtype.kind != "f":
            raise BscError(f"input '{port.onnx_name}' is float32, not {values.dtype}")
        if np.isnan(values).any():
            raise BscError(f"input '{port.onnx_name}' has NaN, which nothing can be made of")
        # The scale is a power of two, so this product is exact but for overflow.
        with np.errstate(over="ignore"):
            scaled = np.rint(np.ldexp(values.astype(np.float32), tensor.pos))
        return np.clip(scaled, INT8_MIN, INT8_MAX).astype(np.int8)
    if values.dtype != np.dtype(port.dtype):
        raise BscError(f"input '{port.onnx_name}' is {port.dtype}, not {values.dtype}")
    return (values.astype(np.int16) - port.zero).astype(np.int8)


def to_nhwc(values: Int8, port: Port, tensor: Tensor) -> Int8:
    """The tensor as (H, W, C).  Raises BscError if the shape is another one."""
    h, w, c = tensor.shape
    if values.shape != port.dims:
        raise BscError(
            f"input '{port.onnx_name}' has shape {list(port.dims)}, not {list(values.shape)}"
        )
    if port.layout == "NHWC":
        return values.reshape(h, w, c)
    return values.reshape(c, h, w).transpose(1, 2, 0)


def load_output(machine: Machine, program: Program, port: Port) -> npt.NDArray[Any]:
    """An output from DDR, in ONNX layout and in the type that the text says."""
    tensor = program.tensors[port.tensor]
    raw, tag = machine.ddr.read(machine.ddr.tensor_box(tensor))
    expect(tag, tag_of(np.int8, tensor.pos), f"output {port.tensor}")
    values = raw.view(np.int8)[:, :, : tensor.shape[2]]
    if port.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    values = np.ascontiguousarray(values).reshape(port.dims)
    match port.dtype:
        case "float32":
            return np.ldexp(values.astype(np.float32), -tensor.pos)
        case "uint8":
            return (values.astype(np.int16) + port.zero).astype(np.uint8)
        case _:
            return values
