"""Sums with a float32 constant for each channel, which no quantizer has rounded.

Such a sum is rounded twice: to float32, and by the QuantizeLinear.  But an int8 number has only
256 values, so that an integer can be found for each channel with which one rounding gives the
same for all of them; that it does is tried with every value, when the sum is imported.
"""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.frontend.graph import Constant, Node
from bsc.frontend.linear import Product, of_channels
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import State
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Scaled, Tensor
from bsc.geometry import Window
from bsc.numerics import INT32_LIMIT, Requant, requantize

_NUMBERS = np.arange(-128, 128)
_FINER = (1, 4, 8, 12, 16, 20)
"""By how many places the integer is finer than what is added and what comes out."""


def offset(
    state: State, node: Node, x: Tensor, sign: int, constant: Constant, of_constant: int
) -> Exact:
    """sign * x + of_constant * constant, in float32 as onnxruntime computes it.

    Raises Refusal if the constant is not one finite number, or one for each channel.
    """
    array = constant.array
    if array is None or array.dtype != np.float32 or not np.isfinite(array).all():
        raise Refusal(
            f"reads constant {quoted(constant.name)} of {constant.type}: finite float32 "
            "numbers are accepted, or int8 with a DequantizeLinear"
        )
    ordered = of_channels(Scaled(constant.name, array, 0), x)
    summands: Array = (ordered * np.float32(of_constant)).astype(np.float32)
    values: Array = np.full((x.shape[3], 1, 1, 1), sign, np.int8)

    def make(type: TensorType, epilogue: EpilogueAttr | None) -> qnn.Conv2dOp | qnn.DenseOp:
        pos = position_of(type)
        found = _integers(summands, sign, x.pos, pos)
        if found is None:
            raise Refusal(
                f"adds constant {quoted(constant.name)}, for which no integers give what "
                "float32 gives: an int8 one with a DequantizeLinear is accepted",
                node,
            )
        bias = Scaled(constant.name, found[0], found[1], view=f"{node.index} {pos}")
        one = Scaled("ones", values, 0)
        layout = ("offset", sign, x.view.key)
        product = Product(state, node, x, one, layout, values, Window(), x.shape[3])
        return product.with_bias(bias).make(type, epilogue)

    state.reasons[node.index] = "qnn.conv2d, each channel by itself: tried with all numbers"
    return Exact(node, x.view, make)


def _integers(summands: Array, sign: int, pos: int, to: int) -> tuple[Array, int] | None:
    """An integer for each channel, and their position, with which the sum of all int8 numbers
    at `pos`, rounded to `to`, is what float32 gives."""
    real = np.ldexp((sign * _NUMBERS).astype(np.float32), -pos)
    sums: Array = real[:, None] + summands
    wanted = np.rint(np.ldexp(sums.astype(np.float64), to)).clip(-128, 127).astype(np.int8)
    for finer in _FINER:
        at = max(pos, to) + finer
        middle = np.rint(np.ldexp(summands.astype(np.float64), at))
        if (128 << (at - pos)) + np.abs(middle).max() + 1 >= INT32_LIMIT:
            return None
        given = (sign * _NUMBERS).astype(np.int64)[:, None] << (at - pos)
        found: Array = np.zeros(len(summands), np.int64)
        open_channels = np.ones(len(summands), np.bool_)
        for step in (0, 1, -1):
            tried = middle.astype(np.int64) + step
            equal = (requantize(given + tried, at, Requant(to)) == wanted).all(axis=0)
            found[equal & open_channels] = tried[equal & open_channels]
            open_channels &= ~equal
        if not open_channels.any():
            return found, at
    return None
