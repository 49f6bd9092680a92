"""Which instructions must wait for which: hazards on addresses.

Each instruction reads and writes ranges of bytes in DDR, memtiles and cores.  One that
touches bytes that an earlier one wrote, or writes bytes that an earlier one read, has to
wait for it, unless both run on the same channel, link or core, which keeps text order by
itself.  Within a layer, the buffers of the cores are kept in order by their pings and
pongs; that is the stages' own affair and no hazard here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bsc.asm.footprint import Access
from bsc.asm.isa import Engine
from bsc.asm.program import IntArray

Flags = npt.NDArray[np.bool_]

_ENGINES = list(Engine)
_NUMBER = {engine: number for number, engine in enumerate(_ENGINES)}

_LO, _HI, _ENGINE, _SIDE, _INDEX, _LAYER, _WRITES = range(7)
"""The rows of the table of records; a column is a record."""


class Hazards:
    """The accesses that later instructions may collide with."""

    def __init__(self) -> None:
        self._records = {name: _Records(name) for name in ("ddr", "memtile", "core")}

    def add(self, index: int, engine: Engine, layer: int, accesses: list[Access]) -> list[int]:
        """Register an instruction; returns those that it must wait for: of each engine the
        latest, and of reads from the left and from the right the latest of each, as each
        column knows only of those that read from it."""
        latest: dict[tuple[int, int], int] = {}
        own = [a for a in accesses if a.memory in self._records]
        for access in own:
            found = self._records[access.memory].collisions(access, engine, layer)
            for key, other in found.items():
                latest[key] = max(latest.get(key, -1), other)
        for access in own:
            self._records[access.memory].remember(access, index, engine, layer)
        return sorted(set(latest.values()))


class _Records:
    """Accesses to one memory, in the order of the text, as a table."""

    def __init__(self, memory: str) -> None:
        self._at_cores = memory == "core"
        self._table: IntArray = np.zeros((7, 64), np.int64)
        self._count = 0

    def collisions(
        self, access: Access, engine: Engine, layer: int
    ) -> dict[tuple[int, int], int]:
        """Of each engine and side the last instruction that an access must wait for."""
        old = self._table[:, : self._count]
        found = (old[_LO] < access.hi) & (access.lo < old[_HI])
        found &= old[_ENGINE] != _NUMBER[engine]
        if not access.writes:
            found &= old[_WRITES] != 0
        if self._at_cores:
            found &= old[_LAYER] != layer
        engines, sides, indices = old[_ENGINE : _INDEX + 1, found].tolist()
        # Records are in the order of the text, so that the last one of a key stays.
        return dict(zip(zip(engines, sides, strict=True), indices, strict=True))

    def remember(self, access: Access, index: int, engine: Engine, layer: int) -> None:
        """Add a record; what it covers need not be looked at any more."""
        old = self._table[:, : self._count]
        covered = self._covered(old, access, _NUMBER[engine], layer)
        if covered.any():
            old = old[:, ~covered]
            self._count = old.shape[1]
            self._table[:, : self._count] = old
        elif self._count == self._table.shape[1]:
            self._table = np.concatenate([old, np.zeros_like(old)], axis=1)
        number, side = _NUMBER[engine], access.neighbour
        new = (access.lo, access.hi, number, side, index, layer, access.writes)
        self._table[:, self._count] = new
        self._count += 1

    def _covered(self, old: IntArray, access: Access, engine: int, layer: int) -> Flags:
        """Whether waiting for the new one is as good as waiting for the old one too: it
        writes all those bytes (and so has waited itself), or reads them on the same engine
        from the same side."""
        inside = (access.lo <= old[_LO]) & (old[_HI] <= access.hi)
        same = old[_ENGINE] == engine
        if self._at_cores:
            inside &= (old[_LAYER] != layer) | same
        if access.writes:
            return inside
        return inside & (old[_WRITES] == 0) & same & (old[_SIDE] == access.neighbour)
