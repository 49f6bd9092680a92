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

_NUMBER = {engine: number for number, engine in enumerate(Engine)}

_LO, _HI, _ENGINE, _WAY, _RECORD, _LAYER, _WRITES = range(7)
"""The rows of the table of records; a column is a record."""

_WAYS = 3 * len(Engine)

_What = tuple[Access, Engine, int]
"""An access, who does it, and in which layer."""


class Hazards:
    """The accesses that later instructions may collide with."""

    def __init__(self) -> None:
        self._records = {name: _Records(name) for name in ("ddr", "memtile", "core")}

    def add(self, index: int, engine: Engine, layer: int, accesses: list[Access]) -> list[int]:
        """Register an instruction; returns those that it must wait for: of each engine the
        latest, and of reads from the left and from the right the latest of each, as each
        column knows only of those that read from it."""
        latest: IntArray = np.full(_WAYS, -1)
        new: list[Access] = []
        for access in accesses:
            records = self._records.get(access.memory)
            if records is None or records.done_again(access, index, engine, layer):
                continue
            new.append(access)
            records.collide(access, engine, layer, latest)
        for access in new:
            self._records[access.memory].remember(access, index, engine, layer)
        return sorted({other for other in latest.tolist() if other >= 0})


def _way(engine: Engine, access: Access) -> int:
    """Who does it and, if it reads, from which side: one number."""
    return 3 * _NUMBER[engine] + access.neighbour + 1


class _Records:
    """Accesses to one memory, in the order of the text, as a table.

    The stages of a layer use the same buffers of the cores again and again.  They are one
    record, whose instruction is the last of them: what the first had to wait for is done.
    """

    def __init__(self, memory: str) -> None:
        self._at_cores = memory == "core"
        self._table: IntArray = np.zeros((7, 64), np.int64)
        self._count = 0
        self._last: IntArray = np.zeros(64, np.int64)
        """The last instruction of each record ever made."""
        self._what: list[_What] = []
        """What each of them is."""
        self._known: dict[_What, int] = {}
        """The records of cores that are in the table."""

    def done_again(self, access: Access, index: int, engine: Engine, layer: int) -> bool:
        """Whether a layer does what it has done before; takes note of it."""
        record = self._known.get((access, engine, layer))
        if record is not None:
            self._last[record] = index
        return record is not None

    def collide(self, access: Access, engine: Engine, layer: int, latest: IntArray) -> None:
        """Raise `latest` to the last instruction of each engine and side that an access must
        wait for."""
        old = self._table[:, : self._count]
        found = (old[_LO] < access.hi) & (access.lo < old[_HI])
        found &= old[_ENGINE] != _NUMBER[engine]
        if not access.writes:
            found &= old[_WRITES] != 0
        if self._at_cores:
            found &= old[_LAYER] != layer
        hits = np.flatnonzero(found)
        np.maximum.at(latest, old[_WAY, hits], self._last[old[_RECORD, hits]])

    def remember(self, access: Access, index: int, engine: Engine, layer: int) -> None:
        """Add a record; what it covers need not be looked at any more."""
        old = self._table[:, : self._count]
        covered = self._covered(old, access, engine, layer)
        if covered.any():
            gone: list[int] = old[_RECORD, covered].tolist()
            for record in gone:
                self._known.pop(self._what[record], None)
            old = old[:, ~covered]
            self._count = old.shape[1]
            self._table[:, : self._count] = old
        elif self._count == self._table.shape[1]:
            self._table = np.concatenate([old, np.zeros_like(old)], axis=1)
        record, what = len(self._what), (access, engine, layer)
        if record == len(self._last):
            self._last = np.concatenate([self._last, np.zeros_like(self._last)])
        self._last[record] = index
        self._what.append(what)
        if self._at_cores:
            self._known[what] = record
        number, way = _NUMBER[engine], _way(engine, access)
        new = (access.lo, access.hi, number, way, record, layer, access.writes)
        self._table[:, self._count] = new
        self._count += 1

    def _covered(self, old: IntArray, access: Access, engine: Engine, layer: int) -> Flags:
        """Whether waiting for the new one is as good as waiting for the old one too: it
        writes all those bytes (and so has waited itself), or reads them on the same engine
        from the same side."""
        inside = (access.lo <= old[_LO]) & (old[_HI] <= access.hi)
        if self._at_cores:
            inside &= (old[_LAYER] != layer) | (old[_ENGINE] == _NUMBER[engine])
        if access.writes:
            return inside
        return inside & (old[_WRITES] == 0) & (old[_WAY] == _way(engine, access))
