"""
The operations of `qnn` that work element by element, or only say how bytes are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, TensorType, i8, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, var_operand_def
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.qnn_attributes import EpilogueAttr, position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Operand, Read, Shape
from bsc.dialects.slices import Box
from bsc.geometry import Axis, Window, ceil_div
from bsc.numerics import TABLE_SIZE


class BinaryOp(ComputeOp):
    """
    Two tensors, element by element.

    A single row or column of the second one stands for all: a number for each channel is
    1 x 1 x 1 x C.
    """

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
        return (Read(self.lhs), Read(self.rhs, self.repeats))

    @property
    def repeats(self) -> Window:
        """How the output lies over the second operand: stride 0 where one row or column of
        it is read again and again."""
        (_, h, w, _), own = shape_of(self.rhs.type), self.shape
        return Window(Axis(stride=int(h == own[1])), Axis(stride=int(w == own[2])))

    def expected_shape(self) -> Shape:
        return shape_of(self.lhs.type)

    def verify_operands(self) -> None:
        first, second = shape_of(self.lhs.type), shape_of(self.rhs.type)
        sizes = zip(first[1:3], second[1:3], strict=True)
        if first[3] != second[3] or any(b not in (a, 1) for a, b in sizes):
            raise VerifyException(
                f"operands differ in shape: {first}, {second}; the second may have a single "
                "row or column that stands for all"
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


@irdl_op_definition
class RequantizeOp(UnaryOp):
    """
    The same numbers at another position, rounded once and saturated.

    A relu or a clip is a requantization with narrower bounds:

        %y = qnn.requantize %x {epilogue = #qnn.epilogue<round 4 [0, 127]>} : ...
    """

    name = "qnn.requantize"


@irdl_op_definition
class LookupOp(UnaryOp):
    """
    A function of one number, as a table: the element of index q + 128 is the function of q.

    The elements are numbers at position `table_pos`, with which the epilogue begins:

        %y = qnn.lookup %x {table = array<i8: ...>, table_pos = 7} : ...
    """

    name = "qnn.lookup"

    table = prop_def(DenseArrayBase.constr(i8))
    table_pos = prop_def(IntegerAttr.constr(i64))

    def __init__(
        self,
        input: SSAValue | Operation,
        table: Sequence[int],
        table_pos: int,
        result_type: TensorType,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(input, result_type, epilogue)
        self.properties["table"] = DenseArrayBase.from_list(i8, table)
        self.properties["table_pos"] = IntegerAttr(table_pos, i64)

    @property
    def entries(self) -> tuple[int, ...]:
        """The elements of the table."""
        return tuple(self.table.get_values())

    def verify_operands(self) -> None:
        if len(self.entries) != TABLE_SIZE:
            raise VerifyException(f"a table has {TABLE_SIZE} elements, not {len(self.entries)}")


@irdl_op_definition
class ResizeOp(UnaryOp):
    """
    Each pixel stands for `factor` rows and columns of pixels: the nearest one.

    Of the first row and column of the input, `phase` outputs belong to a piece before this one;
    the last ones may stand for fewer outputs as well.
    """

    name = "qnn.resize"

    factor = prop_def(DenseArrayBase.constr(i64))
    phase = prop_def(DenseArrayBase.constr(i64), DenseArrayBase.from_list(i64, [0, 0]))

    def __init__(
        self,
        input: SSAValue | Operation,
        factor: Sequence[int],
        result_type: TensorType,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(input, result_type, epilogue)
        self.properties["factor"] = DenseArrayBase.from_list(i64, factor)

    def reads(self) -> tuple[Read, ...]:
        axes = self._axes()
        return (Read(self.input, Window(*axes)),)

    def _axes(self) -> list[Axis]:
        """Rows and columns.  Raises VerifyException if they are not as they must be."""
        factor, phase = self.factor.get_values(), self.phase.get_values()
        if len(factor) != 2 or len(phase) != 2 or min(factor) < 1:
            raise VerifyException(
                f"factor and phase must be two numbers each, factors of at least 1, not "
                f"{list(factor)} and {list(phase)}"
            )
        if any(not 0 <= p < f for f, p in zip(factor, phase, strict=True)):
            raise VerifyException(
                f"phase must lie below the factor {list(factor)}, not {list(phase)}"
            )
        return [Axis(repeat=f, phase=p) for f, p in zip(factor, phase, strict=True)]

    def expected_shape(self) -> Shape:
        _, h, w, c = shape_of(self.input.type)
        sizes: list[int] = []
        for axis, size, own in zip(self._axes(), (h, w), self.shape[1:3], strict=True):
            covered = (own - 1 + axis.phase) // axis.repeat + 1 == size
            sizes.append(own if covered else size * axis.repeat - axis.phase)
        return (1, sizes[0], sizes[1], c)


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
class InterleaveOp(ComputeOp):
    """
    The pixels of the inputs by turns: with `factor` = (m, n), row i and column j come from
    input (i mod m) * n + j mod n, each requantized to the result's position.

    So the outputs of a transposed convolution come together: those that the same taps of the
    kernel contribute to are an ordinary convolution.
    """

    name = "qnn.interleave"

    inputs = var_operand_def(TensorType)
    factor = prop_def(DenseArrayBase.constr(i64))

    assembly_format = "$inputs attr-dict `:` functional-type(operands, results)"

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        factor: Sequence[int],
        result_type: TensorType,
        epilogue: EpilogueAttr | None = None,
    ):
        super().__init__(
            operands=[inputs],
            result_types=[result_type],
            properties={
                "factor": DenseArrayBase.from_list(i64, factor),
                "epilogue": epilogue,
            },
        )

    @property
    def factors(self) -> tuple[int, int]:
        """How many inputs there are along H and W.  Raises VerifyException if they are not as
        they must be."""
        factor = self.factor.get_values()
        if len(factor) != 2 or min(factor) < 1 or factor[0] * factor[1] != len(self.inputs):
            raise VerifyException(
                f"factor must be two numbers whose product is that of the inputs, "
                f"{len(self.inputs)}, not {list(factor)}"
            )
        return factor[0], factor[1]

    def boxes(self) -> list[Box]:
        """Where the pixels of each input go."""
        _, h, w, c = self.shape
        rows, columns = self.factors
        return [
            Box(
                (0, i, j, 0),
                (1, ceil_div(h - i, rows), ceil_div(w - j, columns), c),
                (rows, columns),
            )
            for i in range(rows)
            for j in range(columns)
        ]

    def reads(self) -> tuple[Read, ...]:
        window = Window(*(Axis(repeat=n) for n in self.factors))
        return tuple(Read(value, window) for value in self.inputs)

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        return [values]

    def expected_shape(self) -> Shape:
        shapes = [shape_of(value.type) for value in self.inputs]
        _, columns = self.factors
        height = sum(shape[1] for shape in shapes[::columns])
        return (1, height, sum(shape[2] for shape in shapes[:columns]), shapes[0][3])

    def verify_operands(self) -> None:
        for value, box in zip(self.inputs, self.boxes(), strict=True):
            if shape_of(value.type) != box.sizes:
                (_, row, column, _), (rows, columns) = box.offsets, box.steps
                raise VerifyException(
                    f"an input for rows {row}, {row + rows}, … and columns {column}, "
                    f"{column + columns}, … must be {box.sizes}, not {shape_of(value.type)}"
                )


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
