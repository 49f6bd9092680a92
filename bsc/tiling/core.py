"""What a core does with its part of a layer: passes, stages, and buffers.

A subvolume (rows, width, COUT, CIN; section 4.2 of the paper) cuts the layer into tiles of
W, passes over COUT, chunks of CIN and groups of rows.  Groups of equal shape become one
*stage* of many iterations; those with padding above or below stand alone, and give the
head, body and tail of section 4.4.  Cutting never needs a divisor: the last tile, pass,
chunk or group is what is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from bsc.arch import Arch
from bsc.asm.packed import pieces
from bsc.asm.program import IntArray
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import CHANNEL_GRANULE, Axis, Span, Window, ceil_div, lengths
from bsc.tiling.layer import LayerShape, Source

_ALIGN = 32
"""Core buffers start at multiples of a vector, as AIE2 loads want them."""


class StageShape(NamedTuple):
    """`iterations` that compute `rows` output rows each, from row `first` on.

    `spans` are the input rows that the first iteration reads of each source.
    """

    label: str
    iterations: int
    first: int
    rows: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class CoreBuffer:
    """A buffer of the core: the addresses of its slots, `size` bytes each."""

    addresses: tuple[int, ...]
    size: int


def channel_granule(layer: LayerShape) -> int:
    """Passes over COUT cut at multiples of this."""
    block = layer.weight.block[0] if layer.weight is not None else 1
    return math.lcm(CHANNEL_GRANULE, block)


def chunk_granule(layer: LayerShape) -> int:
    """Chunks of CIN cut at multiples of this."""
    block = layer.weight.block[1] if layer.weight is not None else 1
    return math.lcm(CHANNEL_GRANULE, block)


def compute_window(source: Source) -> Window:
    """The window that the core sees: rows and pixels that the transfer skips are gone."""
    h = Axis() if source.skips_rows else source.window.h
    w = Axis() if source.skips_pixels else source.window.w
    return Window(h, w)


@dataclass(frozen=True)
class CorePlan:
    """A layer with a subvolume: everything that the cores do, in order."""

    layer: LayerShape
    sub: Subvolume

    @property
    def streams_weights(self) -> bool:
        """Whether weights come in iteration by iteration instead of once a pass."""
        return self.layer.weight is not None and (
            self.sub.stationary is Stationary.ACTIVATIONS or self.chunk_count > 1
        )

    @property
    def passes_inside(self) -> bool:
        """Whether the passes over COUT are the inner iterations of a stage."""
        return self.sub.stationary is Stationary.ACTIVATIONS

    @cached_property
    def pass_count(self) -> int:
        """Passes over the output channels of a row of cores."""
        widest = max(
            hi - lo
            for row in range(self.layer.row_count)
            for lo, hi in [self.layer.row_channels(row, self._widest_column)]
        )
        return max(1, ceil_div(widest, self.sub.cout))

    @cached_property
    def _widest_column(self) -> int:
        columns = range(self.layer.column_count)
        return max(columns, key=lambda c: self.layer.column_channels(c))

    def channels(self, index: int, row: int, column: int = 0) -> tuple[int, int]:
        """The output channels of pass `index` on one core, counted as in `row_channels`."""
        lo, hi = self.layer.row_channels(row, column)
        return min(lo + index * self.sub.cout, hi), min(lo + (index + 1) * self.sub.cout, hi)

    @cached_property
    def chunk_bounds(self) -> tuple[int, ...]:
        """Boundaries of the chunks of CIN, channels as stored."""
        cin = self.layer.sources[0].channels
        if self.layer.weight is None:
            return (0, cin)
        return (*range(0, cin, self.sub.cin), cin)

    @property
    def chunk_count(self) -> int:
        """Chunks of CIN whose products add up to one output."""
        return len(self.chunk_bounds) - 1

    @cached_property
    def tiles(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each tile of W the output pixels [lo, hi) of each column."""
        ranges = [self.layer.pixels(c) for c in range(self.layer.column_count)]
        count = max(1, max(ceil_div(hi - lo, self.sub.width) for lo, hi in ranges))
        return tuple(
            tuple(
                (min(lo + t * self.sub.width, hi), min(lo + (t + 1) * self.sub.width, hi))
                for lo, hi in ranges
            )
            for t in range(count)
        )

    @cached_property
    def stages(self) -> tuple[StageShape, ...]:
        """The groups of rows, equal ones in a row taken together."""
        out: list[StageShape] = []
        for first, rows in _row_groups(self.layer, self.sub.rows):
            spans = tuple(
                s.window.h.source(first, first + rows, s.shape[0]) for s in self.layer.sources
            )
            previous = out[-1] if out else None
            if previous is not None and _continues(self.layer, previous, first, rows, spans):
                out[-1] = previous._replace(iterations=previous.iterations + 1)
            else:
                out.append(StageShape(_label(spans[0]), 1, first, rows, spans))
        return tuple(out)

    def rows_loaded(self, source: int, stage: StageShape) -> int:
        """Rows of a source that one iteration brings into the core."""
        if self.layer.sources[source].skips_rows:
            return stage.rows
        return stage.spans[source].size

    def pixels_loaded(self, source: int, tile: int, column: int) -> int:
        """Pixels of a row of a source that one iteration brings into a core."""
        found = self.layer.sources[source].pieces(
            column, self.layer.column_count, *self.tiles[tile][column]
        )
        assert found is not None, "the spread of a source must reach"
        return sum(piece.pixels for piece in found)

    def channels_loaded(self, source: int, index: int, chunk: int, row: int, col: int) -> int:
        """Channels of a source that one iteration brings into a core."""
        if self.layer.sources[source].all_channels:
            return self.chunk_bounds[chunk + 1] - self.chunk_bounds[chunk]
        return int(self.own_channels(source)[index, row, col])

    def own_channels(self, source: int) -> IntArray:
        """Channels that each core reads of a source of which it needs its own only:
        (passes, rows, columns).  They are fewer than its outputs at the end of a tensor
        whose granule is filled up further than that of the source."""
        lo, hi = self.cout_ranges
        limit = self.layer.sources[source].channels
        columns = range(self.layer.column_count)
        first = [self.layer.column_start(column) for column in columns]
        ends = np.array([max(0, limit - start) for start in first])
        return np.minimum(hi, ends) - np.minimum(lo, ends)

    @cached_property
    def cout_ranges(self) -> tuple[IntArray, IntArray]:
        """First and end of the output channels, each of shape (passes, rows, columns)."""
        ranges = np.array(
            [
                [
                    [self.channels(p, row, col) for col in range(self.layer.column_count)]
                    for row in range(self.layer.row_count)
                ]
                for p in range(self.pass_count)
            ]
        )
        return ranges[..., 0], ranges[..., 1]

    @cached_property
    def stored_blocks(self) -> IntArray:
        """Blocks of each subvolume that are stored: (passes, chunks, rows)."""
        weight = self.layer.weight
        assert weight is not None
        (b0, b1), (lo, hi) = weight.block, self.cout_ranges
        bounds = [ceil_div(c, b1) for c in self.chunk_bounds]
        # Blocks before each row of blocks, in each chunk: one cumulative sum does it all.
        grid = np.zeros((ceil_div(int(hi.max()), b0) + 1, bounds[-1]), np.int64)
        part = weight.gamma[: len(grid) - 1, : bounds[-1]]
        grid[1 : 1 + part.shape[0], : part.shape[1]] = part
        before = np.add.reduceat(grid, bounds[:-1], axis=1).cumsum(axis=0)
        first, end = lo[:, :, 0] // b0, -(-hi[:, :, 0] // b0)
        return (before[end] - before[first]).transpose(0, 2, 1)

    @cached_property
    def weight_sizes(self) -> IntArray:
        """Bytes of each packed subvolume: (passes, chunks, rows); 0 without channels."""
        weight = self.layer.weight
        assert weight is not None
        lo, hi = self.cout_ranges
        sizes = np.zeros_like(self.stored_blocks)
        for k, cin in enumerate(lengths(self.chunk_bounds)):
            for p, row in product(range(self.pass_count), range(self.layer.row_count)):
                cout = int(hi[p, row, 0] - lo[p, row, 0])
                if cout:
                    shape = weight.packed_shape(cout, cin, k == 0)
                    sizes[p, k, row] = shape.size(int(self.stored_blocks[p, k, row]))
        return sizes

    def weight_pieces(self, arch: Arch) -> tuple[IntArray, IntArray]:
        """Offset and bytes, in its memtile, of the piece that each link carries of each
        subvolume: both of shape (passes, chunks, links).

        A memtile holds its pieces in the order in which the cores use them.
        """
        sizes = np.zeros((self.pass_count, self.chunk_count, len(arch.weight_links)), np.int64)
        for row in range(self.layer.row_count):
            links = arch.links_of_row(row)
            for p, k in self.subvolumes():
                sizes[p, k, links] = pieces(int(self.weight_sizes[p, k, row]), len(links))
        offsets = np.zeros_like(sizes)
        for memtile in range(arch.memtiles):
            own = [i for i, (m, _) in enumerate(arch.weight_links) if m == memtile]
            flat = sizes[:, :, own].reshape(-1)
            offsets[:, :, own] = (np.cumsum(flat) - flat).reshape(*sizes.shape[:2], len(own))
        return offsets, sizes

    def memtile_weights(self, arch: Arch) -> list[int]:
        """Bytes of packed weights in each memtile."""
        _, sizes = self.weight_pieces(arch)
        total = [0] * arch.memtiles
        for link, size in enumerate(sizes.sum(axis=(0, 1)).tolist()):
            total[arch.weight_links[link][0]] += size
        return total

    def subvolumes(self) -> Iterator[tuple[int, int]]:
        """The (pass, chunk) pairs in the order in which weights are used."""
        for index in range(self.pass_count):
            for chunk in range(self.chunk_count):
                yield index, chunk

    # Memory ------------------------------------------------------------------------------

    def source_bytes(self, source: int) -> int:
        """Bytes of the buffer for one source: the largest that any iteration brings."""
        s = self.layer.sources[source]
        rows = max(self.rows_loaded(source, stage) for stage in self.stages)
        pixels = max(
            self.pixels_loaded(source, tile, column)
            for tile in range(len(self.tiles))
            for column in range(self.layer.column_count)
        )
        if s.all_channels:
            channels = max(lengths(self.chunk_bounds))
        else:
            channels = self._most_channels
        return rows * pixels * channels * s.element

    @cached_property
    def _most_channels(self) -> int:
        return max(
            hi - lo
            for row in range(self.layer.row_count)
            for lo, hi in [self.channels(0, row, self._widest_column)]
        )

    @property
    def out_rows(self) -> int:
        """Output rows of the largest iteration."""
        return max(stage.rows for stage in self.stages)

    @property
    def _out_pixels(self) -> int:
        return max(hi - lo for tile in self.tiles for lo, hi in tile)

    @property
    def out_bytes(self) -> int:
        """Bytes of the output buffer."""
        pixels = self.out_rows * self._out_pixels
        return pixels * self._most_channels * self.layer.out_element

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of int32 accumulators that wait for the next chunk of CIN."""
        if self.chunk_count == 1:
            return 0
        return self.out_rows * self._out_pixels * self._most_channels * 4

    @property
    def largest_weight(self) -> int:
        """Bytes of the largest packed subvolume; 0 without weights."""
        return int(self.weight_sizes.max()) if self.layer.weight is not None else 0

    def buffers(self, arch: Arch) -> dict[str, CoreBuffer] | None:
        """Where the buffers lie in the core, or None if they do not fit.

        Streams have a ping and a pong if they are used more than once and there is room for
        all of them; else each has one slot, and waits.  Weights that stay get a second slot
        only if there is room, to load the next pass ahead.
        """
        if self.accumulator_bytes > arch.core_scratch_bytes:
            return None
        wanted = list(self._streams())
        fitted = _lay_out(wanted, arch.core_data_bytes)
        if fitted is None:
            single = [(name, size, 1) for name, size, _ in wanted]
            fitted = _lay_out(single, arch.core_data_bytes)
        elif not self.streams_weights and self.pass_count > 1:
            doubled = [(n, s, 2 if n == "weights" else k) for n, s, k in wanted]
            fitted = _lay_out(doubled, arch.core_data_bytes) or fitted
        if fitted is not None and self.accumulator_bytes:
            fitted["acc"] = CoreBuffer((arch.core_data_bytes,), self.accumulator_bytes)
        return fitted

    def _streams(self) -> Iterator[tuple[str, int, int]]:
        """(name, bytes of a slot, number of slots) of each buffer."""
        if self.layer.weight is not None:
            yield "weights", self.largest_weight, 2 if self.streams_weights else 1
        outer = sum(stage.iterations for stage in self.stages) * len(self.tiles)
        inner = self.pass_count * self.chunk_count
        for i, source in enumerate(self.layer.sources):
            used = outer if source.all_channels and self.passes_inside else outer * inner
            yield source_name(i), self.source_bytes(i), 2 if used > 1 else 1
        yield "out", self.out_bytes, 2 if outer * self.pass_count > 1 else 1


def source_name(index: int) -> str:
    """The buffer of a layer's source: the first is `in`."""
    return "in" if index == 0 else f"in{index + 1}"


def _lay_out(wanted: list[tuple[str, int, int]], limit: int) -> dict[str, CoreBuffer] | None:
    """Buffers one after another, or None beyond `limit` bytes."""
    at, out = 0, dict[str, CoreBuffer]()
    for name, size, slots in wanted:
        aligned = ceil_div(size, _ALIGN) * _ALIGN
        out[name] = CoreBuffer(tuple(at + i * aligned for i in range(slots)), size)
        at += slots * aligned
    return out if at <= limit else None


def _row_groups(layer: LayerShape, rows: int) -> Iterator[tuple[int, int]]:
    """(first row, rows) of each iteration.

    The input buffer holds what `rows` output rows read.  Where padding stands in for
    input rows, the same buffer is enough for more output rows.
    """
    axis, size = layer.sources[0].window.h, layer.sources[0].shape[0]
    capacity = (rows - 1) * axis.stride + axis.reach
    first, height = 0, layer.out[0]
    while first < height:
        count = min(rows, height - first)
        while (
            first + count < height
            and axis.source(first, first + count + 1, size).size <= capacity
            and not layer.sources[0].skips_rows
            and count < rows + axis.pad_lo + axis.pad_hi
        ):
            count += 1
        yield first, count
        first += count


def _label(span: Span) -> str:
    """head, body or tail after the padding; `whole` if one iteration has both."""
    if span.pad_lo and span.pad_hi:
        return "whole"
    return "head" if span.pad_lo else "tail" if span.pad_hi else "body"


def _continues(
    layer: LayerShape, stage: StageShape, first: int, rows: int, spans: tuple[Span, ...]
) -> bool:
    """Whether a group of rows is one more iteration of `stage`."""
    if rows != stage.rows or first != stage.first + stage.iterations * rows:
        return False
    for source, before, now in zip(layer.sources, stage.spans, spans, strict=True):
        step = rows * source.window.h.stride * stage.iterations
        if (now.size, now.pad_lo, now.pad_hi) != (before.size, before.pad_lo, before.pad_hi):
            return False
        if now.lo != before.lo + step:
            return False
    return True
