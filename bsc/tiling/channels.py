"""Passes over COUT and chunks of CIN: which channels a core works on, one after another,
and the packed weights that this takes.

Boundaries are multiples of the block and the granule; the last pass or chunk is what is
left, so no number has to divide another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from bsc.arch import Arch
from bsc.asm.packed import packed_size, pieces_of
from bsc.asm.program import IntArray
from bsc.geometry import CHANNEL_GRANULE, ceil_div, group_granule
from bsc.tiling.layer import LayerShape


def channel_granule(layer: LayerShape) -> int:
    """Passes over COUT cut at multiples of this."""
    block = layer.weight.block[0] if layer.weight is not None else 1
    return math.lcm(CHANNEL_GRANULE, block)


def piece_granule(layer: LayerShape) -> int:
    """Splits of COUT in time cut at multiples of this: a piece of a grouped convolution has
    whole groups, and reads whole granules of the input."""
    weight = layer.weight
    if weight is None or weight.groups == 1:
        return channel_granule(layer)
    return group_granule(*weight.of_group, channel_granule(layer))


def chunk_granule(layer: LayerShape) -> int:
    """Chunks of CIN cut at multiples of this."""
    block = layer.weight.block[1] if layer.weight is not None else 1
    return math.lcm(CHANNEL_GRANULE, block)


class ChannelSplit:
    """A layer's output channels in passes of `cout` a row of cores, and its input channels
    in chunks of `cin`."""

    def __init__(self, layer: LayerShape, cout: int, cin: int):
        self.layer = layer
        self.cout = cout
        self.cin = cin
        self._pieces: tuple[Arch, IntArray, IntArray] | None = None

    @cached_property
    def chunk_bounds(self) -> tuple[int, ...]:
        """Boundaries of the chunks of CIN, channels as stored."""
        cin = self.layer.sources[0].channels
        if self.layer.weight is None:
            return (0, cin)
        return (*range(0, cin, self.cin), cin)

    @property
    def chunk_count(self) -> int:
        """Chunks of CIN whose products add up to one output."""
        return len(self.chunk_bounds) - 1

    @cached_property
    def chunk_lengths(self) -> IntArray:
        """Channels of each chunk of CIN."""
        return np.diff(np.array(self.chunk_bounds))

    @cached_property
    def _cores(self) -> tuple[IntArray, IntArray]:
        """First and end of each core's output channels: (rows, columns)."""
        columns = range(self.layer.column_count)
        ranges = np.array(
            [
                [self.layer.row_channels(row, column) for column in columns]
                for row in range(self.layer.row_count)
            ]
        )
        return ranges[..., 0], ranges[..., 1]

    @cached_property
    def pass_count(self) -> int:
        """Passes over the output channels of a row of cores."""
        first, end = self._cores
        return max(1, ceil_div(int((end - first).max()), self.cout))

    @cached_property
    def cout_ranges(self) -> tuple[IntArray, IntArray]:
        """First and end of the output channels, counted as in `row_channels`, each of shape
        (passes, rows, columns)."""
        first, end = self._cores
        start = np.arange(self.pass_count)[:, None, None] * self.cout
        return np.minimum(first + start, end), np.minimum(first + start + self.cout, end)

    def of_core(self, index: int, row: int, column: int = 0) -> tuple[int, int]:
        """The output channels [lo, hi) of pass `index` on one core."""
        lo, hi = self.cout_ranges
        return int(lo[index, row, column]), int(hi[index, row, column])

    @cached_property
    def most(self) -> int:
        """The most output channels of a core in a pass."""
        lo, hi = self.cout_ranges
        return int((hi - lo).max())

    def own(self, source: int) -> IntArray:
        """Channels that each core reads of a source of which it needs its own only:
        (passes, rows, columns).  They are fewer than its outputs at the end of a tensor
        whose granule is filled up further than that of the source."""
        lo, hi = self.cout_ranges
        limit = self.layer.sources[source].channels
        starts = [self.layer.column_start(c) for c in range(self.layer.column_count)]
        ends = np.array([max(0, limit - start) for start in starts])
        return np.minimum(hi, ends) - np.minimum(lo, ends)

    def loaded(self, source: int) -> int:
        """The most channels of a source that an iteration brings into a core."""
        if self.layer.sources[source].all_channels:
            return int(self.chunk_lengths.max())
        return int(self.own(source).max())

    def subvolumes(self) -> Iterator[tuple[int, int]]:
        """The (pass, chunk) pairs in the order in which weights are used."""
        for index in range(self.pass_count):
            for chunk in range(self.chunk_count):
                yield index, chunk

    # Weights -----------------------------------------------------------------------------

    @cached_property
    def weight_bounds(self) -> tuple[tuple[int, ...], ...]:
        """The boundaries that weights are cut at: equal for two layers with the same weight
        that also pack it alike."""
        lo, hi = (bounds[:, :, 0] for bounds in self.cout_ranges)
        return (
            lo.shape,
            tuple(lo.ravel().tolist()),
            tuple(hi.ravel().tolist()),
            self.chunk_bounds,
        )

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
        cout = (hi - lo)[:, None, :, 0]
        cin = self.chunk_lengths[None, :, None]
        bias = (np.arange(self.chunk_count) == 0)[None, :, None]
        taps = weight.shape[1] * weight.shape[2]
        sizes = packed_size(cout, cin, weight.block, taps, bias, self.stored_blocks)
        return np.where(cout > 0, sizes, 0)

    @cached_property
    def largest_weight(self) -> int:
        """Bytes of the largest packed subvolume; 0 without weights."""
        return int(self.weight_sizes.max()) if self.layer.weight is not None else 0

    def weight_pieces(self, arch: Arch) -> tuple[IntArray, IntArray]:
        """Offset and bytes, in its memtile, of the piece that each link carries of each
        subvolume: both of shape (passes, chunks, links).

        A memtile holds its pieces in the order in which the cores use them.
        """
        if self._pieces is None or self._pieces[0] is not arch:
            self._pieces = arch, *self._cut_weights(arch)
        return self._pieces[1:]

    def _cut_weights(self, arch: Arch) -> tuple[IntArray, IntArray]:
        sizes = np.zeros((self.pass_count, self.chunk_count, len(arch.weight_links)), np.int64)
        for row in range(self.layer.row_count):
            links = list(arch.links_of_row(row))
            sizes[:, :, links] = pieces_of(self.weight_sizes[:, :, row], len(links))
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
