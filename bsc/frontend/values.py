"""What the importer knows of an ONNX tensor: the abstract values that it computes with.

The graph is walked once, forwards.  Between a DequantizeLinear and the next
QuantizeLinear all arithmetic is exact, so an operator there makes no operation yet, but
an `Exact` value, which the QuantizeLinear then turns into one with its rounding:

    int8 Tensor --DequantizeLinear--> real Tensor --Conv, Relu--> Exact --QuantizeLinear--> …
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from bsc.dialects.qnn_attributes import EpilogueAttr, position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Shape
from bsc.frontend.curves import Curve
from bsc.frontend.graph import Constant, Dims, Node
from bsc.frontend.problems import Refusal
from bsc.frontend.tensors import Array
from bsc.frontend.views import View
from bsc.numerics import INT8_MAX, INT8_MIN


@dataclass(frozen=True)
class Unknown:
    """A tensor that cannot be had because of `cause`, which was refused already; what reads
    it is not looked at further.  Its channels come last if those of what made it do."""

    cause: str
    channels_last: bool = False


class Missing(Exception):
    """What a node needs is not known: no problem of the node's own."""

    def __init__(self, value: Unknown):
        super().__init__(value.cause)
        self.value = value


@dataclass(frozen=True)
class Input:
    """A graph input that the array has not got yet.

    The host has it with the dimensions `given`; `view` says how reshapes and transposes read
    those elements, as if they were a value of 1 x 1 x 1 x size.  `channels_last` is set if the
    model takes it to NCHW itself, so that the channels come last here.  `pads` are the zeros
    that a Pad has put before and after each axis.
    """

    name: str
    type: str
    given: Dims
    view: View
    channels_last: bool = False
    pads: tuple[tuple[int, int], ...] = ()

    @property
    def dims(self) -> Dims:
        """The dimensions, after reshapes and with zeros around."""
        pads = self.pads or ((0, 0),) * len(self.view.dims)
        return tuple(n + a + b for n, (a, b) in zip(self.view.dims, pads, strict=True))


@dataclass(frozen=True)
class Scaled:
    """A constant that was dequantized: `array` * 2^-`pos`, int8 or int32.

    `name` is the int8 or int32 tensor of the file, `view` the ONNX tensor that a reshape or
    transpose has made of it.
    """

    name: str
    array: Array
    pos: int
    view: str = ""

    @property
    def dims(self) -> Dims:
        """The dimensions, in ONNX's order."""
        return self.array.shape


@dataclass(frozen=True)
class Tensor:
    """An int8 tensor on the array: the quantized ONNX tensor `name`, or, if `real`, what
    DequantizeLinear makes of it.

    `view` says where in the value each element of the ONNX tensor lies.  `type` is what ONNX
    has: an int8, or a uint8 whose zero point is 128.
    """

    name: str
    value: SSAValue
    view: View
    real: bool
    type: str = "int8"

    @property
    def dims(self) -> Dims:
        """The dimensions, as ONNX has them."""
        return self.view.dims

    @property
    def shape(self) -> Shape:
        """(1, H, W, C)."""
        return shape_of(self.value.type)

    @property
    def pos(self) -> int:
        """The position of the numbers."""
        return position_of(self.value.type)


class Function(NamedTuple):
    """What the elements of something are a function of: those of `x`."""

    x: Tensor
    curve: Curve


class Weights(NamedTuple):
    """What a product multiplies by and adds: COUT x KH x KW x CIN, and the positions."""

    array: Array
    pos: int
    bias: int | None


Maker: TypeAlias = Callable[[TensorType, EpilogueAttr | None], ComputeOp]
"""Makes the operation that yields a given type, rounding as the epilogue says."""


@dataclass(frozen=True)
class Exact:
    """An exact result of `node`, which no QuantizeLinear has rounded yet.

    `view` says how the value that the operation yields is read, `lo` and `hi` are the bounds
    that relus and clips have set.  `biased`, on products without a bias, adds one;
    `scaled`, on means, multiplies by a constant.  `bound` is
    the largest magnitude, as an integer, that occurs before the rounding; 0 if nothing is
    added up.  `whole` is a position at which the elements are int8 without any rounding, if
    there is one.  `weights` are those of products.  `function` is what the elements are, but
    for the bounds, if each comes from one number.  `padded` is what a Pad puts zeros around,
    seen as N, C, H, W, and how many.
    """

    node: Node
    view: View
    make: Maker
    bound: int = 0
    lo: float = -math.inf
    hi: float = math.inf
    whole: int | None = None
    biased: Callable[[Scaled], Exact] | None = None
    scaled: Callable[[float], Exact] | None = None
    weights: Weights | None = None
    function: Function | None = None
    padded: tuple[Tensor, tuple[int, int, int, int]] | None = None

    @property
    def dims(self) -> Dims:
        """The dimensions, as ONNX has them."""
        return self.view.dims

    @property
    def shape(self) -> Shape:
        """(1, H, W, C)."""
        return self.view.shape

    def clipped(self, lo: float, hi: float) -> Exact:
        """The same, clipped to [lo, hi] once more."""
        lo, hi = min(max(self.lo, lo), hi), min(max(self.hi, lo), hi)
        whole = self.whole if self.whole is not None and _keep(lo, hi, self.whole) else None
        return replace(self, lo=lo, hi=hi, whole=whole, biased=None, scaled=None, padded=None)


def _keep(lo: float, hi: float, pos: int) -> bool:
    """Whether int8 numbers at position `pos` are such numbers after a clip, too."""
    low, high = math.ldexp(lo, pos), math.ldexp(hi, pos)
    lowest = low <= INT8_MIN or (low <= INT8_MAX and low.is_integer())
    return lowest and (high >= INT8_MAX or (high >= INT8_MIN and high.is_integer()))


@dataclass(frozen=True)
class Hosted:
    """Something that the host computes, from results of the array or from inputs.

    Its channels come last if those of what it is made of do.

    `back` is set once the host has quantized it again: what it would be if it came back to the
    array, or why it could not.  That is looked at if an operator of the array reads it.
    """

    node: Node
    channels_last: bool = False
    back: Tensor | Unknown | Refusal | None = None


Value: TypeAlias = Unknown | Constant | Scaled | Input | Tensor | Exact | Hosted
