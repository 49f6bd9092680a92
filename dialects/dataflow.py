"""
`dataflow`: memtiles and cores.

The dialect has two levels.  On tensors, `to_memtile` and `to_ddr` are the movements between
DDR and the memtiles that `--alloc-memtile` decides on; both yield the same values in
another place, which the attribute `dataflow.place` gives:

    %m = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 28, 56]>}
       : tensor<1x56x56x64xi8, #qnn.pos<5>>
    %y = qnn.conv2d %m, %w {dataflow.place = #dataflow.place<memtile 0x3100, w [0, 28, 56]>} …
    %d = dataflow.to_ddr %y {dataflow.place = #dataflow.place<ddr 0x31000>} : …

`--lower-to-dataflow` turns these into a `dataflow.program`: instructions that drive the
whole array, one operation for each line of the program text (`bsc.dialects.instructions`).
"""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from bsc.dialects import instructions
from bsc.dialects.bsw import WeightType
from bsc.dialects.limits import verify_place
from bsc.dialects.machine import ArchAttr
from bsc.dialects.placement import (
    PLACE,
    Memory,
    Place,
    PlaceAttr,
    SpreadAttr,
    SubvolumeAttr,
    place_of,
)

UNPLACED = "dataflow.unplaced"
"""The attribute that says why an operation got no room in the memtiles."""


class _MoveOp(IRDLOperation):
    """The same values in another memory."""

    T: ClassVar = VarConstraint("T", AnyAttr())

    source = operand_def(T)
    result = result_def(T)

    traits = traits_def(Pure())
    assembly_format = "$source attr-dict `:` type($source)"

    MEMORY: ClassVar[Memory] = Memory.DDR

    def __init__(self, source: SSAValue, place: Place):
        super().__init__(
            operands=[source],
            result_types=[source.type],
            attributes={PLACE: PlaceAttr(place)},
        )

    def verify_(self) -> None:
        place = place_of(self)
        if place is None or place.memory is not self.MEMORY:
            raise VerifyException(f"{self.name} needs a place in {self.MEMORY.value}")
        type: Attribute = self.source.type
        if not isinstance(type, TensorType | WeightType):
            raise VerifyException(f"{type} is neither a tensor nor a weight")
        needs_spread = self.MEMORY is Memory.MEMTILE and isinstance(type, TensorType)
        if needs_spread != (place.spread is not None):
            raise VerifyException("a tensor in the memtiles, and only that, has a spread")
        verify_place(self, self.result)


@irdl_op_definition
class ToMemtileOp(_MoveOp):
    """A tensor or a packed weight, fetched from DDR into the memtiles."""

    name = "dataflow.to_memtile"
    MEMORY: ClassVar[Memory] = Memory.MEMTILE


@irdl_op_definition
class ToDdrOp(_MoveOp):
    """A tensor, written from the memtiles to DDR."""

    name = "dataflow.to_ddr"
    MEMORY: ClassVar[Memory] = Memory.DDR


ALL_OPS: list[type[Operation]] = [ToMemtileOp, ToDdrOp, *instructions.ALL_OPS]
ALL_ATTRIBUTES: list[type[Attribute]] = [
    ArchAttr,
    SpreadAttr,
    PlaceAttr,
    SubvolumeAttr,
    *instructions.ALL_ATTRIBUTES,
]

DATAFLOW = Dialect("dataflow", ALL_OPS, ALL_ATTRIBUTES)
