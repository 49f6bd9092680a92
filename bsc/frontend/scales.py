"""Scales and zero points: what QuantizeLinear and DequantizeLinear nodes must say.

A scale is a power of two, 2^-p, and p is the *position* that our types carry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from bsc.frontend.graph import Constant, Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.tensors import type_name
from bsc.frontend.values import Missing, Unknown, Value

LARGEST_POSITION = 31
"""Activations and weights have positions in [-31, 31], biases twice that: then nothing
overflows float32, in which onnxruntime computes, nor becomes denormal."""


_ACCEPTED = "int8 with zero point 0 is accepted, uint8 with 128, int32 for biases"


class Scales:
    """Reads scales and zero points; one that several nodes share is refused once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, object], int | Refusal] = {}

    def _once(self, node: Node, key: tuple[str, object], read: Callable[[], int]) -> int:
        """What `read` returns.  What it refuses is a problem of the first node only."""
        if key not in self._known:
            try:
                self._known[key] = read()
            except Refusal as e:
                self._known[key] = Refusal(str(e), node)
        value = self._known[key]
        if isinstance(value, Refusal):
            raise value
        return value

    def position(self, node: Node, args: Sequence[Value | None], largest: int) -> int:
        """The position that the scale, input 1 of `node`, stands for.

        Raises Refusal if it is not one power of two that is known before the run, or the
        position is beyond `largest`.
        """
        scale = args[1] if len(args) > 1 else None
        if isinstance(scale, Unknown):
            raise Missing(scale)
        name = quoted(node.inputs[1])
        if not isinstance(scale, Constant):
            raise Refusal(
                f"scale {name} is computed at run time: an initializer or a Constant is "
                "accepted"
            )
        return self._once(node, (scale.name, largest), lambda: _position(scale, largest, name))

    def quantized_type(self, node: Node, args: Sequence[Value | None]) -> str:
        """The type that QuantizeLinear `node` makes: int8, or uint8 with zero point 128.

        Raises Refusal for any other, or another zero point.
        """
        zero = args[2] if len(args) > 2 else None
        if zero is not None:
            found = self._zero(node, zero)
            self._check_symmetric(node, found)
            return found.type
        given = node.number("output_dtype", 0)
        if given != TensorProto.INT8:
            made = type_name(given) if given else "uint8, its default"
            raise Refusal(
                f"has no zero point and makes {made}: give it an int8 zero point of 0"
            )
        return "int8"

    def check_dequantize(self, node: Node, args: Sequence[Value | None], type: str) -> None:
        """Raises Refusal unless DequantizeLinear `node` reads activations of `type`, with the
        zero point that we have for it."""
        self._check_type(node, type)
        zero = args[2] if len(args) > 2 else None
        if zero is not None:
            found = self._zero(node, zero)
            self._check_symmetric(node, found)
            if found.type != type:
                name = quoted(node.inputs[2])
                raise Refusal(f"zero point {name} is {found.type}, but the tensor is {type}")
        elif type == "uint8":
            raise Refusal("has no zero point: 128 is accepted for uint8")

    def constant_zero(self, node: Node, args: Sequence[Value | None], type: str) -> int:
        """The zero point of a constant of `type`, which may be any."""
        self._check_type(node, type)
        zero = args[2] if len(args) > 2 else None
        if zero is None:
            return 0
        found = self._zero(node, zero)
        values = set(() if found.array is None else found.array.reshape(-1).tolist())
        if found.type != type or len(values) != 1 or (type == "int32" and any(values)):
            name = quoted(node.inputs[2])
            raise Refusal(f"zero point {name} is {found.type} {sorted(values)}: {_ACCEPTED}")
        return int(values.pop())

    def _check_type(self, node: Node, type: str) -> None:
        if type not in ("int8", "uint8", "int32"):
            raise Refusal(f"reads {quoted(node.inputs[0])} of {type}: {_ACCEPTED}")

    def _zero(self, node: Node, zero: Value) -> Constant:
        """The zero point, input 2."""
        if isinstance(zero, Unknown):
            raise Missing(zero)
        if not isinstance(zero, Constant):
            name = quoted(node.inputs[2])
            raise Refusal(
                f"zero point {name} is computed at run time: a constant 0 is accepted"
            )
        return zero

    def _check_symmetric(self, node: Node, zero: Constant) -> None:
        """Whether a zero point is 0, or 128 for uint8."""
        name = quoted(node.inputs[2])
        self._once(node, (zero.name, "symmetric"), lambda: _symmetric(zero, name))


def _position(scale: Constant, largest: int, name: str) -> int:
    array = scale.array
    if array is None or array.dtype != np.float32:
        raise Refusal(f"scale {name} is {scale.type}: float32 is accepted")
    if not array.size:
        raise Refusal(f"scale {name} has no value: one power of two is accepted")
    value = float(array.flat[0])
    if not (array == array.flat[0]).all() and not math.isnan(value):
        raise Refusal(
            f"scale {name} has {array.size} different values, from {array.min():g} to "
            f"{array.max():g}: one scale for the whole tensor is accepted "
            "(quantize with per_channel=False)"
        )
    if not math.isfinite(value) or value <= 0:
        raise Refusal(f"scale {name} is {value:g}: a positive power of two is accepted")
    mantissa, exponent = math.frexp(value)
    if mantissa != 0.5:
        raise Refusal(
            f"scale {name} is {value:.9g}, which is not a power of two: the nearest are "
            f"2^{exponent - 1} = {math.ldexp(1, exponent - 1):g} and "
            f"2^{exponent} = {math.ldexp(1, exponent):g}"
        )
    position = 1 - exponent
    if abs(position) > largest:
        raise Refusal(
            f"scale {name} is {value:g} = 2^{-position}: 2^-{largest} to 2^{largest} are "
            "accepted"
        )
    return position


def _symmetric(zero: Constant, name: str) -> int:
    if zero.type not in ("int8", "uint8") or zero.array is None:
        raise Refusal(f"zero point {name} is {zero.type}: {_ACCEPTED}")
    middle = 128 if zero.type == "uint8" else 0
    others = zero.array[zero.array != middle]
    if others.size:
        hint = "symmetric int8" if zero.type == "int8" else "the same as int8 with 0"
        raise Refusal(
            f"zero point {name} is {others.flat[0]}: only {middle} is accepted for "
            f"{zero.type} ({hint})"
        )
    return 0
