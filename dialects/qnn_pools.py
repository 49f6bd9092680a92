"""
The pools of `qnn`: a window over the input, channel by channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, TensorType, UnitAttr, i32, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
)
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.qnn_attributes import position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Operand, Read, Shape
from bsc.dialects.qnn_pointwise import UnaryOp
from bsc.dialects.qnn_windows import NO_PADS, ONES, ints, window_of, windowed_shape
from bsc.geometry import Window


class PoolOp(UnaryOp):
    """A window over the input, channel by channel, and perhaps what other elements gave."""

    input = operand_def(TensorType)
    partial = opt_operand_def(TensorType)

    kernel = prop_def(DenseArrayBase.constr(i64))
    strides = prop_def(DenseArrayBase.constr(i64), ONES)
    dilations = prop_def(DenseArrayBase.constr(i64), ONES)
    pads = prop_def(DenseArrayBase.constr(i64), NO_PADS)

    assembly_format = (
        "$input (`partial` $partial^)? attr-dict `:` functional-type(operands, results)"
    )

    def __init__(self, input: SSAValue | Operation, result_type: TensorType, window: Window):
        ComputeOp.__init__(self, operands=[input, []], result_types=[result_type])
        h, w = window.h, window.w
        self.properties["kernel"] = ints([h.kernel, w.kernel])
        self.properties["strides"] = ints([h.stride, w.stride])
        self.properties["dilations"] = ints([h.dilation, w.dilation])
        self.properties["pads"] = ints([h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi])

    def reads(self) -> tuple[Read, ...]:
        kernel = self.kernel.get_values()
        window = window_of(kernel, self.strides, self.dilations, self.pads)
        further = () if self.partial is None else (Read(self.partial),)
        return (Read(self.input, window), *further)

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        return [values[0], values[1:]]

    def expected_shape(self) -> Shape:
        source = shape_of(self.input.type)
        return windowed_shape(source, self.window, source[3])

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
