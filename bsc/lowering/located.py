"""Where the bytes of a value are, memtile by memtile.

A value is a tensor with a place, or a slice of one.  The slice keeps the distances between
rows and pixels of the whole, starts somewhere inside of it, and has its own view of the
spread.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp, InsertSliceOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from bsc.arch import Arch
from bsc.dialects.dataflow import PLACE, place_of
from bsc.dialects.network import Network, fail
from bsc.dialects.placement import Memory, Place, PlaceAttr, Spread, SpreadAxis
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import Box, box_of
from bsc.geometry import Window, ceil_div
from bsc.tiling.from_ir import element_bytes, hwc, output_channels
from bsc.tiling.layer import Source, slice_spread


@dataclass(frozen=True)
class Located:
    """A tensor or slice in memory.  `whole` is the tensor that it is a part of."""

    place: Place
    whole: Source
    box: Box

    @property
    def spread(self) -> Spread:
        """The spread of this part."""
        return slice_spread(self.whole.spread, self.box)

    def row_bytes(self, memtile: int) -> int:
        """Bytes from row to row of this part in one memtile."""
        return self.whole.row_bytes(memtile) * self.box.steps[0]

    def pixel_bytes(self, memtile: int) -> int:
        """Bytes from pixel to pixel of this part in one memtile."""
        return self.whole.pixel_bytes(memtile) * self.box.steps[1]

    def address(self, memtile: int, row: int = 0) -> int:
        """Where a row of this part begins in one memtile."""
        _, h0, w0, c0 = self.box.offsets
        spread, step = self.whole.spread, self.box.steps[1]
        if spread.axis is SpreadAxis.W:
            # The first pixel of this part that is not in a memtile before.
            w0 += max(0, ceil_div(spread.bounds[memtile] - w0, step)) * step
            w0 = min(w0, spread.bounds[memtile + 1]) - spread.bounds[memtile]
        elif spread.axis is SpreadAxis.C:
            c0 = max(0, min(c0, spread.bounds[memtile + 1]) - spread.bounds[memtile])
        return (
            self.place.address
            + h0 * self.whole.row_bytes(memtile)
            + row * self.row_bytes(memtile)
            + w0 * self.whole.pixel_bytes(memtile)
            + c0 * self.whole.element
        )

    def extent(self, arch: Arch, rows: tuple[int, int]) -> tuple[int, int]:
        """Addresses [lo, hi) that rows [lo, hi) of this part take up in some memtile."""
        h0, step = self.box.offsets[1], self.box.steps[0]
        first, end = h0 + rows[0] * step, h0 + (rows[1] - 1) * step + 1
        pitches = [self.whole.row_bytes(m) for m in range(arch.memtiles)]
        pitches = [p for p in pitches if p] or [0]
        base = self.place.address
        return base + first * min(pitches), base + end * max(pitches)

    @property
    def ddr_row(self) -> int:
        """Bytes from row to row of this part in DDR."""
        return self.box.steps[0] * self.whole.shape[1] * self._ddr_pixel

    @property
    def ddr_pixel(self) -> int:
        """Bytes from pixel to pixel of this part in DDR."""
        return self.box.steps[1] * self._ddr_pixel

    @property
    def _ddr_pixel(self) -> int:
        return self.whole.channels * self.whole.element

    @property
    def ddr_start(self) -> int:
        """Where this part begins in DDR."""
        _, h0, w0, c0 = self.box.offsets
        start = (h0 * self.whole.shape[1] + w0) * self._ddr_pixel + c0 * self.whole.element
        return self.place.address + start


def locate(network: Network, value: SSAValue) -> Located:
    """Where `value` is.  Raises PassFailedException if it has no place yet."""
    offsets, sizes = [0, 0, 0, 0], shape_of(value.type)
    part = value
    while isinstance(owner := part.owner, ExtractSliceOp):
        offsets = [a + b for a, b in zip(offsets, box_of(owner).offsets, strict=True)]
        part = owner.source
    place = placed(network, part)
    if place is None:
        fail(value, "has no place: run --alloc-memtile first")
    n, h, w, c = offsets
    return _located(place, part, Box((n, h, w, c), sizes))


def destination(network: Network, op: Operation) -> Located:
    """Where an operation puts its result: its own place, or the part of an assembled
    tensor that the result is inserted into."""
    result = op.results[0]
    own = place_of(op)
    users = [use.operation for use in result.uses]
    if (
        len(users) == 1
        and isinstance(user := users[0], InsertSliceOp)
        and user.source == result
    ):
        place = placed(network, user.result)
        if place is not None and (own is None or own.memory is place.memory):
            return _located(place, user.result, box_of(user))
    if own is None:
        fail(op, "has no place: run --alloc-memtile first")
    return _located(own, result, Box((0, 0, 0, 0), shape_of(result.type)))


def _located(place: Place, whole: SSAValue, box: Box) -> Located:
    spread = place.spread or Spread(SpreadAxis.ALL)
    owner = whole.owner
    room = output_channels(owner) if isinstance(owner, ComputeOp) else 0
    source = Source(hwc(whole), Window(), False, spread, element_bytes(whole), room)
    return Located(place, source, box)


def placed(network: Network, value: SSAValue) -> Place | None:
    """The place that has been given to a value, or to the tensor that it is assembled in."""
    if isinstance(value, BlockArgument):
        attrs = network.main.arg_attrs
        attr = attrs.data[value.index].data.get(PLACE) if attrs is not None else None
        return attr.data if isinstance(attr, PlaceAttr) else None
    owner = value.owner
    if isinstance(owner, InsertSliceOp):
        owner = network.start_of(owner)
    assert isinstance(owner, Operation)
    if isinstance(owner, EmptyOp) or owner.results[0] == value:
        return place_of(owner)
    return None


def in_memtile(located: Located, value: SSAValue) -> Located:
    """The same, if it is in the memtiles.  Raises PassFailedException if not."""
    if located.place.memory is not Memory.MEMTILE:
        fail(value, "is in DDR, where no core can read it: run --alloc-memtile first")
    return located
