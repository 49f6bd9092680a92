"""Which locks each part of an engine reaches, for all parts at once.

Times are arrays that broadcast: (rows, columns) or less for the locks of cores and for
computations, (columns) for those of memtiles and DDR and for transfers by columns, and for
LOADWDM one a row, or one a memtile where there are fewer of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.cost.work import Seconds


@dataclass(frozen=True)
class Reach:
    """An engine and the locks of a family: the kind of tile, and the `where` of their use."""

    engine: Engine
    kind: str
    where: str


class Tiles:
    """The tiles of a machine."""

    def __init__(self, arch: Arch):
        self.rows, self.cores = arch.rows, arch.rows * arch.cols
        self.cols = arch.cols
        self.weight_parts = min(arch.rows, arch.cols)
        self._rows = np.arange(arch.rows) % self.weight_parts
        self._memtiles = np.arange(arch.cols) % self.weight_parts

    def way(self, giver: Reach, taker: Reach) -> Callable[[Seconds], Seconds] | None:
        """From when each part of the giver is done to when each one of the taker has all
        that it takes; None if these are the same times, as always on a grid of one core."""
        if self.cores == 1:
            return None
        if not giver.where and not taker.where:
            if self.weight_parts == 1 and giver.engine is Engine.LOADWDM:
                return None
            if Engine.LOADWDM not in (giver.engine, taker.engine):
                if giver.engine is not Engine.COMP or taker.engine is Engine.COMP:
                    return None
                if self.rows == 1:
                    return operator.itemgetter(0)
        return lambda times: self.to_parts(taker, self.to_tiles(giver, times))

    def to_parts(self, reach: Reach, times: Seconds) -> Seconds:
        """From when each tile's lock was given to when each part has all that it takes."""
        if reach.kind == "core":
            return self._from_cores(reach.engine, times)
        if reach.where == "all":
            return times.max(keepdims=True)
        if reach.engine is Engine.LOADWDM:
            return self._fold(times, self._memtiles)
        return self._shifted(reach, times, 1)

    def to_tiles(self, reach: Reach, times: Seconds) -> Seconds:
        """From when each part is done to when each tile's lock is given."""
        if reach.where == "all":
            return times.max(keepdims=True)
        if reach.engine is Engine.LOADWDM:
            if len(times) == 1:
                return times
            return times[self._rows, None] if reach.kind == "core" else times[self._memtiles]
        return times if reach.kind == "core" else self._shifted(reach, times, -1)

    def _from_cores(self, engine: Engine, times: Seconds) -> Seconds:
        """A transfer goes on when all its cores have granted."""
        if engine is Engine.COMP:
            return times
        if engine is not Engine.LOADWDM:
            return times.max(axis=0) if times.ndim == 2 else times
        if times.ndim < 2:
            return times.max(keepdims=True)
        return self._fold(times.max(axis=1), self._rows)

    def _fold(self, times: Seconds, part_of: npt.NDArray[np.int64]) -> Seconds:
        """The latest of the tiles that each part of a LOADWDM reaches."""
        if len(times) == 1 or len(part_of) == self.weight_parts:
            return times
        latest = np.zeros(self.weight_parts)
        np.maximum.at(latest, part_of, times)
        return latest

    def _shifted(self, reach: Reach, times: Seconds, by: int) -> Seconds:
        """A reader of a halo takes and gives the lock of the neighbour that it reads from;
        there is none at the edge of the array."""
        if reach.engine is not Engine.LOADFM or not reach.where:
            return times
        times, moved = np.broadcast_to(times, self.cols), np.zeros(self.cols)
        if (reach.where == "r") == (by > 0):
            moved[:-1] = times[1:]
        else:
            moved[1:] = times[:-1]
        return moved
