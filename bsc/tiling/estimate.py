"""How long a layer takes with a given subvolume, before any instruction is made.

The rules are those of `serial` timing (section 4.5 of the paper): weights that come into
the cores halt everything; a stage of one iteration loads, computes and writes in turn; a
stage of many takes the longest of the three sums.  `bsc.cost` applies the same rules to
the instructions themselves, and a test holds the two together.

The search for a subvolume asks this thousands of times, so all passes are computed at
once, and columns that do the same work only once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import pieces
from bsc.asm.program import IntArray
from bsc.cost.rates import matrix_cycles
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.core import CorePlan
from bsc.tiling.rows import StageShape

Seconds = npt.NDArray[np.float64]


def serial_s(plan: CorePlan, arch: Arch) -> float:
    """Seconds from the first LOADWDM to the last WRITEFM of a layer."""
    weights = float(weights_s(plan.channels, arch).sum())
    columns = _distinct_columns(plan)
    total = 0.0 if plan.streams_weights else weights
    for tile in range(len(plan.pixels.tiles)):
        for stage in plan.stages:
            if plan.streams_weights:
                total += stage.iterations * weights
            total += _stage_s(plan, arch, stage, tile, columns)
    return total


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
    cut = np.array([pieces(size, links) for size in sizes.reshape(-1).tolist()])
    return list(cut.T.reshape(links, *sizes.shape))


def _stage_s(
    plan: CorePlan, arch: Arch, stage: StageShape, tile: int, columns: list[int]
) -> float:
    """A stage of all passes, without the halts for weights: its slowest column counts."""
    n, channels = stage.iterations, plan.channels
    inner = n * (channels.pass_count if plan.passes_inside else channels.chunk_count)
    once = n if plan.passes_inside else inner
    worst = np.zeros(1 if plan.passes_inside else channels.pass_count)
    for column in columns:
        load, extra, compute, write = _column_parts(plan, arch, stage, tile, column)
        outer = inner if plan.passes_inside else n
        parts = [(load, once), (extra, outer), (compute, inner), (write, outer)]
        worst = np.maximum(worst, _overlap([(n * s, count) for s, count in parts]))
    return float(worst.sum())


def _column_parts(
    plan: CorePlan, arch: Arch, stage: StageShape, tile: int, column: int
) -> tuple[Seconds, Seconds, Seconds, Seconds]:
    """Seconds of one outer iteration in one column: load of the first source, loads of the
    others, computation, write; for each pass, or for all of them if they are inside."""
    layer, (lo, hi) = plan.layer, plan.channels.cout_ranges
    own = (hi - lo)[:, :, column]
    first, end = plan.pixels.tiles[tile][column]
    pixels = stage.rows * (end - first)
    descriptor = arch.cycles_to_s(arch.descriptor_cycles)
    loads: list[Seconds] = []
    for index, source in enumerate(layer.sources):
        count = stage.loaded[index] * int(plan.pixels.loaded[index, tile, column])
        if source.all_channels:
            read = np.full(len(own), source.channels)
        else:
            read = plan.channels.own(index)[:, :, column].sum(axis=1)
        times = plan.channels.chunk_count if index == 0 else 1
        size = count * read * source.element
        loads.append(size / arch.link_bytes_per_s + times * descriptor)
    written = pixels * own.sum(axis=1) * layer.out_element
    write = written / (arch.link_bytes_per_s * arch.writefm_links) + descriptor
    compute = _compute_s(plan, arch, pixels, own)
    extra = sum(loads[1:], np.zeros(len(own)))
    if plan.passes_inside:
        return loads[0][:1], _total(extra), _total(compute), _total(write)
    return loads[0], extra, compute, write


def _total(seconds: Seconds) -> Seconds:
    return seconds.sum(keepdims=True)


def _compute_s(plan: CorePlan, arch: Arch, pixels: int, own: IntArray) -> Seconds:
    """Seconds of the fullest core of a column, for each pass."""
    layer = plan.layer
    taps = layer.sources[0].window.taps
    if layer.weight is None:
        cycles = -(-pixels * own.max(axis=1) * taps // arch.vector_ops)
    else:
        one = matrix_cycles(arch, pixels, 1, layer.weight.block, taps)
        cycles = one * plan.channels.stored_blocks.max(axis=2).sum(axis=1)
    return cycles / (arch.clock_ghz * 1e9)


def _overlap(parts: list[tuple[Seconds, int]]) -> Seconds:
    """Serial time of a stage: what happens once adds up, what iterates overlaps.

    `parts` are (seconds in all, iterations in all) of the two kinds of loads, which share a
    channel, of the computation and of the write.
    """
    nothing = np.zeros_like(parts[0][0])
    once = sum((s for s, count in parts if count == 1), nothing)
    loading = sum((s for s, count in parts[:2] if count > 1), nothing)
    others = [s for s, count in parts[2:] if count > 1]
    return once + np.max([loading, *others], axis=0)
