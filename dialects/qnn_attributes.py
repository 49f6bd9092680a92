"""
Attributes of `qnn`: positions, epilogues, and the boundary to the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    FixedBitwidthType,
    IntAttr,
    IntegerType,
    StringAttr,
    TensorType,
    i8,
)
from xdsl.ir import Attribute, Data, Operation, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from bsc.numerics import INT8_MAX, INT8_MIN, Requant


@irdl_attr_definition
class PosAttr(ParametrizedAttribute):
    """
    The position of a tensor, as its encoding: an integer q stands for q * 2^-position.

        tensor<1x56x56x64xi8, #qnn.pos<5>>
    """

    name = "qnn.pos"

    pos: IntAttr

    def __init__(self, pos: int | IntAttr):
        super().__init__(IntAttr(pos) if isinstance(pos, int) else pos)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[IntAttr]:
        with parser.in_angle_brackets():
            return [IntAttr(parser.parse_integer())]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_int(self.pos.data)


class Add(NamedTuple):
    """The step of an epilogue that adds the residual operand."""


Step = Requant | Add


@irdl_attr_definition
class EpilogueAttr(Data[tuple[Step, ...]]):
    """
    What happens to an exact result before it is stored: the roundings that the model has,
    in the model's order, and where the residual operand comes in.

        #qnn.epilogue<round 4, add, round 3 [0, 127]>

    rounds the accumulator to int8 at position 4, adds the residual, rounds the sum to
    position 3 and clamps it to [0, 127]: a convolution, an add and a relu.  Rounding is
    monotone, so a relu or clip before a rounding is the same as one after it, and clips
    are always written as the bounds of a rounding.
    """

    name = "qnn.epilogue"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[Step, ...]:
        return tuple(
            parser.parse_comma_separated_list(
                parser.Delimiter.ANGLE, lambda: _parse_step(parser)
            )
        )

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(", ".join(_step_text(step) for step in self.data))

    def verify(self) -> None:
        if not self.data or not isinstance(self.data[-1], Requant):
            raise VerifyException("an epilogue ends with a rounding")
        for step in self.data:
            if isinstance(step, Requant) and not INT8_MIN <= step.lo <= step.hi <= INT8_MAX:
                raise VerifyException(
                    f"bounds [{step.lo}, {step.hi}] do not lie in [{INT8_MIN}, {INT8_MAX}]"
                )


def _parse_step(parser: AttrParser) -> Step:
    if parser.parse_keyword_in(("round", "add")) == "add":
        return Add()
    pos = parser.parse_integer()
    if parser.parse_optional_punctuation("[") is None:
        return Requant(pos)
    lo = parser.parse_integer()
    parser.parse_punctuation(",")
    hi = parser.parse_integer()
    parser.parse_punctuation("]")
    return Requant(pos, lo, hi)


def _step_text(step: Step) -> str:
    if isinstance(step, Add):
        return "add"
    bounds = "" if step == Requant(step.pos) else f" [{step.lo}, {step.hi}]"
    return f"round {step.pos}{bounds}"


@irdl_attr_definition
class HostAttr(ParametrizedAttribute):
    """
    The other side of a function argument or result: the tensor that the host sees.

        #qnn.host<"data", "float32", "NCHW", [1, 3, 224, 224], zero 0>

    The ONNX name; the type, where "float32" says that the host quantizes with scale
    2^-position; the order of the elements, "NCHW" or "NHWC"; the ONNX dimensions, which may
    be fewer, as those of a flattened tensor; and the zero point.
    """

    name = "qnn.host"

    onnx_name: StringAttr
    dtype: StringAttr
    layout: StringAttr
    dims: ArrayAttr[IntAttr]
    zero: IntAttr

    def __init__(
        self, onnx_name: str, dtype: str, layout: str, dims: Sequence[int], zero: int = 0
    ):
        super().__init__(
            StringAttr(onnx_name),
            StringAttr(dtype),
            StringAttr(layout),
            ArrayAttr([IntAttr(d) for d in dims]),
            IntAttr(zero),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX dimensions."""
        return tuple(d.data for d in self.dims)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            texts: list[Attribute] = []
            for _ in range(3):
                texts.append(StringAttr(parse_text(parser)))
                parser.parse_punctuation(",")
            dims = parser.parse_comma_separated_list(
                parser.Delimiter.SQUARE, parser.parse_integer
            )
            parser.parse_punctuation(",")
            parser.parse_keyword("zero")
            zero = parser.parse_integer()
            return [*texts, ArrayAttr([IntAttr(d) for d in dims]), IntAttr(zero)]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            for text in (self.onnx_name, self.dtype, self.layout):
                printer.print_string_literal(text.data)
                printer.print_string(", ")
            printer.print_string(f"{list(self.shape)}, zero {self.zero.data}")

    def verify(self) -> None:
        if self.dtype.data not in ("float32", "int8", "uint8"):
            raise VerifyException(f"dtype must be float32, int8 or uint8, not {self.dtype}")
        if self.layout.data not in ("NCHW", "NHWC"):
            raise VerifyException(f"layout must be NCHW or NHWC, not {self.layout}")


def parse_text(parser: AttrParser) -> str:
    """A string literal, beyond ASCII too: xDSL prints other letters as escaped bytes, and
    reads those back as bytes."""
    data = parser.parse_optional_bytes_literal()
    return parser.parse_str_literal() if data is None else data.decode()


ELIDED = "qnn.elided"
"""The attribute that lists what an operation has made superfluous."""


ORDER = "qnn.order"
"""The attribute of what makes a tensor whose channels lie in another order than the model's:
for each granule of eight channels in memory, which one of the model it is."""


@irdl_attr_definition
class ElidedAttr(ParametrizedAttribute):
    """
    A tensor of the model that is no longer made, and why.

        #qnn.elided<"conv1_q", "its rounding is a step of the epilogue of relu1_q">
    """

    name = "qnn.elided"

    onnx_name: StringAttr
    reason: StringAttr

    def __init__(self, onnx_name: str, reason: str):
        super().__init__(StringAttr(onnx_name), StringAttr(reason))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            onnx_name = parse_text(parser)
            parser.parse_punctuation(",")
            return [StringAttr(onnx_name), StringAttr(parse_text(parser))]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(self.onnx_name.data)
            printer.print_string(", ")
            printer.print_string_literal(self.reason.data)


def order_of(op: Operation | None) -> tuple[int, ...]:
    """The order of the granules of the tensor that an operation makes; empty if it is the
    model's."""
    attr = op.attributes.get(ORDER) if op is not None else None
    return () if attr is None else cast(DenseArrayBase[IntegerType], attr).get_values()


def elided_of(op: Operation | None) -> tuple[ElidedAttr, ...]:
    """What an operation lists as elided."""
    attr = op.attributes.get(ELIDED) if op is not None else None
    return cast(ArrayAttr[ElidedAttr], attr).data if attr is not None else ()


def tensor(shape: Sequence[int], pos: int, element: FixedBitwidthType = i8) -> TensorType:
    """The type of a quantized NHWC tensor at position `pos`."""
    return TensorType(cast(Attribute, element), shape, PosAttr(pos))


def shape_of(type: Attribute) -> tuple[int, int, int, int]:
    """The NHWC shape of a quantized tensor type.  Raises VerifyException if it has none."""
    if not isinstance(type, TensorType):
        raise VerifyException(f"{type} is not a tensor")
    shape = type.get_shape()
    if len(shape) != 4 or min(shape) < 1:
        raise VerifyException(f"a tensor is 1 x H x W x C with fixed sizes, not {type}")
    if shape[0] != 1:
        raise VerifyException(f"the batch must be 1, not {shape[0]}: {type}")
    return (shape[0], shape[1], shape[2], shape[3])


def position_of(type: Attribute) -> int:
    """The position of a quantized tensor type.  Raises VerifyException if it has none."""
    if not isinstance(type, TensorType) or not isinstance(type.encoding, PosAttr):
        raise VerifyException(f"{type} has no position: write tensor<…xi8, #qnn.pos<p>>")
    return type.encoding.pos.data
