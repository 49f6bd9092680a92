"""Which instructions must wait for which: hazards on addresses.

Each instruction reads and writes ranges of bytes in DDR, memtiles and cores.  One that
touches bytes that an earlier one wrote, or writes bytes that an earlier one read, has to
wait for it, unless both run on the same channel, link or core, which keeps text order by
itself.  Within a layer, the buffers of the cores are kept in order by their pings and
pongs; that is the stages' own affair and no hazard here.
"""

from __future__ import annotations

from dataclasses import dataclass

from bsc.asm.footprint import Access
from bsc.asm.isa import Engine


@dataclass(frozen=True)
class _Record:
    access: Access
    index: int
    engine: Engine
    layer: int


class Hazards:
    """The accesses that later instructions may collide with."""

    def __init__(self) -> None:
        self.records: dict[str, list[_Record]] = {"ddr": [], "memtile": [], "core": []}

    def add(self, index: int, engine: Engine, layer: int, accesses: list[Access]) -> list[int]:
        """Register an instruction; returns those that it must wait for: of each engine the
        latest, and of reads from the left and from the right the latest of each, as each
        column knows only of those that read from it."""
        latest: dict[tuple[Engine, int], int] = {}
        own = [a for a in accesses if a.memory in self.records]
        for access in own:
            for record in self.records[access.memory]:
                if _collide(access, engine, layer, record):
                    key = record.engine, record.access.neighbour
                    latest[key] = max(latest.get(key, -1), record.index)
        for access in own:
            self._remember(_Record(access, index, engine, layer))
        return sorted(set(latest.values()))

    def _remember(self, new: _Record) -> None:
        """Add a record; what it covers need not be looked at any more."""
        kept = [r for r in self.records[new.access.memory] if not _covers(new, r)]
        self.records[new.access.memory] = [*kept, new]


def _collide(access: Access, engine: Engine, layer: int, record: _Record) -> bool:
    other = record.access
    if record.engine is engine or not (access.writes or other.writes):
        return False
    if access.memory == "core" and record.layer == layer:
        return False
    return other.lo < access.hi and access.lo < other.hi


def _covers(new: _Record, old: _Record) -> bool:
    """Whether waiting for the new one is as good as waiting for the old one too: it writes
    all those bytes (and so has waited itself), or reads them on the same engine from the
    same side."""
    inside = new.access.lo <= old.access.lo and old.access.hi <= new.access.hi
    if not inside:
        return False
    if new.access.memory == "core" and new.layer == old.layer and new.engine is not old.engine:
        return False
    same = new.engine is old.engine and new.access.neighbour == old.access.neighbour
    return new.access.writes or (not old.access.writes and same)
