"""
What the operations of `qnn` have in common: `ComputeOp`, and the `Read`s that tell the
passes which part of which input a slice of the output needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self, cast

from xdsl.dialects.builtin import StringAttr, TensorType, i8, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation, ParsePropInAttrDict, opt_prop_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.limits import (
    verify_covers,
    verify_pieces,
    verify_place,
    verify_subvolume,
)
from bsc.dialects.placement import SpreadAttr, SubvolumeAttr
from bsc.dialects.qnn_attributes import Add, EpilogueAttr, position_of, shape_of
from bsc.geometry import Window, stored_channels
from bsc.numerics import Epilogue, Requant, Residual, Rounding

Shape = tuple[int, int, int, int]
Operand = SSAValue | Sequence[SSAValue]


class Read(NamedTuple):
    """An activation that an operation reads: the window of the output over it, and
    whether an output channel needs more of its channels than its own."""

    value: SSAValue
    window: Window = Window()
    all_channels: bool = False


class ComputeOp(IRDLOperation, ABC):
    """
    What all operations of `qnn` have: one result, an epilogue, and once the passes have
    run, how the grid shares the work.

    `columns` is the spread of the output over the columns of cores, `rows` that of the
    output channels over the rows, `subvolume` what one core computes at once.
    """

    epilogue = opt_prop_def(EpilogueAttr)
    rounding = opt_prop_def(StringAttr)
    columns = opt_prop_def(SpreadAttr)
    rows = opt_prop_def(SpreadAttr)
    subvolume = opt_prop_def(SubvolumeAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    @abstractmethod
    def reads(self) -> tuple[Read, ...]:
        """The activations read, the one under the window first."""

    @abstractmethod
    def expected_shape(self) -> Shape:
        """The result's shape as it follows from operands and properties."""

    def operand_of_read(self, index: int) -> int:
        """Which of the operands is the activation `reads()[index]`."""
        return index

    def with_reads(self, values: Sequence[SSAValue], weight: SSAValue | None) -> list[Operand]:
        """The operands, as `rebuilt` takes them, for other activations in the order of
        `reads` and another weight."""
        return list(values)

    def rebuilt(
        self,
        operands: Sequence[Operand],
        result_type: Attribute,
        properties: Mapping[str, Attribute | None] | None = None,
    ) -> Self:
        """The same operation on other operands, with some properties replaced (or, for
        None, removed) and the same location."""
        kept = {k: v for k, v in self.properties.items() if k != "operandSegmentSizes"}
        merged = {**kept, **(properties or {})}
        new = self.build(
            operands=operands,
            result_types=[result_type],
            properties={k: v for k, v in merged.items() if v is not None},
            attributes=dict(self.attributes),
        )
        new.location = self.location
        new.result.name_hint = self.result.name_hint
        return new

    def partial_sums(self) -> Sequence[SSAValue]:
        """The int32 values that it takes and makes."""
        return ()

    def largest_subvolume(self) -> tuple[int, int, int, int]:
        """Rows, width, COUT and CIN of the whole layer, channels as stored.

        The last piece of a tensor may fill up the granule further than its own channels
        do; the rows then share more.
        """
        _, height, width, channels = self.shape
        shared = 0 if self.rows is None else self.rows.data.bounds[-1]
        cin = shape_of(self.reads()[0].value.type)[3]
        return height, width, max(stored_channels(channels), shared), stored_channels(cin)

    def verify_operands(self) -> None:
        """What an operation checks beyond shapes.  Raises VerifyException."""

    @property
    def shape(self) -> Shape:
        """The result's NHWC shape."""
        return shape_of(self.result.type)

    @property
    def pos(self) -> int:
        """The result's position."""
        return position_of(self.result.type)

    @property
    def window(self) -> Window:
        """The window of the first operand."""
        return self.reads()[0].window

    @property
    def residual_value(self) -> SSAValue | None:
        """The operand that the epilogue adds."""
        return None

    @property
    def weight_value(self) -> SSAValue | None:
        """The weight, for convolutions and dense layers."""
        return None

    @property
    def yields_partial_sum(self) -> bool:
        """Whether the result is an int32 sum that waits for its rounding."""
        return self.result.type.element_type == i32

    @property
    def mode(self) -> Rounding:
        """How the epilogue rounds."""
        return Rounding.HALF_EVEN if self.rounding is None else Rounding(self.rounding.data)

    def steps(self) -> Epilogue:
        """The epilogue as numbers: the default, one rounding, is written out."""
        if self.epilogue is None:
            return () if self.yields_partial_sum else (Requant(self.pos),)
        residual = self.residual_value
        pos = 0 if residual is None else position_of(residual.type)
        return tuple(
            Residual(pos) if isinstance(step, Add) else step for step in self.epilogue.data
        )

    def verify_(self) -> None:
        for value in (*(read.value for read in self.reads()), self.result):
            shape_of(value.type)
            position_of(value.type)
        self._verify_elements()
        self.verify_operands()
        if self.shape != (expected := self.expected_shape()):
            raise VerifyException(f"the result's shape must be {expected}, not {self.shape}")
        self._verify_epilogue()
        self._verify_spreads()
        if self.subvolume is not None:
            verify_subvolume(self.subvolume.data, self.largest_subvolume())
        verify_place(self, self.result)

    def _verify_epilogue(self) -> None:
        if self.rounding is not None and self.rounding.data not in {r.value for r in Rounding}:
            raise VerifyException(
                f"rounding must be one of {', '.join(r.value for r in Rounding)}, "
                f'not "{self.rounding.data}"'
            )
        steps = self.steps()
        if self.yields_partial_sum:
            if steps:
                raise VerifyException("a partial sum is not rounded: no epilogue")
            return
        if cast(Requant, steps[-1]).pos != self.pos:
            raise VerifyException(
                f"the epilogue ends at position {cast(Requant, steps[-1]).pos}, "
                f"the result is at {self.pos}"
            )
        adds = sum(isinstance(step, Residual) for step in steps)
        if adds != (self.residual_value is not None):
            raise VerifyException("the epilogue must add the residual operand exactly once")

    def _verify_elements(self) -> None:
        """Numbers are int8; only partial sums are int32."""
        sums = set(self.partial_sums())
        for value in (*(read.value for read in self.reads()), self.result):
            element = cast(TensorType, value.type).element_type
            if element != i8 and (element != i32 or value not in sums):
                raise VerifyException(
                    "an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), "
                    f"not {element}"
                )

    def _verify_spreads(self) -> None:
        _, _, width, channels = self.shape
        if self.columns is not None:
            columns = self.columns.data
            if columns.axis == "all":
                raise VerifyException("columns share W or C: a spread over w or c")
            verify_covers("columns", columns, width if columns.axis == "w" else channels)
            verify_pieces(self, "columns", columns, "columns")
            if columns.axis == "c":
                # Rows then share what one column has.
                channels = max(columns.sizes)
        if self.rows is not None:
            if self.rows.data.axis != "c":
                raise VerifyException("rows share output channels: a spread over c")
            # As long as there are no columns, their share of the channels is not known.
            if self.columns is not None or self.shape[2] > 1:
                verify_covers("rows", self.rows.data, channels)
            verify_pieces(self, "rows", self.rows.data, "rows")
