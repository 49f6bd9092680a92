"""Lower bounds of the time of many subvolumes at once.

A bound takes what no choice can avoid and what the choice makes worse, and leaves out all
that needs a closer look (uneven passes, stages of one iteration, the set-up of a transfer):

    weights x how often they come  +  max(compute, input x how often it comes, output)

each over its capacity, as in `serial` timing (`estimate`).  Where there is no room for a ping
and a pong, the input or the output takes turns with the computation, and the two add up.  In
`overlap` timing the weights overlap too, if there is room to fetch them ahead; the first
loads and the last computation never do.

Subvolumes that no core can hold even with a single slot a buffer have no bound: they are
infinite.

All arrays have the axes rows, width, COUT, CIN, one entry for each candidate of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.program import IntArray
from bsc.cost.rates import matrix_cycles
from bsc.dialects.placement import Stationary
from bsc.geometry import ceil_div
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.estimate import weights_s
from bsc.tiling.layer import LayerShape
from bsc.tiling.pixels import PixelSplit
from bsc.tiling.rows import StageShape, split_rows

Seconds = npt.NDArray[np.float64]

_Numbers: TypeAlias = "Seconds | IntArray | int"

OVERLAP_SHARE = 0.3
"""How much the time under `overlap` counts beside that under `serial`."""

STAGE_S, ITERATION_S = 3e-7, 4e-8
"""What a stage, and an iteration of one, count in the search besides their work, even on a
machine whose description has no overheads: an iteration is a task for every channel, with
locks to take and to give, and a stage is lines of the program as well.  Of two choices that
take about the same time, the one with larger and fewer pieces is better for whoever has to
run, check or simulate the program."""


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
        self.runs = np.array([len(each.runs) for each in pixels])
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
        outputs = self.rows[:, None, None, None] * self.width[:, None, None] * cout
        written, taken = outputs * self.layer.out_element, sum(self._inputs(cout, cin))
        weight = self._weight_bytes(passes, chunks)
        room = self.arch.core_data_bytes - (weight + taken + written)
        # Only what comes or goes more than once gets a second slot.
        taken = taken * (comes * (1 if inside else passes * chunks) > 1)
        written = written * (comes * passes > 1)
        weights = self._weights_s() * np.where(streams, comes, 1)
        busy = self._busy_s(self._load_s(1 if inside else passes), room, taken, written)
        serial = weights + busy
        ahead = np.where(streams, comes, 1) * passes * chunks > 1
        ahead &= weight + taken + written <= room
        in_turn = np.where(streams, np.maximum(weights + self._tiles_s, busy), serial)
        overlap = np.where(ahead, np.maximum(weights, busy), in_turn)
        overlap = overlap + self._ends_s(passes, chunks)
        # Tiles iterate if nothing else does.
        runs = np.where(streams, self.tiles[:, None, None], self.runs[:, None, None])
        stages = self.stages[:, None, None, None] * runs * (1 if inside else passes)
        tasks = stages * STAGE_S + comes * passes * chunks * ITERATION_S
        fits = (room >= 0) & (chunks == 1 if inside else True)
        fits &= (chunks == 1) | (outputs * 4 <= self.arch.core_scratch_bytes)
        return np.where(fits, serial + OVERLAP_SHARE * overlap + tasks, np.inf)

    def _busy_s(
        self, load: Seconds, room: IntArray, inputs: IntArray, written: IntArray
    ) -> Seconds:
        """The busiest of loads, computation and writes.  `room` is what a core has left when
        each buffer has one slot, `inputs` and `written` what second slots take of it at least:
        for the sources, and for the output."""
        compute, write = self._tiles_s, self._write_s()
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

    def _ends_s(self, passes: IntArray, chunks: IntArray) -> Seconds:
        """The loads of the first iteration and the computation of the last one, if passes and
        chunks are even."""
        stages, pixels = self.pieces
        rows = _table([each[0].loaded for each in stages])
        load = self._read(rows, _table([p.loaded[:, 0] for p in pixels]), 1 / chunks, passes)
        last = _table([each[-1].rows for each in stages])
        narrowest = _table([each.narrowest for each in pixels])
        outputs = (last[:, None] * narrowest)[:, :, None, None]
        compute = self._matrix_s(-(-outputs // self.arch.tile_pixels)) / (passes * chunks)
        return load.max(axis=2) / self.arch.link_bytes_per_s + compute

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
        """The weights once: of each row of cores in one subvolume."""
        return weights_s(self.whole, self.arch).item(0)

    def _load_s(self, times: IntArray | int) -> Seconds:
        """All that the fullest column reads of its sources; what all cores need of a source
        comes `times` over."""
        load = self._read(self.rows_loaded, self.pixels_loaded, times, 1)
        return load.max(axis=2) / self.arch.link_bytes_per_s

    def _read(
        self, rows: IntArray, pixels: IntArray, times: _Numbers, parts: _Numbers
    ) -> Seconds:
        """Bytes of `rows` (rows, sources) of `pixels` (width, sources, columns): `times` the
        sources that all cores need, and one of `parts` of the others."""
        shape = len(self.rows), len(self.width), self.layer.column_count, 1, 1
        total: Seconds = np.zeros(shape)
        for i, source in enumerate(self.layer.sources):
            read = (rows[:, i, None, None] * pixels[:, i])[:, :, :, None, None] * source.element
            if source.all_channels:
                total = total + read * source.channels * times
            else:
                own = self.whole.own(i)[0].sum(axis=0)[:, None, None]
                total = total + read * own / parts
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

    @cached_property
    def _tiles_s(self) -> Seconds:
        """The fullest core, each iteration with whole tiles of pixels: (rows, width, 1, 1)."""
        if self.layer.weight is None:
            return np.full((1, 1, 1, 1), self._compute_s())
        stages, pixels = self.pieces
        longest = max(len(each) for each in stages)
        rows = np.zeros((len(stages), longest, 2), np.int64)
        for index, each in enumerate(stages):
            rows[index, : len(each)] = [(stage.rows, stage.iterations) for stage in each]
        found: list[IntArray] = []
        for each in pixels:
            kinds = each.distinct(each.alone)
            widths = np.array([[hi - lo for lo, hi in each.tiles[t]] for t, _ in kinds])
            tiles = -(-rows[:, :, :1, None] * widths // self.arch.tile_pixels)
            times = rows[:, :, 1:, None] * np.array([*kinds.values()])[:, None]
            found.append((tiles * times).sum(axis=(1, 2)).max(axis=1))
        return self._matrix_s(np.stack(found, axis=1))[:, :, None, None]

    def _matrix_s(self, tiles: IntArray) -> Seconds:
        """So many tiles of pixels on the fullest core."""
        weight, taps = self.layer.weight, self.layer.sources[0].window.taps
        if weight is None:
            return np.zeros(1)
        one = matrix_cycles(self.arch, self.arch.tile_pixels, 1, weight.block, taps)
        cycles = tiles * one * int(self.whole.stored_blocks.max())
        return cycles / (self.arch.clock_ghz * 1e9)

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

    def _weight_bytes(self, passes: IntArray, chunks: IntArray) -> IntArray:
        """The least bytes of a slot of the weights."""
        return -(-self.whole.largest_weight // (passes * chunks))


def _table(rows: Sequence[object]) -> IntArray:
    return np.array(rows, np.int64)


def least_s(layer: LayerShape, arch: Arch) -> float:
    """The bound of a layer that every core does at once, as if it had room for that."""
    pixels = [layer.pixels(column) for column in range(layer.column_count)]
    widest = PixelSplit(layer, max(1, *(hi - lo for lo, hi in pixels)))
    bounds = Bounds(layer, arch, [split_rows(layer, layer.out[0])], [widest])
    return bounds.whole_s()
