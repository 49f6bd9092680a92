"""Choosing the subvolume: what each core computes at once.

The largest computation that fits is not always the fastest, so every candidate that fits
the core is timed (`estimate`), and the fastest one wins.  Candidates are cut in granules,
never by divisors, and get smaller until something fits: W is cut only if not one row fits,
and CIN only if not one row of eight channels does.  Parts that are given by hand are taken
as they are, as far as the layer goes, and the rest is chosen around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bsc.arch import Arch
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import ceil_div
from bsc.tiling.channels import ChannelSplit, channel_granule, chunk_granule
from bsc.tiling.core import CorePlan
from bsc.tiling.estimate import serial_s
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
    """The fastest subvolume that fits the core; None if not even the smallest one does."""
    for width in _parts(max(1, _widest(layer)), 1, wanted.width):
        for cin in _chunks(layer, wanted.cin):
            found = list(_Candidates(layer, arch, width, cin, wanted).timed())
            if found:
                return min(found)[1]
    return None


@dataclass(frozen=True)
class _Candidates:
    """All candidates with one width and one chunk of CIN."""

    layer: LayerShape
    arch: Arch
    width: int
    cin: int
    wanted: Wanted

    def timed(self) -> Iterator[tuple[float, Subvolume]]:
        """Those that fit, with their time; what they have in common is worked out once."""
        layer, pixels = self.layer, PixelSplit(self.layer, self.width)
        wanted, granule = self.wanted, channel_granule(layer)
        rows_of = _parts(layer.out[0], 1, wanted.rows)
        heights = [(rows, split_rows(layer, rows)) for rows in rows_of]
        for cout in _parts(_most_channels(layer), granule, wanted.cout):
            channels = ChannelSplit(layer, cout, self.cin)
            for rows, stages in heights:
                for stationary in self._stationary(channels):
                    plan = CorePlan(layer, stationary, channels, pixels, stages)
                    if plan.buffers(self.arch) is not None:
                        sub = Subvolume(rows, self.width, cout, self.cin, stationary)
                        yield serial_s(plan, self.arch), sub

    def _stationary(self, channels: ChannelSplit) -> list[Stationary]:
        if self.layer.weight is None or channels.chunk_count > 1:
            return [Stationary.WEIGHTS]
        return list(Stationary) if self.wanted.stationary is None else [self.wanted.stationary]


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
