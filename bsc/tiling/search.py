"""Choosing the subvolume: what each core computes at once.

The largest computation that fits is not always the fastest, so the fastest one is searched
(section 4.2 of the paper takes the largest).  A candidate says rows, width, COUT and CIN of
a core, and which operand stays.  All are cut in granules, never by divisors, so that there
is one for any size, and every one that fits the core counts.

There are many thousands of them for a layer, so that only few are timed (`estimate`): each
has a lower bound of its time (`bounds`), which takes no more than a few multiplications,
and the search goes through them from the lowest bound on until no bound is below the best
time found (branch and bound).

Parts that are given by hand are taken as they are, as far as the layer goes, and the rest
is chosen around them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from bsc.arch import Arch
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import ceil_div
from bsc.tiling.bounds import ITERATION_S, OVERLAP_SHARE, STAGE_S, Bounds
from bsc.tiling.channels import ChannelSplit, channel_granule, chunk_granule
from bsc.tiling.core import Buffers, CorePlan
from bsc.tiling.estimate import Estimate
from bsc.tiling.fit import buffer_bytes, footprint
from bsc.tiling.layer import LayerShape
from bsc.tiling.pixels import PixelSplit
from bsc.tiling.rows import split_rows


class Wanted(NamedTuple):
    """Parts of a subvolume that are given by hand; None is the search's own choice."""

    rows: int | None = None
    width: int | None = None
    cout: int | None = None
    cin: int | None = None
    stationary: Stationary | None = None


_ANY = Wanted()


def best_subvolume(layer: LayerShape, arch: Arch, wanted: Wanted = _ANY) -> Subvolume | None:
    """The fastest subvolume that fits the core, and whose weights fit the memtiles if there are
    such; None if not even the smallest one fits the core."""
    search = _Search(layer, arch, wanted)
    for room in dict.fromkeys((_room_for_weights(layer, arch), None)):
        for kinds in search.stationary():
            if (found := search.best(kinds, room)) is not None:
                return found
    return None


class _Search:
    """The candidates of one layer; what they have in common is worked out once."""

    def __init__(self, layer: LayerShape, arch: Arch, wanted: Wanted):
        self.layer, self.arch, self.wanted = layer, arch, wanted
        self.pixels = cache(partial(PixelSplit, layer))
        self.stages = cache(partial(split_rows, layer))
        self.channels = cache(partial(ChannelSplit, layer))

    def best(self, kinds: Sequence[Stationary], room: int | None) -> Subvolume | None:
        """Branch and bound over all candidates of some kinds; `room` bytes of a memtile are
        there for the weights, if that matters."""
        best: tuple[float, Subvolume] | None = None
        for bound, candidate in self._candidates(kinds):
            if best is not None and bound > best[0]:
                break
            plan = self._plan(candidate)
            buffers = plan.buffers(self.arch)
            if buffers is not None and self._fits_in(room, plan.channels):
                seconds = self._seconds(plan, buffers, best[0] if best else math.inf)
                if best is None or (seconds, candidate) < best:
                    best = seconds, candidate
        return best[1] if best is not None else None

    def _fits_in(self, room: int | None, channels: ChannelSplit) -> bool:
        """Whether the packed weights fit in the memtiles: a mask and a bias for each of many
        small subvolumes take a little more than those of one."""
        return room is None or max(channels.memtile_weights(self.arch)) <= room

    def _seconds(self, plan: CorePlan, buffers: Buffers, most: float) -> float:
        """What the search makes small; infinite if it is surely more than `most`."""
        time, (stages, iterations) = Estimate(plan, self.arch, buffers), plan.tasks
        tasks = stages * STAGE_S + iterations * ITERATION_S
        if time.serial_s + tasks > most:
            return math.inf
        return time.serial_s + OVERLAP_SHARE * time.overlap_s + tasks

    def _plan(self, sub: Subvolume) -> CorePlan:
        channels = self.channels(sub.cout, sub.cin)
        pixels, stages = self.pixels(sub.width), self.stages(sub.rows)
        return CorePlan(self.layer, sub.stationary, channels, pixels, stages)

    def _candidates(self, kinds: Sequence[Stationary]) -> Iterator[tuple[float, Subvolume]]:
        """(lower bound in seconds, subvolume), from the lowest bound on."""
        layer, wanted = self.layer, self.wanted
        rows = list(_parts(layer.out[0], 1, wanted.rows))
        widths = list(_parts(max(1, _widest(layer)), 1, wanted.width))
        couts = list(_parts(_most_channels(layer), channel_granule(layer), wanted.cout))
        cins = list(_chunks(layer, wanted.cin))
        bounds = Bounds(
            layer, self.arch, [self.stages(r) for r in rows], [self.pixels(w) for w in widths]
        )
        seconds = np.stack([bounds.seconds(couts, cins, kind) for kind in kinds])
        order = np.argsort(seconds, axis=None, kind="stable")
        order = order[: np.count_nonzero(np.isfinite(seconds))]
        found: list[list[int]] = np.stack(np.unravel_index(order, seconds.shape), 1).tolist()
        for kind, r, w, co, ci in found:
            sub = Subvolume(rows[r], widths[w], couts[co], cins[ci], kinds[kind])
            yield seconds.item(kind, r, w, co, ci), sub

    def stationary(self) -> list[list[Stationary]]:
        """The kinds to choose from, the best choice first.  Only weights can stay where CIN
        comes in chunks."""
        wanted = self.wanted.stationary
        if self.layer.weight is None or wanted is Stationary.WEIGHTS:
            return [[Stationary.WEIGHTS]]
        if wanted is None:
            return [list(Stationary)]
        return [[wanted], [Stationary.WEIGHTS]]


def _room_for_weights(layer: LayerShape, arch: Arch) -> int | None:
    """Bytes of a memtile beside the activations; None if that cannot matter, because there is
    plenty of it or not even enough for one subvolume."""
    least = layer.weight_bytes(arch)
    room = arch.memtile_bytes - (footprint(layer, arch) - buffer_bytes(least))
    return room if least <= room < 2 * least else None


def _widest(layer: LayerShape) -> int:
    return max(hi - lo for c in range(layer.column_count) for lo, hi in [layer.pixels(c)])


def _most_channels(layer: LayerShape) -> int:
    """The most output channels that a core has to compute."""
    cores = [(r, c) for r in range(layer.row_count) for c in range(layer.column_count)]
    return max(hi - lo for core in cores for lo, hi in [layer.row_channels(*core)])


def _chunks(layer: LayerShape, wanted: int | None) -> Iterator[int]:
    """Input channels of a chunk, from all of them downwards."""
    if layer.weight is None:
        yield layer.sources[0].channels
    else:
        yield from _parts(layer.sources[0].channels, chunk_granule(layer), wanted)


def _parts(size: int, granule: int, wanted: int | None) -> Iterator[int]:
    """`size` cut into 1, 2, 3, ... pieces of whole granules, each length once; or the one
    length that is wanted."""
    if wanted is not None:
        yield min(size, wanted)
        return
    last = 0
    granules = ceil_div(size, granule)
    for count in range(1, granules + 1):
        piece = ceil_div(granules, count)
        if piece != last:
            last = piece
            yield min(size, piece * granule)
