"""Lower bounds of the time of many subvolumes at once.

A bound takes what no choice can avoid and what the choice makes worse, and leaves out all
that needs a closer look (uneven passes, fill and drain, the set-up of a transfer):

    weights x how often they come  +  max(compute, input x how often it comes, output)

each over its capacity, as in `serial` timing (`estimate`).  Where there is no room for a ping
and a pong, the input or the output takes turns with the computation, and the two add up.
Subvolumes that no core can hold even with a single slot a buffer have no bound: they are
infinite.

All arrays have the axes rows, width, COUT, CIN, one entry for each candidate of each.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.program import IntArray
from bsc.cost.rates import matrix_cycles
from bsc.dialects.placement import Stationary
from bsc.geometry import ceil_div
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.layer import LayerShape
from bsc.tiling.pixels import PixelSplit
from bsc.tiling.rows import StageShape, split_rows

Seconds = npt.NDArray[np.float64]

OVERLAP_SHARE = 0.3
"""How much the time under `overlap` counts beside that under `serial`."""

STAGE_S, ITERATION_S = 1e-7, 1e-9
"""What a stage, and an iteration of one, count in the search besides their work: each is a
task for every channel, and stages are lines of the program, even on a machine whose
description has no overheads."""


class Bounds:
    """The bounds for one layer, given the candidates for rows and width."""

    def __init__(
        self,
        layer: LayerShape,
        arch: Arch,
        stages: Sequence[tuple[StageShape, ...]],
        pixels: Sequence[PixelSplit],
    ):
        self.layer, self.arch = layer, arch
        sources = range(len(layer.sources))
        whole = layer.sources[0].channels
        self.whole = ChannelSplit(layer, max(layer.channels, 1), whole)
        self.stages = np.array([len(each) for each in stages])
        self.groups = np.array([sum(s.iterations for s in each) for each in stages])
        self.rows = np.array([max(s.rows for s in each) for each in stages])
        self.rows_loaded = _table(
            [
                [sum(s.iterations * s.loaded[i] for s in each) for i in sources]
                for each in stages
            ]
        )
        self.rows_held = _table(
            [[max(s.loaded[i] for s in each) for i in sources] for each in stages]
        )
        self.pieces = list(stages), list(pixels)
        self.tiles = np.array([len(each.tiles) for each in pixels])
        self.width = np.array([each.widest for each in pixels])
        self.pixels_loaded = _table([each.loaded.sum(axis=1) for each in pixels])
        self.pixels_held = _table([each.loaded.max(axis=(1, 2)) for each in pixels])

    def seconds(self, couts: list[int], cins: list[int], kind: Stationary) -> Seconds:
        """The bound of every candidate; infinite for those that fit no core.

        CIN comes in chunks only while the weights are the ones that stay.
        """
        passes, chunks, cout, cin = self._channels(couts, cins)
        inside = kind is Stationary.ACTIVATIONS
        streams = inside | (chunks > 1)
        comes = self.groups[:, None, None, None] * self.tiles[:, None, None]
        weights = self._weights_s() * np.where(streams, comes, 1)
        outputs = self.rows[:, None, None, None] * self.width[:, None, None] * cout
        inputs = self._inputs(cout, cin)
        written = outputs * self.layer.out_element
        room = self.arch.core_data_bytes - self._held(passes, chunks, sum(inputs) + written)
        load, least = (
            self._load_s(1 if inside else passes),
            functools.reduce(np.minimum, inputs),
        )
        busy = self._busy_s(load, room, least, written)
        fits = room >= 0
        fits &= (chunks == 1) | (outputs * 4 <= self.arch.core_scratch_bytes)
        if inside:
            fits &= chunks == 1
        stages = self.stages[:, None, None, None] * self.tiles[:, None, None]
        tasks = stages * (1 if inside else passes) * STAGE_S
        tasks = tasks + comes * passes * chunks * ITERATION_S
        serial, overlap = weights + busy, np.maximum(weights, busy)
        return np.where(fits, serial + OVERLAP_SHARE * overlap + tasks, np.inf)

    def _busy_s(
        self, load: Seconds, room: IntArray, inputs: IntArray, written: IntArray
    ) -> Seconds:
        """The busiest of loads, computation and writes.  `room` is what a core has left when
        each buffer has one slot, `inputs` and `written` what a second slot takes of it at
        least: for one of the sources, and for the output."""
        compute, write = self._tiles_s(), self._write_s()
        apart = np.maximum(load, np.maximum(compute, write))
        load_in_turn = np.maximum(load + compute, write)
        write_in_turn = np.maximum(load, compute + write)
        one_of_them = np.minimum(load_in_turn, write_in_turn)
        second_in, second_out = inputs <= room, written <= room
        return np.select(
            [inputs + written <= room, second_in & second_out, second_out, second_in],
            [apart, one_of_them, load_in_turn, write_in_turn],
            np.maximum(load_in_turn, write_in_turn),
        )

    def whole_s(self) -> float:
        """The bound if everything comes once and any core has room for it."""
        busy = max(float(self._load_s(1).max()), self._compute_s(), self._write_s())
        return self._weights_s() + busy

    def _channels(
        self, couts: list[int], cins: list[int]
    ) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Passes, chunks, and the channels of each, along their axes."""
        most, whole = self.whole.most, self.layer.sources[0].channels
        passes = np.array([max(1, ceil_div(most, c)) for c in couts])[:, None]
        chunks = np.array([ceil_div(whole, c) for c in cins])
        return passes, chunks, np.minimum(couts, most)[:, None], np.minimum(cins, whole)

    # What has to be done -----------------------------------------------------------------

    def _weights_s(self) -> float:
        """All stored blocks once, over the links of the fullest memtile."""
        weight = self.layer.weight
        if weight is None:
            return 0.0
        per_memtile = np.zeros(self.arch.memtiles)
        for row, blocks in enumerate(self.whole.stored_blocks[0, 0]):
            links = self.arch.links_of_row(row)
            for link in links:
                per_memtile[self.arch.weight_links[link][0]] += blocks / len(links)
        return float(per_memtile.max()) * self._block_bytes / self.arch.link_bytes_per_s

    @property
    def _block_bytes(self) -> int:
        weight = self.layer.weight
        assert weight is not None
        return weight.block[0] * weight.block[1] * weight.shape[1] * weight.shape[2]

    def _load_s(self, times: IntArray | int) -> Seconds:
        """All that the fullest column reads of its sources; what all cores need of a source
        comes `times` over."""
        own, shared = self._read(False), self._read(True)
        load = shared[:, :, :, None, None] * times + own[:, :, :, None, None]
        return load.max(axis=2) / self.arch.link_bytes_per_s

    def _read(self, shared: bool) -> IntArray:
        """Bytes of the sources that are multicast, or are not: (rows, width, columns)."""
        total = np.zeros((len(self.rows), len(self.width), self.layer.column_count), np.int64)
        for i, source in enumerate(self.layer.sources):
            if source.all_channels is shared:
                pixels = self.rows_loaded[:, i, None, None] * self.pixels_loaded[:, i]
                own = self.whole.own(i)[0].sum(axis=0)
                total += pixels * (source.channels if shared else own) * source.element
        return total

    @property
    def _outputs(self) -> list[tuple[int, IntArray]]:
        """Pixels, and channels by row of cores, of each column that computes any."""
        lo, hi = self.whole.cout_ranges
        found: list[tuple[int, IntArray]] = []
        for column in range(self.layer.column_count):
            first, end = self.layer.pixels(column)
            if first < end:
                found.append(((end - first) * self.layer.out[0], (hi - lo)[0, :, column]))
        return found

    def _compute_s(self) -> float:
        """The fullest core, as if all its pixels came in one iteration."""
        weight, taps = self.layer.weight, self.layer.sources[0].window.taps
        if weight is not None:
            fullest = int(self.whole.stored_blocks.max())
            cycles = [
                matrix_cycles(self.arch, pixels, 1, weight.block, taps) * fullest
                for pixels, _ in self._outputs
            ]
        else:
            numbers = [pixels * int(own.max()) * taps for pixels, own in self._outputs]
            cycles = [ceil_div(number, self.arch.vector_ops) for number in numbers]
        return self.arch.cycles_to_s(max(cycles, default=0))

    def _tiles_s(self) -> Seconds:
        """The fullest core, each iteration with whole tiles of pixels: (rows, width, 1, 1)."""
        stages, pixels = self.pieces
        weight, taps = self.layer.weight, self.layer.sources[0].window.taps
        if weight is None:
            return np.full((1, 1, 1, 1), self._compute_s())
        one = matrix_cycles(self.arch, self.arch.tile_pixels, 1, weight.block, taps)
        longest = max(len(each) for each in stages)
        rows = np.zeros((len(stages), longest, 2), np.int64)
        for index, each in enumerate(stages):
            rows[index, : len(each)] = [(stage.rows, stage.iterations) for stage in each]
        found: list[IntArray] = []
        for each in pixels:
            widths = np.array([[hi - lo for lo, hi in each.tiles[t]] for t in each.distinct])
            tiles = -(-rows[:, :, :1, None] * widths // self.arch.tile_pixels)
            times = rows[:, :, 1:, None] * np.array([*each.distinct.values()])[:, None]
            found.append((tiles * times).sum(axis=(1, 2)).max(axis=1))
        cycles = np.stack(found, axis=1) * one * int(self.whole.stored_blocks.max())
        return (cycles / (self.arch.clock_ghz * 1e9))[:, :, None, None]

    def _write_s(self) -> float:
        """All outputs of the fullest column."""
        written = [pixels * int(own.sum()) for pixels, own in self._outputs]
        size = max(written, default=0) * self.layer.out_element
        return size / (self.arch.link_bytes_per_s * self.arch.writefm_links)

    # What a core holds -------------------------------------------------------------------

    def _inputs(self, cout: IntArray, cin: IntArray) -> list[IntArray]:
        """The least bytes of a slot of each source."""
        found: list[IntArray] = []
        for i, source in enumerate(self.layer.sources):
            pixels = self.rows_held[:, i, None, None, None] * self.pixels_held[:, i, None, None]
            own = int(self.whole.own(i).max())
            channels = cin if source.all_channels else np.minimum(cout, own)
            found.append(pixels * channels * source.element)
        return found

    def _held(self, passes: IntArray, chunks: IntArray, others: IntArray) -> IntArray:
        """The least bytes of a core's buffers, with one slot each; `others` are those of all
        but the weights."""
        if self.layer.weight is None:
            return others + 0 * chunks
        blocks = int(self.whole.stored_blocks.max())
        return others + -(-blocks // (passes * chunks)) * self._block_bytes


def _table(rows: Sequence[object]) -> IntArray:
    return np.array(rows, np.int64)


def least_s(layer: LayerShape, arch: Arch) -> float:
    """The bound of a layer that every core does at once, as if it had room for that."""
    pixels = [layer.pixels(column) for column in range(layer.column_count)]
    widest = PixelSplit(layer, max(1, *(hi - lo for lo, hi in pixels)))
    bounds = Bounds(layer, arch, [split_rows(layer, layer.out[0])], [widest])
    return bounds.whole_s()
