"""
`qnn`: quantized networks on tensors.

A value is a builtin tensor of shape 1 x H x W x C whose encoding is its position:
`tensor<1x56x56x64xi8, #qnn.pos<5>>` holds integers that stand for q * 2^-5.  Scales and
shifts follow from positions and are not stored twice.

Every operation computes an exact value, and its *epilogue* says how that value becomes
int8: by default, one rounding to the position of the result.  `--fuse-epilogue` makes
longer ones.  A convolution may take an int32 partial sum and yield one, which is how a
split of CIN is written (section 4.2 of the paper).

    %w = bsw.get @conv1 : !bsw.weight<64x3x3x64, pos 7, bias 12>
    %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
       : tensor<1x56x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7, bias 12>
       -> tensor<1x56x56x64xi8, #qnn.pos<4>>

Slices are upstream's `tensor.extract_slice` and `tensor.insert_slice`; `bsc.dialects.slices`
has the checks that they lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import (
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    TensorType,
    UnitAttr,
    i32,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.bsw import WeightType
from bsc.dialects.qnn_attributes import (
    ElidedAttr,
    EpilogueAttr,
    HostAttr,
    PosAttr,
    position_of,
    shape_of,
)
from bsc.dialects.qnn_base import ComputeOp, Operand, Read, Shape
from bsc.geometry import Window

IntArray = DenseArrayBase[IntegerType]
_PAIR = DenseArrayBase.from_list(i64, [1, 1])
_NO_PADS = DenseArrayBase.from_list(i64, [0, 0, 0, 0])
_POINTWISE = Window()


_WEIGHTED_FORMAT = (
    "$input `,` $weight (`partial` $partial^ `:` type($partial))? "
    "(`residual` $residual^ `:` type($residual))? attr-dict "
    "`:` type($input) `,` type($weight) `->` type($result)"
)


def _ints(values: Sequence[int]) -> IntArray:
    return DenseArrayBase.from_list(i64, values)


def _window(
    kernel: Sequence[int],
    strides: IntArray,
    dilations: IntArray,
    pads: IntArray,
) -> Window:
    """The window of three lists.  Raises VerifyException if a list has a wrong length."""
    lists: dict[str, Sequence[int]] = {"kernel": kernel} | {
        name: attr.get_values()
        for name, attr in (("strides", strides), ("dilations", dilations), ("pads", pads))
    }
    for name, values in lists.items():
        length, least = (4, 0) if name == "pads" else (2, 1)
        if len(values) != length or min(values) < least:
            raise VerifyException(
                f"{name} must be {length} numbers of at least {least}, not {list(values)}"
            )
    return Window.of(lists["kernel"], lists["strides"], lists["dilations"], lists["pads"])


def _windowed_shape(source: Shape, window: Window, channels: int) -> Shape:
    """The output of a window over `source`.  Raises VerifyException if nothing fits."""
    rows, cols = window.h.out_size(source[1]), window.w.out_size(source[2])
    if rows < 1 or cols < 1:
        raise VerifyException(
            f"the window ({window.h.reach} x {window.w.reach}) is larger than the padded "
            f"input of shape {source}"
        )
    return (1, rows, cols, channels)


class WeightedOp(ComputeOp):
    """
    An operation with a weight, and perhaps a partial sum and a residual to add.

    `packed` are the offsets, in the blob of packed weights, of what goes to each memtile.
    """

    input = operand_def(TensorType)
    weight = operand_def(WeightType)
    partial = opt_operand_def(TensorType)
    residual = opt_operand_def(TensorType)

    packed = opt_prop_def(DenseArrayBase.constr(i64))

    irdl_options = (ParsePropInAttrDict(), AttrSizedOperandSegments(as_property=True))

    @property
    def weight_type(self) -> WeightType:
        """The type of the weight operand."""
        return cast(WeightType, self.weight.type)

    @property
    def accumulator_pos(self) -> int:
        """The position of the exact sum: the products', or the bias' if that is larger."""
        pos = position_of(self.input.type) + self.weight_type.pos.data
        bias = self.weight_type.bias_pos
        return pos if bias is None else max(pos, bias)

    @property
    def residual_value(self) -> SSAValue | None:
        return self.residual

    @property
    def weight_value(self) -> SSAValue:
        return self.weight

    def reads(self) -> tuple[Read, ...]:
        own = [Read(v) for v in (self.partial, self.residual) if v is not None]
        return (self.input_read(), *own)

    def operand_of_read(self, index: int) -> int:
        return index if index == 0 else index + 1

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        assert weight is not None
        further = list(values[1:])
        partial = [further.pop(0)] if self.partial is not None else []
        return [values[0], weight, partial, further]

    def partial_sums(self) -> Sequence[SSAValue]:
        return [v for v in (self.partial, self.result) if v is not None]

    def input_read(self) -> Read:
        """How the input is read."""
        raise NotImplementedError

    def verify_operands(self) -> None:
        partials = [v for v in (self.partial,) if v is not None]
        if self.yields_partial_sum:
            partials.append(self.result)
        for value in partials:
            if cast(TensorType, value.type).element_type != i32:
                raise VerifyException(f"a partial sum is i32, not {value.type}")
            if position_of(value.type) < self.accumulator_pos:
                raise VerifyException(
                    f"a partial sum needs position {self.accumulator_pos} or more, "
                    f"not {position_of(value.type)}"
                )


@irdl_op_definition
class Conv2dOp(WeightedOp):
    """
    A convolution: sum over KH, KW and CIN of input and weight, plus bias.

    `pads` are (top, left, bottom, right) as in ONNX and are zeros.  With `groups` = g,
    output channel o reads the input channels of its group only; a depthwise convolution
    has g = CIN.  With `partial`, the int32 sum of other input channels is added; with an
    i32 result, the sum is handed on unrounded.
    """

    name = "qnn.conv2d"

    strides = prop_def(DenseArrayBase.constr(i64), _PAIR)
    dilations = prop_def(DenseArrayBase.constr(i64), _PAIR)
    pads = prop_def(DenseArrayBase.constr(i64), _NO_PADS)
    groups = prop_def(IntegerAttr.constr(i64), IntegerAttr(1, i64))

    assembly_format = _WEIGHTED_FORMAT

    def __init__(
        self,
        input: SSAValue | Operation,
        weight: SSAValue | Operation,
        result_type: TensorType,
        window: Window = _POINTWISE,
        groups: int = 1,
        partial: SSAValue | None = None,
        residual: SSAValue | None = None,
        epilogue: EpilogueAttr | None = None,
    ):
        h, w = window.h, window.w
        super().__init__(
            operands=[input, weight, partial, residual],
            result_types=[result_type],
            properties={
                "strides": _ints([h.stride, w.stride]),
                "dilations": _ints([h.dilation, w.dilation]),
                "pads": _ints([h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi]),
                "groups": IntegerAttr(groups, i64),
                "epilogue": epilogue,
            },
        )

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return self.groups.value.data

    def input_read(self) -> Read:
        kernel = self.weight_type.shape[1:3]
        window = _window(kernel, self.strides, self.dilations, self.pads)
        return Read(self.input, window, all_channels=True)

    def expected_shape(self) -> Shape:
        return _windowed_shape(
            shape_of(self.input.type), self.window, self.weight_type.shape[0]
        )

    def verify_operands(self) -> None:
        super().verify_operands()
        cin, groups = shape_of(self.input.type)[3], self.group_count
        cout, _, _, group_cin = self.weight_type.shape
        if groups < 1 or cin % groups or cout % groups:
            raise VerifyException(f"groups = {groups} must divide CIN = {cin}, COUT = {cout}")
        if group_cin * groups != cin:
            raise VerifyException(
                f"the weight has {group_cin} input channels in each of {groups} groups, "
                f"the input has {cin}"
            )


@irdl_op_definition
class DenseOp(WeightedOp):
    """
    A fully connected layer: every output reads the whole input.

    The weight has the input's H x W x C as KH x KW x CIN, so that a flattened feature map
    needs no copy; the result is 1 x 1 x 1 x COUT.
    """

    name = "qnn.dense"

    assembly_format = _WEIGHTED_FORMAT

    def __init__(
        self,
        input: SSAValue | Operation,
        weight: SSAValue | Operation,
        result_type: TensorType,
        partial: SSAValue | None = None,
        residual: SSAValue | None = None,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(
            operands=[input, weight, partial, residual],
            result_types=[result_type],
            properties={"epilogue": epilogue},
        )

    def input_read(self) -> Read:
        return Read(self.input, Window.of(self.weight_type.shape[1:3]), all_channels=True)

    def expected_shape(self) -> Shape:
        return (1, 1, 1, self.weight_type.shape[0])

    def verify_operands(self) -> None:
        super().verify_operands()
        if self.weight_type.shape[1:] != shape_of(self.input.type)[1:]:
            raise VerifyException(
                f"the weight reads {self.weight_type.shape[1:]}, "
                f"the input is {shape_of(self.input.type)[1:]}"
            )


class BinaryOp(ComputeOp):
    """Two tensors of one shape, element by element."""

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)

    assembly_format = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)"

    def __init__(
        self,
        lhs: SSAValue | Operation,
        rhs: SSAValue | Operation,
        result_type: TensorType,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(
            operands=[lhs, rhs],
            result_types=[result_type],
            properties={"epilogue": epilogue},
        )

    def reads(self) -> tuple[Read, ...]:
        return (Read(self.lhs), Read(self.rhs))

    def expected_shape(self) -> Shape:
        return shape_of(self.lhs.type)

    def verify_operands(self) -> None:
        if shape_of(self.lhs.type) != shape_of(self.rhs.type):
            raise VerifyException(
                f"operands differ in shape: {shape_of(self.lhs.type)}, "
                f"{shape_of(self.rhs.type)}"
            )


@irdl_op_definition
class AddOp(BinaryOp):
    """The sum, aligned to the larger of the two positions, then rounded once."""

    name = "qnn.add"


@irdl_op_definition
class MulOp(BinaryOp):
    """The product, at the sum of the two positions, then rounded once."""

    name = "qnn.mul"


class UnaryOp(ComputeOp):
    """One tensor in, one out."""

    input = operand_def(TensorType)

    assembly_format = "$input attr-dict `:` functional-type(operands, results)"

    def __init__(
        self,
        input: SSAValue | Operation,
        result_type: TensorType,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(
            operands=[input],
            result_types=[result_type],
            properties={"epilogue": epilogue},
        )

    def reads(self) -> tuple[Read, ...]:
        return (Read(self.input),)

    def expected_shape(self) -> Shape:
        return shape_of(self.input.type)


class PoolOp(UnaryOp):
    """A window over the input, channel by channel, and perhaps what other elements gave."""

    input = operand_def(TensorType)
    partial = opt_operand_def(TensorType)

    kernel = prop_def(DenseArrayBase.constr(i64))
    strides = prop_def(DenseArrayBase.constr(i64), _PAIR)
    dilations = prop_def(DenseArrayBase.constr(i64), _PAIR)
    pads = prop_def(DenseArrayBase.constr(i64), _NO_PADS)

    assembly_format = (
        "$input (`partial` $partial^)? attr-dict `:` functional-type(operands, results)"
    )

    def __init__(self, input: SSAValue | Operation, result_type: TensorType, window: Window):
        ComputeOp.__init__(self, operands=[input, []], result_types=[result_type])
        h, w = window.h, window.w
        self.properties["kernel"] = _ints([h.kernel, w.kernel])
        self.properties["strides"] = _ints([h.stride, w.stride])
        self.properties["dilations"] = _ints([h.dilation, w.dilation])
        self.properties["pads"] = _ints([h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi])

    def reads(self) -> tuple[Read, ...]:
        kernel = self.kernel.get_values()
        window = _window(kernel, self.strides, self.dilations, self.pads)
        further = () if self.partial is None else (Read(self.partial),)
        return (Read(self.input, window), *further)

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        return [values[0], values[1:]]

    def expected_shape(self) -> Shape:
        source = shape_of(self.input.type)
        return _windowed_shape(source, self.window, source[3])

    def verify_operands(self) -> None:
        if self.partial is None:
            return
        pos, own = position_of(self.partial.type), position_of(self.input.type)
        if pos != own:
            raise VerifyException(
                f"what other elements gave has the position of the input, {own}, not {pos}"
            )
        if (shape := shape_of(self.partial.type)) != self.shape:
            raise VerifyException(
                f"the partial result has the shape of the output, {self.shape}, not {shape}"
            )


@irdl_op_definition
class MaxPoolOp(PoolOp):
    """The largest element under the window, and of `partial`; padding never wins."""

    name = "qnn.max_pool"


@irdl_op_definition
class AvgPoolOp(PoolOp):
    """
    The mean under the window: an exact sum divided by the count, rounded once.

    With `count_pad` the count is the size of the window everywhere, else padding is left
    out of it.  With an i32 result, the sum is handed on, neither divided nor rounded; with
    `partial`, such a sum of other elements is added, and `count` says how many elements all
    these are.
    """

    name = "qnn.avg_pool"

    count_pad = opt_prop_def(UnitAttr)
    count = opt_prop_def(IntegerAttr.constr(i64))

    def __init__(
        self,
        input: SSAValue | Operation,
        result_type: TensorType,
        window: Window,
        count_pad: bool = False,
    ):
        super().__init__(input, result_type, window)
        if count_pad:
            self.properties["count_pad"] = UnitAttr()

    @property
    def divisor(self) -> int | None:
        """What every sum is divided by; None if that depends on where the window lies."""
        if self.count is not None:
            return self.count.value.data
        return self.window.taps if self.count_pad is not None else None

    def partial_sums(self) -> Sequence[SSAValue]:
        return [v for v in (self.partial, self.result) if v is not None]

    def verify_operands(self) -> None:
        super().verify_operands()
        if self.partial is not None:
            if cast(TensorType, self.partial.type).element_type != i32:
                raise VerifyException(f"a partial sum is i32, not {self.partial.type}")
            if self.count is None and not self.yields_partial_sum:
                raise VerifyException(
                    "a mean with a partial sum needs the count of all elements"
                )
        if self.yields_partial_sum and self.pos != position_of(self.input.type):
            raise VerifyException(
                f"a partial sum has the position of the input, "
                f"{position_of(self.input.type)}, not {self.pos}"
            )
        if self.count is not None and self.count.value.data < 1:
            raise VerifyException(f"count must be at least 1, not {self.count.value.data}")


@irdl_op_definition
class GlobalAvgPoolOp(UnaryOp):
    """The mean over all of H x W: the result is 1 x 1 x 1 x C."""

    name = "qnn.global_avg_pool"

    def reads(self) -> tuple[Read, ...]:
        return (Read(self.input, Window.of(shape_of(self.input.type)[1:3])),)

    def expected_shape(self) -> Shape:
        return (1, 1, 1, shape_of(self.input.type)[3])


@irdl_op_definition
class RequantizeOp(UnaryOp):
    """
    The same numbers at another position, rounded once and saturated.

    A relu or a clip is a requantization with narrower bounds:

        %y = qnn.requantize %x {epilogue = #qnn.epilogue<round 4 [0, 127]>} : ...
    """

    name = "qnn.requantize"


@irdl_op_definition
class ConcatOp(ComputeOp):
    """The inputs side by side along C, each requantized to the result's position."""

    name = "qnn.concat"

    inputs = var_operand_def(TensorType)

    assembly_format = "$inputs attr-dict `:` functional-type(operands, results)"

    def __init__(self, inputs: Sequence[SSAValue], result_type: TensorType):
        super().__init__(operands=[inputs], result_types=[result_type])

    def reads(self) -> tuple[Read, ...]:
        return tuple(Read(value) for value in self.inputs)

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        return [values]

    def expected_shape(self) -> Shape:
        shapes = [shape_of(value.type) for value in self.inputs]
        return (*shapes[0][:3], sum(shape[3] for shape in shapes))

    def verify_operands(self) -> None:
        shapes = {shape_of(value.type)[:3] for value in self.inputs}
        if len(shapes) != 1:
            raise VerifyException(f"inputs must agree in all but C, not {sorted(shapes)}")


@irdl_op_definition
class ReshapeOp(UnaryOp):
    """The same bytes in another shape: an alias, as flattening 1 x 1 x 1 x C is."""

    name = "qnn.reshape"

    def expected_shape(self) -> Shape:
        before, after = shape_of(self.input.type), self.shape
        if before[1] * before[2] * before[3] != after[1] * after[2] * after[3]:
            raise VerifyException(f"{before} and {after} have different sizes")
        return after

    def verify_operands(self) -> None:
        if position_of(self.input.type) != self.pos:
            raise VerifyException("a reshape keeps the position")


ALL_OPS: list[type[Operation]] = [
    Conv2dOp,
    DenseOp,
    AddOp,
    MulOp,
    MaxPoolOp,
    AvgPoolOp,
    GlobalAvgPoolOp,
    RequantizeOp,
    ConcatOp,
    ReshapeOp,
]
ALL_ATTRIBUTES: list[type[Attribute]] = [PosAttr, EpilogueAttr, HostAttr, ElidedAttr]

QNN = Dialect("qnn", ALL_OPS, ALL_ATTRIBUTES)
