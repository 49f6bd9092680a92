"""
The operations of `qnn` with a weight: convolutions and dense layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, TensorType, i32, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
)
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.bsw import WeightType
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Operand, Read, Shape
from bsc.dialects.qnn_windows import NO_PADS, ONES, ints, window_of, windowed_shape
from bsc.geometry import Window

_POINTWISE = Window()

_WEIGHTED_FORMAT = (
    "$input `,` $weight (`partial` $partial^ `:` type($partial))? "
    "(`residual` $residual^ `:` type($residual))? attr-dict "
    "`:` type($input) `,` type($weight) `->` type($result)"
)


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
        return cast(WeightType, self.weight_value.type)

    @property
    def accumulator_pos(self) -> int:
        """The position of the exact sum: the products', or the bias' if that is larger."""
        pos = position_of(self.input_value.type) + self.weight_type.pos.data
        bias = self.weight_type.bias_pos
        return pos if bias is None else max(pos, bias)

    @property
    def residual_value(self) -> SSAValue | None:
        return self.residual

    # By number, which is much faster than by name: a name means counting the optional ones.

    @property
    def input_value(self) -> SSAValue:
        """The activation under the window."""
        return self.operands[0]

    @property
    def weight_value(self) -> SSAValue:
        return self.operands[1]

    def reads(self) -> tuple[Read, ...]:
        return (self.input_read(), *map(Read, self.operands[2:]))

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
        for name, value in (("partial sum", self.partial), ("residual", self.residual)):
            if value is not None and (shape := shape_of(value.type)) != self.shape:
                raise VerifyException(
                    f"the {name} has the shape of the output, {self.shape}, not {shape}"
                )
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

    strides = prop_def(DenseArrayBase.constr(i64), ONES)
    dilations = prop_def(DenseArrayBase.constr(i64), ONES)
    pads = prop_def(DenseArrayBase.constr(i64), NO_PADS)
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
                "strides": ints([h.stride, w.stride]),
                "dilations": ints([h.dilation, w.dilation]),
                "pads": ints([h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi]),
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
        window = window_of(kernel, self.strides, self.dilations, self.pads)
        return Read(self.input_value, window, all_channels=True)

    def expected_shape(self) -> Shape:
        return windowed_shape(shape_of(self.input.type), self.window, self.weight_type.shape[0])

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
        window = Window.of(self.weight_type.shape[1:3])
        return Read(self.input_value, window, all_channels=True)

    def expected_shape(self) -> Shape:
        return (1, 1, 1, self.weight_type.shape[0])

    def verify_operands(self) -> None:
        super().verify_operands()
        if self.weight_type.shape[1:] != shape_of(self.input.type)[1:]:
            raise VerifyException(
                f"the weight reads {self.weight_type.shape[1:]}, "
                f"the input is {shape_of(self.input.type)[1:]}"
            )
