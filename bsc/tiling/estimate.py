"""How long a layer takes with a given subvolume, before any instruction is made.

The rules are those of `serial` timing (section 4.5 of the paper): weights that come into
the cores halt everything; a stage of one iteration loads, computes and writes in turn; a
stage of many takes the longest of the three sums.  `bsc.cost` applies the same rules to
the instructions themselves, and a test holds the two together.

The search for a subvolume asks this thousands of times, so everything is computed for all
passes at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import pieces
from bsc.cost.rates import matrix_cycles, transfer_s, vector_cycles
from bsc.tiling.core import CorePlan, StageShape

Seconds = npt.NDArray[np.float64]


class _Parts(NamedTuple):
    """Seconds of one outer iteration in one column, for each pass: `load` of the first
    source, `extra` of the others, computation and write."""

    load: Seconds
    extra: Seconds
    compute: Seconds
    write: Seconds


def serial_s(plan: CorePlan, arch: Arch) -> float:
    """Seconds from the first LOADWDM to the last WRITEFM of a layer."""
    columns = _distinct_columns(plan)
    weights = _weights_s(plan, arch)
    total = 0.0
    if not plan.streams_weights:
        total += float(weights.sum())
    for tile in range(len(plan.tiles)):
        for stage in plan.stages:
            if plan.streams_weights:
                total += stage.iterations * float(weights.sum())
            parts = [_parts(plan, arch, stage, tile, column) for column in columns]
            total += _stage_s(plan, stage.iterations, parts)
    return total


def _distinct_columns(plan: CorePlan) -> list[int]:
    """One column of each kind: most columns do the same work."""
    found: dict[object, int] = {}
    for column in range(plan.layer.column_count):
        if plan.layer.pixels(column)[0] == plan.layer.pixels(column)[1]:
            continue
        sources = range(len(plan.layer.sources))
        loads = [
            plan.pixels_loaded(s, t, column) for s in sources for t in range(len(plan.tiles))
        ]
        tiles = [tile[column][1] - tile[column][0] for tile in plan.tiles]
        key = (*loads, *tiles, plan.layer.column_channels(column))
        found.setdefault(key, column)
    return list(found.values())


def _weights_s(plan: CorePlan, arch: Arch) -> Seconds:
    """Seconds of the LOADWDM of each (pass, chunk)."""
    if plan.layer.weight is None:
        return np.zeros((plan.pass_count, 1))
    sizes = plan.weight_sizes
    per_memtile = np.zeros((*sizes.shape[:2], arch.memtiles))
    for p, k, row in np.ndindex(*sizes.shape):
        links = arch.links_of_row(row)
        for link, size in zip(links, pieces(int(sizes[p, k, row]), len(links)), strict=True):
            per_memtile[p, k, arch.weight_links[link][0]] += size
    return transfer_s(arch, 0) + per_memtile.max(axis=2) / arch.link_bytes_per_s


def _parts(plan: CorePlan, arch: Arch, stage: StageShape, tile: int, column: int) -> _Parts:
    layer, (lo, hi) = plan.layer, plan.cout_ranges
    own = (hi - lo)[:, :, column]
    pixels = stage.rows * (plan.tiles[tile][column][1] - plan.tiles[tile][column][0])

    def load(index: int) -> Seconds:
        source = layer.sources[index]
        count = plan.rows_loaded(index, stage) * plan.pixels_loaded(index, tile, column)
        channels = np.full(len(own), source.channels)
        if not source.all_channels:
            channels = plan.own_channels(index)[:, :, column].sum(1)
        times = plan.chunk_count if index == 0 else 1
        return transfer_s(arch, 0, 1, times) + _bytes_s(arch, count * channels * source.element)

    extra = sum((load(i) for i in range(1, len(layer.sources))), np.zeros(len(own)))
    write = _bytes_s(arch, pixels * own.sum(1) * layer.out_element, arch.writefm_links)
    return _Parts(load(0), extra, _compute_s(plan, arch, pixels, own), write)


def _bytes_s(arch: Arch, count: npt.NDArray[np.int64], links: int = 1) -> Seconds:
    return count / (arch.link_bytes_per_s * links)


def _compute_s(plan: CorePlan, arch: Arch, pixels: int, own: npt.NDArray[np.int64]) -> Seconds:
    """Seconds of the fullest core of a column, for each pass."""
    layer = plan.layer
    taps = layer.sources[0].window.taps
    if layer.weight is None:
        cycles = [vector_cycles(arch, pixels * int(most), taps) for most in own.max(1)]
    else:
        one = matrix_cycles(arch, pixels, 1, layer.weight.block, taps)
        cycles = one * plan.stored_blocks.max(axis=2).sum(axis=1)
    return np.asarray(cycles) / (arch.clock_ghz * 1e9)


def _stage_s(plan: CorePlan, n: int, columns: list[_Parts]) -> float:
    """A stage of `n` outer iterations, for all passes: its slowest column counts."""
    if plan.passes_inside:
        inner = n * plan.pass_count
        return max(
            _overlap(
                [(n * float(p.load[0]), n), (n * float(p.extra.sum()), inner)],
                (n * float(p.compute.sum()), inner),
                (n * float(p.write.sum()), inner),
            )
            for p in columns
        )
    chunks = n * plan.chunk_count
    return sum(
        max(
            _overlap(
                [(n * float(p.load[i]), chunks), (n * float(p.extra[i]), n)],
                (n * float(p.compute[i]), chunks),
                (n * float(p.write[i]), n),
            )
            for p in columns
        )
        for i in range(plan.pass_count)
    )


def _overlap(
    loads: list[tuple[float, int]], compute: tuple[float, int], write: tuple[float, int]
) -> float:
    """Serial time of a stage: what happens once adds up, what iterates overlaps.

    Each part is (seconds in all, iterations in all).
    """
    parts = [*loads, compute, write]
    once = sum(seconds for seconds, count in parts if count == 1)
    loading = sum(seconds for seconds, count in loads if count > 1)
    return once + max([loading, *(s for s, count in (compute, write) if count > 1)])
