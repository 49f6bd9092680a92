"""Tiles of W: which pixels of a row each column computes, one tile after another."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bsc.asm.program import IntArray
from bsc.geometry import ceil_div
from bsc.tiling.layer import LayerShape


class PixelSplit:
    """A column's output pixels in tiles of `width`; the last tile is what is left."""

    def __init__(self, layer: LayerShape, width: int):
        self.layer = layer
        ranges = [layer.pixels(c) for c in range(layer.column_count)]
        count = max(1, max(ceil_div(hi - lo, width) for lo, hi in ranges))
        self.tiles = tuple(
            tuple((min(lo + t * width, hi), min(lo + (t + 1) * width, hi)) for lo, hi in ranges)
            for t in range(count)
        )
        """For each tile the output pixels [lo, hi) of each column."""
        self.loaded: IntArray = np.array(
            [
                [
                    [_loaded(layer, s, c, *tile[c]) for c in range(len(tile))]
                    for tile in self.tiles
                ]
                for s in range(len(layer.sources))
            ]
        )
        """Pixels of a row of each source that come into a core: (sources, tiles, columns)."""

    @cached_property
    def distinct(self) -> dict[int, int]:
        """One tile of each kind, and how many there are that do the same work."""
        kinds: dict[object, int] = {}
        count: dict[int, int] = {}
        for index, tile in enumerate(self.tiles):
            key = tuple(hi - lo for lo, hi in tile), self.loaded[:, index].tobytes()
            first = kinds.setdefault(key, index)
            count[first] = count.get(first, 0) + 1
        return count

    @property
    def widest(self) -> int:
        """The most output pixels of a row that a core computes at once."""
        return max(hi - lo for tile in self.tiles for lo, hi in tile)


def _loaded(layer: LayerShape, source: int, column: int, lo: int, hi: int) -> int:
    found = layer.sources[source].pieces(column, layer.column_count, lo, hi)
    assert found is not None, "the spread of a source must reach"
    return sum(piece.pixels for piece in found)
