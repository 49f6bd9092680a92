"""Choosing the subvolume: what each core computes at once.

The largest computation that fits is not always the fastest, so every candidate that fits
the core with its pings and pongs is timed (`estimate`), and the fastest one wins.  The
candidates are cut in granules, never by divisors, and get smaller until something fits:
W is cut only if not one row fits, and CIN only if not one row of eight channels does.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsc.arch import Arch
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import ceil_div, round_up
from bsc.tiling.core import CorePlan, channel_granule, chunk_granule
from bsc.tiling.estimate import serial_s
from bsc.tiling.layer import LayerShape


def best_plan(layer: LayerShape, arch: Arch) -> CorePlan | None:
    """The fastest plan that fits the core; None if not even the smallest one does."""
    for width in _widths(layer):
        for cin in _chunks(layer):
            plans = [plan for plan in _plans(layer, arch, width, cin)]
            if plans:
                return min(plans, key=lambda plan: serial_s(plan, arch))
    return None


def _plans(layer: LayerShape, arch: Arch, width: int, cin: int) -> Iterator[CorePlan]:
    """All candidates with this width and CIN that fit."""
    kinds = [Stationary.WEIGHTS]
    whole = cin >= layer.sources[0].channels
    if layer.weight is not None and whole:
        kinds.append(Stationary.ACTIVATIONS)
    for stationary in kinds:
        for cout in _couts(layer):
            for rows in _heights(layer):
                plan = CorePlan(layer, Subvolume(rows, width, cout, cin, stationary))
                if plan.buffers(arch) is not None:
                    yield plan


def _widths(layer: LayerShape) -> Iterator[int]:
    """Widths of a tile, from a column's whole share downwards."""
    most = max(hi - lo for c in range(layer.column_count) for lo, hi in [layer.pixels(c)])
    yield from _parts(max(1, most), 1)


def _chunks(layer: LayerShape) -> Iterator[int]:
    """Input channels of a chunk, from all of them downwards."""
    if layer.weight is None:
        yield layer.sources[0].channels
    else:
        yield from _parts(layer.sources[0].channels, chunk_granule(layer))


def _couts(layer: LayerShape) -> Iterator[int]:
    """Output channels of a pass, from a row's whole share downwards."""
    columns = range(layer.column_count)
    most = max(
        hi - lo
        for row in range(layer.row_count)
        for col in columns
        for lo, hi in [layer.row_channels(row, col)]
    )
    yield from _parts(most, channel_granule(layer))


def _heights(layer: LayerShape) -> Iterator[int]:
    """Rows of an iteration: all that few iterations make possible, and some beyond."""
    yield from _parts(layer.out[0], 1)


def _parts(size: int, granule: int) -> Iterator[int]:
    """`size` cut into 1, 2, 3, ... pieces of whole granules; each length once."""
    last = 0
    granules = ceil_div(size, granule)
    for count in range(1, granules + 1):
        piece = ceil_div(granules, count)
        if piece != last:
            last = piece
            yield min(round_up(size, granule), piece * granule)
