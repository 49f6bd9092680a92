"""One layer on the grid: who computes what, and who needs which part of the inputs.

The output is spread over the columns of cores by W (or by C), and its channels over the
rows (section 4.2 of the paper).  A column reads its inputs from its own memtile and from
its direct neighbours', so a spread of an input is good for a layer if each column's window
lies within three memtiles.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import PackedShape, pieces
from bsc.dialects.placement import Spread, SpreadAxis
from bsc.dialects.slices import Box
from bsc.geometry import Span, Window, ceil_div, lengths, stored_channels

HWC = tuple[int, int, int]


class Piece(NamedTuple):
    """Pixels that a column reads from one memtile: `start` counts from that memtile's
    first pixel, and every `step`-th pixel is taken."""

    memtile: int
    start: int
    pixels: int


@dataclass(frozen=True)
class Source:
    """An activation that a layer reads.  `element` is the bytes of a number."""

    shape: HWC
    window: Window
    all_channels: bool
    spread: Spread
    element: int = 1
    room: int = 0
    """Channels that there is room for, if more than the shape asks for."""

    @property
    def channels(self) -> int:
        """Channels as stored."""
        return stored_channels(max(self.shape[2], self.room))

    @property
    def skips_rows(self) -> bool:
        """Whether rows between strides are never read, so that the transfer can skip them."""
        axis = self.window.h
        return axis.kernel == 1 and axis.stride > 1 and axis.pad_lo == axis.pad_hi == 0

    @property
    def skips_pixels(self) -> bool:
        """As `skips_rows`, along W."""
        axis = self.window.w
        return axis.kernel == 1 and axis.stride > 1 and axis.pad_lo == axis.pad_hi == 0

    def pixel_bytes(self, memtile: int) -> int:
        """Bytes of a pixel in one memtile."""
        if self.spread.axis is SpreadAxis.C:
            return self.spread.sizes[memtile] * self.element
        return self.channels * self.element

    def row_pixels(self, memtile: int) -> int:
        """Pixels of a row in one memtile."""
        if self.spread.axis is SpreadAxis.W:
            return self.spread.sizes[memtile]
        return self.shape[1]

    def row_bytes(self, memtile: int) -> int:
        """Bytes of a row in one memtile."""
        return self.row_pixels(memtile) * self.pixel_bytes(memtile)

    def bytes_per_memtile(self, memtiles: int) -> int:
        """Bytes in the fullest memtile."""
        return self.shape[0] * max(self.row_bytes(m) for m in range(memtiles))

    def columns_read(self, lo: int, hi: int) -> Span:
        """The pixels of a row that the output pixels [lo, hi) read."""
        return self.window.w.source(lo, hi, self.shape[1])

    def pieces(self, column: int, columns: int, lo: int, hi: int) -> tuple[Piece, ...] | None:
        """Where a column finds what its output pixels [lo, hi) read, left to right; None if
        that is not all in its own and its direct neighbours' memtiles."""
        span = self.columns_read(lo, hi)
        step = self.window.w.stride if self.skips_pixels else 1
        wanted = range(span.lo, span.hi, step)
        if self.spread.axis is not SpreadAxis.W:
            return (Piece(column, span.lo, len(wanted)),) if wanted else ()
        bounds = self.spread.bounds
        found: list[Piece] = []
        for memtile in range(max(0, column - 1), min(columns, column + 2)):
            first, last = bounds[memtile], bounds[memtile + 1]
            inside = [x for x in wanted if first <= x < last]
            if inside:
                found.append(Piece(memtile, inside[0] - first, len(inside)))
        return tuple(found) if sum(p.pixels for p in found) == len(wanted) else None


@dataclass(frozen=True)
class WeightShape:
    """A layer's weight: (COUT, KH, KW, CIN), its blocks, and which of them are stored.

    Grouped convolutions are seen as dense ones whose other blocks are zero.
    """

    shape: tuple[int, int, int, int]
    block: tuple[int, int]
    gamma: npt.NDArray[np.bool_]
    groups: int = 1

    @cached_property
    def fullest(self) -> npt.NDArray[np.int64]:
        """Stored blocks in each row of blocks, the fullest first."""
        return np.sort(self.gamma.sum(axis=1))[::-1]

    @property
    def of_group(self) -> tuple[int, int]:
        """Output and input channels of one group."""
        return self.shape[0] // self.groups, self.shape[3] // self.groups

    def packed_shape(self, cout: int, cin: int, bias: bool) -> PackedShape:
        """The packed shape of a subvolume of `cout` x `cin` channels."""
        return PackedShape(cout, self.shape[1], self.shape[2], cin, self.block, bias)

    def stored(self, cout: tuple[int, int], cin: tuple[int, int]) -> int:
        """How many blocks of a subvolume are stored."""
        return int(self.mask(cout, cin).sum())

    def mask(self, cout: tuple[int, int], cin: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Γ of a subvolume whose boundaries are multiples of the block, ends excepted.

        Beyond the weight (channels that only fill up the granule) nothing is stored.
        """
        b0, b1 = self.block
        rows = (cout[0] // b0, -(-cout[1] // b0))
        cols = (cin[0] // b1, -(-cin[1] // b1))
        out = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), np.bool_)
        part = self.gamma[rows[0] : rows[1], cols[0] : cols[1]]
        out[: part.shape[0], : part.shape[1]] = part
        return out


def grouped_weight(
    shape: tuple[int, int, int, int], block: tuple[int, int], groups: int
) -> WeightShape:
    """The weight of a grouped convolution: stored are the blocks that a group touches."""
    cout, cin = shape[0] // groups, shape[3] // groups
    gamma = np.zeros((-(-shape[0] // block[0]), -(-shape[3] // block[1])), np.bool_)
    for g in range(groups):
        rows = slice(g * cout // block[0], -(-(g + 1) * cout // block[0]))
        cols = slice(g * cin // block[1], -(-(g + 1) * cin // block[1]))
        gamma[rows, cols] = True
    return WeightShape(shape, block, gamma, groups)


@dataclass(frozen=True)
class LayerShape:
    """A layer as the grid sees it.  `channels` are the output channels as stored; `columns`
    spreads the output; `rows` cuts the output channels of a column (those of the whole
    output, or of the column's part of it)."""

    name: str
    mnemonic: str
    out: HWC
    channels: int
    out_element: int
    columns: Spread
    rows: tuple[int, ...]
    sources: tuple[Source, ...]
    weight: WeightShape | None = None

    def summand(self) -> LayerShape:
        """The layer as one of several int32 partial results, which adds to the one before."""
        sources = self.sources
        if len(sources) == 1 or sources[1].element != 4:
            before = Source(self.out, Window(), False, self.columns, 4, self.channels)
            sources = sources[0], before, *sources[1:]
        return dataclasses.replace(self, out_element=4, sources=sources)

    @property
    def column_count(self) -> int:
        """Columns of the grid."""
        return len(self.columns.bounds) - 1

    @property
    def row_count(self) -> int:
        """Rows of the grid."""
        return len(self.rows) - 1

    def pixels(self, column: int) -> tuple[int, int]:
        """The output pixels [lo, hi) of a row that a column computes."""
        if self.columns.axis is SpreadAxis.W:
            return self.columns.bounds[column], self.columns.bounds[column + 1]
        return (0, self.out[1]) if self.column_channels(column) else (0, 0)

    def column_start(self, column: int) -> int:
        """The first output channel in a column's memtile."""
        return self.columns.bounds[column] if self.columns.axis is SpreadAxis.C else 0

    def column_channels(self, column: int) -> int:
        """Output channels in a column's memtile."""
        if self.columns.axis is SpreadAxis.C:
            return self.columns.sizes[column]
        return self.channels

    def row_channels(self, row: int, column: int = 0) -> tuple[int, int]:
        """The output channels [lo, hi) that a core computes, counted from the first one in
        its column's memtile."""
        limit = self.column_channels(column)
        return min(self.rows[row], limit), min(self.rows[row + 1], limit)

    @property
    def out_source(self) -> Source:
        """The output, seen as what a following layer reads."""
        return Source(self.out, Window(), False, self.columns, self.out_element, self.channels)

    def kind(self) -> object:
        """Equal for layers that take the same time: all but name and the numbers."""
        weight = self.weight
        blocks = None
        if weight is not None:
            blocks = (weight.shape, weight.block, weight.gamma.tobytes())
        return dataclasses.replace(self, name="", weight=None), blocks

    def reaches(self, source: Source) -> bool:
        """Whether each column finds all it reads in its own and the neighbours' memtiles."""
        if SpreadAxis.C in (source.spread.axis, self.columns.axis):
            # A column that has some channels of all pixels works on just those.
            return source.spread == self.columns and not source.all_channels
        return all(
            source.pieces(column, self.column_count, *self.pixels(column)) is not None
            for column in range(self.column_count)
            if self.pixels(column)[0] < self.pixels(column)[1]
        )

    def with_reachable_sources(self) -> LayerShape:
        """Where a window reaches beyond the direct neighbours, every memtile gets a copy."""
        sources = tuple(
            s if self.reaches(s) else dataclasses.replace(s, spread=Spread(SpreadAxis.ALL))
            for s in self.sources
        )
        return dataclasses.replace(self, sources=sources)

    def weight_bytes(self, arch: Arch) -> int:
        """Bytes of packed weights in the fullest memtile, each row in one subvolume."""
        if self.weight is None:
            return 0
        cin = stored_channels(self.weight.shape[3])
        total = [0] * arch.memtiles
        for row in range(self.row_count):
            cout = self.row_channels(row)
            if cout[0] == cout[1]:
                continue
            shape = self.weight.packed_shape(cout[1] - cout[0], cin, True)
            links = arch.links_of_row(row)
            sizes = pieces(shape.size(self.weight.stored(cout, (0, cin))), len(links))
            for link, size in zip(links, sizes, strict=True):
                total[arch.weight_links[link][0]] += size
        return max(total)


def slice_spread(spread: Spread, box: Box) -> Spread:
    """A spread of the whole, seen from a part of it."""
    if spread.axis is SpreadAxis.ALL:
        return spread
    if spread.axis is SpreadAxis.W:
        first, size, step = box.offsets[2], box.sizes[2], box.steps[1]
    else:
        first, size, step = box.offsets[3], stored_channels(box.sizes[3]), 1
    bounds = (ceil_div(b - first, step) for b in spread.bounds)
    return Spread(spread.axis, tuple(min(max(b, 0), size) for b in bounds))


def natural_spread(columns: Spread, window: Window, all_channels: bool, shape: HWC) -> Spread:
    """The spread of an input that matches a spread of the output: each column holds the
    pixels under its outputs, so that it reads little from its neighbours.  What all outputs
    read is in every memtile."""
    if columns.axis is SpreadAxis.C:
        return Spread(SpreadAxis.ALL) if all_channels else columns
    axis, width = window.w, shape[1]
    if not axis.stride:
        return Spread(SpreadAxis.ALL)
    last = max(i for i, size in enumerate(lengths(columns.bounds)) if size) + 1
    bounds = [
        min((b * axis.stride + axis.phase) // axis.repeat, width) for b in columns.bounds[:last]
    ]
    return Spread(SpreadAxis.W, (*bounds, *[width] * (len(columns.bounds) - last)))
