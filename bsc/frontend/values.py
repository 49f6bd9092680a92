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
from typing import TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from bsc.dialects.qnn_attributes import EpilogueAttr, position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Shape
from bsc.frontend.graph import Constant, Dims, Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.tensors import Array


@dataclass(frozen=True)
class Unknown:
    """A tensor that cannot be had because of `cause`, which was refused already; what reads
    it is not looked at further."""

    cause: str


class Missing(Exception):
    """What a node needs is not known: no problem of the node's own."""

    def __init__(self, value: Unknown):
        super().__init__(value.cause)
        self.value = value


@dataclass(frozen=True)
class Input:
    """A graph input that the array has not got yet; `dims` are those after reshapes,
    `given` those that the host has."""

    name: str
    type: str
    dims: Dims
    given: Dims


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

    `dims` are what ONNX thinks it is.  Its elements in ONNX's order are always those of
    `value`, a 1 x H x W x C tensor, in the order C, H, W; a reshape changes `dims` only.
    """

    name: str
    value: SSAValue
    dims: Dims
    real: bool

    @property
    def shape(self) -> Shape:
        """(1, H, W, C)."""
        return shape_of(self.value.type)

    @property
    def pos(self) -> int:
        """The position of the numbers."""
        return position_of(self.value.type)

    def feature_map(self) -> Shape:
        """(1, H, W, C), if that is what ONNX sees too.  Raises Refusal if it is not."""
        _, h, w, c = self.shape
        if self.dims != (1, c, h, w):
            raise Refusal(
                f"tensor {quoted(self.name)} is read as {list(self.dims)}, but its data lie "
                f"as {[1, c, h, w]}: a reshape here would have to move data"
            )
        return self.shape


Maker: TypeAlias = Callable[[TensorType, EpilogueAttr | None], ComputeOp]
"""Makes the operation that yields a given type, rounding as the epilogue says."""


@dataclass(frozen=True)
class Exact:
    """An exact result of `node`, which no QuantizeLinear has rounded yet.

    `shape` is what the operation yields, `lo` and `hi` are the bounds that relus and clips
    have set.  `biased`, on products without a bias, adds one.  `bound` is the largest
    magnitude, as an integer, that occurs before the rounding; 0 if nothing is added up.
    `weights`, of products, are COUT x KH x KW x CIN.
    """

    node: Node
    shape: Shape
    dims: Dims
    make: Maker
    bound: int = 0
    lo: float = -math.inf
    hi: float = math.inf
    biased: Callable[[Scaled], Exact] | None = None
    weights: Array | None = None

    def clipped(self, lo: float, hi: float) -> Exact:
        """The same, clipped to [lo, hi] once more."""
        return replace(
            self,
            lo=min(max(self.lo, lo), hi),
            hi=min(max(self.hi, lo), hi),
            biased=None,
        )


@dataclass(frozen=True)
class Hosted:
    """Something that the host computes, from results of the array or from inputs.

    `unrounded` is a node that would need an exact result of the array, and how to say so:
    only rounded ones leave the array.

    `back` is set once the host has quantized it again: what it would be if it came back to the
    array, or why it could not.  That is looked at if an operator of the array reads it.
    """

    node: Node
    sources: tuple[Tensor, ...]
    unrounded: tuple[Node, str] | None = None
    back: Tensor | Unknown | Refusal | None = None


Value: TypeAlias = Unknown | Constant | Scaled | Input | Tensor | Exact | Hosted
