"""How long a layer takes with a given subvolume, before any instruction is made.

`serial_s` has the rules of `serial` timing (section 4.5 of the paper): weights that come into
the cores halt everything; a stage of one iteration loads, computes and writes in turn; a
stage of many takes the longest of the three sums, where a buffer with a single slot takes turns
with the computation.  `bsc.cost` applies the same rules to the instructions themselves, and
a test holds the two together.

`overlap_s` is about what the locks allow (`overlap` timing): each kind of transfer and the
computation go on side by side over all stages and passes, and the one with most to do counts,
besides the first transfers and the last ones.

The search for a subvolume asks this thousands of times, so all stages, tiles, columns and
passes are computed at once, those that do the same work only once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import pieces_of
from bsc.asm.program import IntArray
from bsc.cost.rates import matrix_cycles
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.core import Buffers, CorePlan, source_name

Seconds = npt.NDArray[np.float64]

_NONE: Seconds = np.zeros((1, 1, 1, 1))


class Estimate:
    """The time of a plan on a machine, in seconds, from the first LOADWDM to the last WRITEFM.

    The arrays of parts have the axes stages, runs of tiles of W, columns, passes over COUT; one
    run or column stands for all that do the same work.  They are the seconds of all iterations
    of a stage; where the passes are iterations themselves, the last axis has one entry.
    """

    def __init__(self, plan: CorePlan, arch: Arch, buffers: Buffers):
        """`buffers` are those of the plan."""
        self.plan, self.arch = plan, arch
        self.slots = {name: len(buffer.addresses) for name, buffer in buffers.items()}
        self.weights = weights_s(plan.channels, arch)
        self.columns = _distinct_columns(plan)
        runs = plan.pixels.distinct(plan.runs)
        self.tiles, self.times = [run.first for run in runs], np.array([*runs.values()])
        tiles = np.array([run.tiles for run in runs])[:, None, None]
        self.iterations = _by_stage([stage.iterations for stage in plan.stages]) * tiles
        channels = plan.channels
        self.outer = self.iterations * (channels.pass_count if plan.passes_inside else 1)
        """How often a stage writes; `inner` is how often it computes."""
        self.inner = self.outer * channels.chunk_count
        self.loads = self.iterations if plan.passes_inside else self.inner

    # Parts -------------------------------------------------------------------------------

    @cached_property
    def _own(self) -> IntArray:
        """Output channels of each core: (passes, rows, columns)."""
        lo, hi = self.plan.channels.cout_ranges
        return (hi - lo)[:, :, self.columns]

    @cached_property
    def _pixels(self) -> IntArray:
        """Pixels of the output in one iteration of a stage."""
        tiles = self.plan.pixels.tiles
        widths = np.array([[tiles[t][c] for c in self.columns] for t in self.tiles])
        rows = _by_stage([stage.rows for stage in self.plan.stages])
        return rows * (widths[..., 1] - widths[..., 0])[..., None]

    def _load(self, index: int) -> Seconds:
        """The loads of one source."""
        plan, source = self.plan, self.plan.layer.sources[index]
        rows = _by_stage([stage.loaded[index] for stage in plan.stages])
        pixels = rows * plan.pixels.loaded[index][self.tiles][:, self.columns][..., None]
        times = 1
        if source.all_channels:
            read = np.full((len(self.columns), len(self._own)), source.channels)
            times = plan.channels.chunk_count
            read = read[:, :1] if plan.passes_inside else read
        else:
            read = plan.channels.own(index)[:, :, self.columns].sum(axis=1).T
        return self._total(pixels * read * source.element, times)

    def _total(self, size: IntArray, times: int = 1, links: int = 1) -> Seconds:
        """Seconds of all iterations of transfers of `size` bytes in `times` pieces."""
        set_up = times * self.arch.cycles_to_s(self.arch.descriptor_cycles)
        seconds = self.iterations * (size / (self.arch.link_bytes_per_s * links) + set_up)
        return self._over_passes(seconds)

    def _over_passes(self, seconds: Seconds) -> Seconds:
        return seconds.sum(axis=3, keepdims=True) if self.plan.passes_inside else seconds

    @cached_property
    def load(self) -> Seconds:
        """Loads of the first source."""
        return self._load(0)

    @cached_property
    def extra(self) -> Seconds:
        """Loads of the others, on the same channel."""
        rest = range(1, len(self.plan.layer.sources))
        return sum((self._load(i) for i in rest), _NONE)

    @cached_property
    def write(self) -> Seconds:
        """What the cores of a column write."""
        own = self._own.sum(axis=1).T
        size = self._pixels * own * self.plan.layer.out_element
        return self._total(size, links=self.arch.writefm_links)

    @cached_property
    def compute(self) -> Seconds:
        """The fullest core of a column."""
        layer, arch = self.plan.layer, self.arch
        taps = layer.sources[0].window.taps
        if layer.weight is None:
            numbers = self._pixels * self._own.max(axis=1).T * taps
            cycles = -(-numbers // arch.vector_ops)
        else:
            tiles = -(-self._pixels // arch.tile_pixels)
            one = matrix_cycles(arch, arch.tile_pixels, 1, layer.weight.block, taps)
            cycles = tiles * one * self.plan.channels.stored_blocks.max(axis=2).sum(axis=1)
        return self._over_passes(self.iterations * (cycles / (arch.clock_ghz * 1e9)))

    # Times -------------------------------------------------------------------------------

    @property
    def _waits(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Whether loads, and writes, have a single slot and take turns with the computation,
        by stage."""
        further = [source_name(i) for i in range(1, len(self.plan.layer.sources))]
        single = any(self.slots[name] == 1 for name in further)
        loads = (self.loads > 1) & (self.slots["in"] == 1) | (self.outer > 1) & single
        return loads, (self.outer > 1) & (self.slots["out"] == 1)

    @cached_property
    def serial_s(self) -> float:
        """By the rules of `serial`: what happens once adds up, what iterates overlaps, and the
        slowest column counts."""
        parts = [
            (self.load, self.loads),
            (self.extra, self.outer),
            (self.compute, self.inner),
            (self.write, self.outer),
        ]
        once = sum((s * (k == 1) for s, k in parts), np.zeros(()))
        load, extra, compute, write = (s * (k > 1) for s, k in parts)
        in_turn, out_turn = self._waits
        often = np.maximum(load + extra + compute * in_turn, write + compute * out_turn)
        slowest = (once + np.maximum(often, compute)).max(axis=2).sum(axis=(0, 2))
        halts = float(self.weights.sum())
        if self.plan.streams_weights:
            halts *= self._fetches
        return halts + float((slowest * self.times).sum())

    @cached_property
    def overlap_s(self) -> float:
        """About what the locks allow: the busiest channel or core, between the first
        transfers and the last ones."""
        weight = self.times[:, None, None]
        load, compute, write = (
            (part * weight).sum(axis=(0, 1))
            for part in (self.load + self.extra, self.compute, self.write)
        )
        if self.slots["in"] == 1:
            load = load + compute
        if self.slots["out"] == 1:
            write = write + compute
        busy = np.maximum(np.maximum(load, compute), write)
        steady = self._with_weights(busy, compute)
        return steady + self._fill_and_drain()

    def _with_weights(self, busy: Seconds, compute: Seconds) -> float:
        """Seconds of all passes, weights among them; `busy` and `compute` are (columns,
        passes)."""
        weights = self.weights.sum(axis=1)
        if self.plan.streams_weights:
            total = float(weights.sum()) * self._fetches
            if self.slots["weights"] == 1:
                total += float(compute.sum(axis=1).max())
            return max(total, float(busy.sum(axis=1).max()))
        if self.slots.get("weights", 2) > 1:
            return max(float(weights.sum()), float(busy.sum(axis=1).max()))
        return float((weights + busy.max(axis=0)).sum())

    @property
    def _fetches(self) -> int:
        """How often weights come that do not stay: for each group of rows of each tile."""
        return int((self.iterations[:, :, 0, 0] * self.times).sum())

    def _fill_and_drain(self) -> float:
        """The first iteration's transfers, and the last one's computation and write."""
        first = (self.load / self.loads + self.extra / self.outer)[0, 0].max()
        last = (self.compute / self.inner + self.write / self.outer)[-1, -1].max()
        return max(float(first), self.weights.item(0)) + float(last)


def _by_stage(values: list[int]) -> IntArray:
    return np.array(values)[:, None, None, None]


def _distinct_columns(plan: CorePlan) -> list[int]:
    """One column of each kind: most columns do the same work."""
    layer, found = plan.layer, dict[object, int]()
    for column in range(layer.column_count):
        widths = tuple(hi - lo for lo, hi in (tile[column] for tile in plan.pixels.tiles))
        if any(widths):
            loads = plan.pixels.loaded[:, :, column].tobytes()
            found.setdefault((widths, loads, layer.column_channels(column)), column)
    return list(found.values())


def weights_s(channels: ChannelSplit, arch: Arch) -> Seconds:
    """Seconds of the LOADWDM of each (pass, chunk): the slowest memtile's."""
    if channels.layer.weight is None:
        return np.zeros((channels.pass_count, 1))
    sizes = channels.weight_sizes
    per_memtile = np.zeros((*sizes.shape[:2], arch.memtiles))
    for row in range(channels.layer.row_count):
        links = arch.links_of_row(row)
        # All pieces but the last have the length of the first.
        for link, share in zip(links, _shares(sizes[:, :, row], len(links)), strict=True):
            per_memtile[:, :, arch.weight_links[link][0]] += share
    overhead = arch.cycles_to_s(arch.descriptor_cycles)
    return overhead + per_memtile.max(axis=2) / arch.link_bytes_per_s


def _shares(sizes: IntArray, links: int) -> list[IntArray]:
    """The pieces of `sizes` bytes over the links of a row."""
    if links == 1:
        return [sizes]
    cut = pieces_of(sizes.reshape(-1), links)
    return list(cut.T.reshape(links, *sizes.shape))
