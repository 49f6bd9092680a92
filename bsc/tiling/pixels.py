"""Tiles of W: which pixels of a row each column computes, one tile after another.

Away from the ends of a row, most tiles differ only in where they lie, at equal distances.
Such a *run* of them can be iterations with a stride instead of stages of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bsc.asm.program import IntArray
from bsc.geometry import ceil_div
from bsc.tiling.layer import LayerShape, Piece, Source


class Run(NamedTuple):
    """`tiles` tiles, from number `first` on."""

    first: int
    tiles: int = 1


class _Read(NamedTuple):
    """What a column reads of a source for a tile, and the padding on either side."""

    pieces: tuple[Piece, ...]
    pads: tuple[int, int]

    def moved(self, step: int) -> _Read:
        """The same, so many pixels further on."""
        pieces = tuple(p._replace(start=p.start + step) for p in self.pieces)
        return _Read(pieces, self.pads)


class PixelSplit:
    """A column's output pixels in tiles of `width`; the last tile is what is left."""

    def __init__(self, layer: LayerShape, width: int):
        self.layer, self.width = layer, width
        ranges = [layer.pixels(c) for c in range(layer.column_count)]
        count = max(1, max(ceil_div(hi - lo, width) for lo, hi in ranges))
        self.tiles = tuple(
            tuple((min(lo + t * width, hi), min(lo + (t + 1) * width, hi)) for lo, hi in ranges)
            for t in range(count)
        )
        """For each tile the output pixels [lo, hi) of each column."""
        self._reads = [
            [[_read(layer, s, c, *tile[c]) for c in range(len(tile))] for tile in self.tiles]
            for s in range(len(layer.sources))
        ]
        self.loaded: IntArray = np.array(
            [
                [[sum(p.pixels for p in read.pieces) for read in tile] for tile in tiles]
                for tiles in self._reads
            ]
        )
        """Pixels of a row of each source that come into a core: (sources, tiles, columns)."""

    @property
    def alone(self) -> tuple[Run, ...]:
        """Each tile as a run of its own."""
        return tuple(map(Run, range(len(self.tiles))))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The longest runs of tiles, in order."""
        found = [Run(0)]
        for index in range(1, len(self.tiles)):
            if self._continues(index):
                found[-1] = found[-1]._replace(tiles=found[-1].tiles + 1)
            else:
                found.append(Run(index))
        return tuple(found)

    def _continues(self, index: int) -> bool:
        """Whether a tile is as the one before it, but for where it lies."""
        before, now = self.tiles[index - 1], self.tiles[index]
        if any(a[1] - a[0] != b[1] - b[0] for a, b in zip(before, now, strict=True)):
            return False
        return all(
            self.width % source.window.w.repeat == 0
            and all(
                b == a.moved(self.step(source))
                for a, b in zip(reads[index - 1], reads[index], strict=True)
            )
            for source, reads in zip(self.layer.sources, self._reads, strict=True)
        )

    def step(self, source: Source) -> int:
        """Pixels of a source from one tile of a run to the next."""
        return self.width * source.window.w.stride // source.window.w.repeat

    def distinct(self, runs: Sequence[Run]) -> dict[Run, int]:
        """One run of each kind, and how many there are that do the same work."""
        kinds: dict[object, Run] = {}
        count: dict[Run, int] = {}
        for run in runs:
            widths = tuple(hi - lo for lo, hi in self.tiles[run.first])
            key = run.tiles, widths, self.loaded[:, run.first].tobytes()
            first = kinds.setdefault(key, run)
            count[first] = count.get(first, 0) + 1
        return count

    @property
    def widest(self) -> int:
        """The most output pixels of a row that a core computes at once."""
        return max(hi - lo for tile in self.tiles for lo, hi in tile)

    @property
    def narrowest(self) -> int:
        """The least output pixels of a row of a tile, in its widest column."""
        return min(max(hi - lo for lo, hi in tile) for tile in self.tiles)


def _read(layer: LayerShape, source: int, column: int, lo: int, hi: int) -> _Read:
    wanted = layer.sources[source]
    pieces = wanted.pieces(column, layer.column_count, lo, hi)
    assert pieces is not None, "the spread of a source must reach"
    span = wanted.columns_read(lo, hi)
    return _Read(pieces, (span.pad_lo, span.pad_hi))
