"""
Where tensors live and how the grid shares the work: attributes of the `dataflow` dialect.

The W split and COUT split of the paper (section 4.2) are *spreads*: boundaries along W or
C that cut a tensor into one piece a column, or the output channels into one piece a row.
A *place* is a memory with an address, and for memtiles the spread over them.  A
*subvolume* is the largest computation that a core does at once.
"""

from __future__ import annotations

from typing import NamedTuple

from xdsl.ir import Data, Operation
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from bsc.geometry import lengths


class SpreadAxis(StrEnum):
    """Along what a tensor is cut into pieces."""

    W = "w"
    C = "c"
    ALL = "all"


class Spread(NamedTuple):
    """A cut of W or C with explicit boundaries, or ALL: every piece is the whole tensor."""

    axis: SpreadAxis
    bounds: tuple[int, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The length of each piece along the axis."""
        return lengths(self.bounds)


@irdl_attr_definition
class SpreadAttr(Data[Spread]):
    """
    A spread over the columns or the rows of the grid.

        #dataflow.spread<w [0, 14, 28, 42, 56]>    // W = 56 over four columns
        #dataflow.spread<c [0, 16, 32, 32, 32]>    // C = 32: two pieces are empty
        #dataflow.spread<all>                      // every column has the whole tensor
    """

    name = "dataflow.spread"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Spread:
        with parser.in_angle_brackets():
            return _parse_spread(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(_spread_text(self.data))

    def verify(self) -> None:
        _verify_spread(self.data)


def _verify_spread(spread: Spread) -> None:
    axis, bounds = spread
    if axis is SpreadAxis.ALL:
        if bounds:
            raise VerifyException("a spread over all has no boundaries")
    elif len(bounds) < 2 or bounds[0] != 0 or list(bounds) != sorted(bounds):
        raise VerifyException(f"boundaries must rise from 0: {list(bounds)}")


def _parse_spread(parser: AttrParser) -> Spread:
    axis = parser.parse_str_enum(SpreadAxis)
    if axis is SpreadAxis.ALL:
        return Spread(axis)
    bounds = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
    return Spread(axis, tuple(bounds))


def _spread_text(spread: Spread) -> str:
    if spread.axis is SpreadAxis.ALL:
        return spread.axis.value
    return f"{spread.axis.value} [{', '.join(map(str, spread.bounds))}]"


class Memory(StrEnum):
    """The memories that hold tensors between layers."""

    DDR = "ddr"
    MEMTILE = "memtile"


class Place(NamedTuple):
    """An address in bytes; in memtiles the same in each, with a tensor's spread over them
    (weights have none: each memtile holds what its links carry)."""

    memory: Memory
    address: int
    spread: Spread | None = None


@irdl_attr_definition
class PlaceAttr(Data[Place]):
    """
    Where a tensor is.

        #dataflow.place<ddr 0x1000>
        #dataflow.place<memtile 0x1c00, w [0, 14, 28, 42, 56]>
        #dataflow.place<memtile 0x4000>      // weights
    """

    name = "dataflow.place"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Place:
        with parser.in_angle_brackets():
            memory = parser.parse_str_enum(Memory)
            address = parser.parse_integer(allow_negative=False)
            spread = None
            if parser.parse_optional_punctuation(",") is not None:
                spread = _parse_spread(parser)
            return Place(memory, address, spread)

    def print_parameter(self, printer: Printer) -> None:
        memory, address, spread = self.data
        with printer.in_angle_brackets():
            printer.print_string(f"{memory.value} 0x{address:x}")
            if spread is not None:
                printer.print_string(f", {_spread_text(spread)}")

    def verify(self) -> None:
        if self.data.memory is Memory.DDR and self.data.spread is not None:
            raise VerifyException("only a place in memtiles has a spread")
        if self.data.spread is not None:
            _verify_spread(self.data.spread)


PLACE = "dataflow.place"
"""The attribute that says where an operation's result is."""


def place_of(op: Operation) -> Place | None:
    """Where an operation's result is, if that has been decided."""
    attr = op.attributes.get(PLACE)
    return attr.data if isinstance(attr, PlaceAttr) else None


class Stationary(StrEnum):
    """The operand that stays in the core while the other one streams past it."""

    WEIGHTS = "weights"
    ACTIVATIONS = "activations"


class Subvolume(NamedTuple):
    """What a core computes at once (section 4.2): `rows` x `width` pixels of the output,
    `cout` output channels, `cin` input channels, and the operand that stays."""

    rows: int
    width: int
    cout: int
    cin: int
    stationary: Stationary = Stationary.WEIGHTS


@irdl_attr_definition
class SubvolumeAttr(Data[Subvolume]):
    """
    The subvolume of an operation.

        #dataflow.subvolume<rows 5, width 14, cout 16, cin 64, stationary weights>
    """

    name = "dataflow.subvolume"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Subvolume:
        numbers: list[int] = []
        with parser.in_angle_brackets():
            for name in ("rows", "width", "cout", "cin"):
                parser.parse_keyword(name)
                numbers.append(parser.parse_integer(allow_negative=False))
                parser.parse_punctuation(",")
            parser.parse_keyword("stationary")
            rows, width, cout, cin = numbers
            return Subvolume(rows, width, cout, cin, parser.parse_str_enum(Stationary))

    def print_parameter(self, printer: Printer) -> None:
        rows, width, cout, cin, stationary = self.data
        with printer.in_angle_brackets():
            printer.print_string(
                f"rows {rows}, width {width}, cout {cout}, cin {cin}, "
                f"stationary {stationary.value}"
            )

    def verify(self) -> None:
        if min(self.data[:4]) < 1:
            raise VerifyException(f"a subvolume must be positive: {self.data[:4]}")
