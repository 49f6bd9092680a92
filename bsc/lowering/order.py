"""Which instructions must wait for which: hazards on addresses.

Each instruction reads and writes ranges of bytes in DDR, memtiles and cores.  One that
touches bytes that an earlier one wrote, or writes bytes that an earlier one read, has to
wait for it, unless both run on the same channel, link or core, which keeps text order by
itself.  Within a layer, the buffers of the cores are kept in order by their pings and
pongs; that is the stages' own affair and no hazard here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bsc.asm.footprint import Access
from bsc.asm.isa import Engine

Flags = npt.NDArray[np.bool_]

_ENGINES = list(Engine)
_NUMBER = {engine: number for number, engine in enumerate(_ENGINES)}

_RECORD = np.dtype(
    [
        ("lo", np.int64),
        ("hi", np.int64),
        ("index", np.int64),
        ("engine", np.int64),
        ("layer", np.int64),
        ("neighbour", np.int64),
        ("writes", np.bool_),
    ]
)


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
            for key, other in self._records[access.memory].collisions(access, engine, layer):
                latest[key] = max(latest.get(key, -1), other)
        for access in own:
            self._records[access.memory].remember(access, index, engine, layer)
        return sorted(set(latest.values()))


class _Records:
    """Accesses to one memory, in the order of the text, as a table."""

    def __init__(self, memory: str) -> None:
        self._at_cores = memory == "core"
        self._table = np.zeros(64, _RECORD)
        self._count = 0

    def collisions(
        self, access: Access, engine: Engine, layer: int
    ) -> list[tuple[tuple[int, int], int]]:
        """Those that an access must wait for: engine and side, and the instruction."""
        old = self._table[: self._count]
        found = (old["lo"] < access.hi) & (access.lo < old["hi"])
        found &= old["engine"] != _NUMBER[engine]
        if not access.writes:
            found &= old["writes"]
        if self._at_cores:
            found &= old["layer"] != layer
        hits = old[found]
        columns: Sequence[list[int]] = [
            hits[name].tolist() for name in ("engine", "neighbour", "index")
        ]
        return [((e, side), index) for e, side, index in zip(*columns, strict=True)]

    def remember(self, access: Access, index: int, engine: Engine, layer: int) -> None:
        """Add a record; what it covers need not be looked at any more."""
        old = self._table[: self._count]
        kept = old[~self._covered(old, access, _NUMBER[engine], layer)]
        if len(kept) == len(self._table):
            self._table = np.zeros(2 * len(kept), _RECORD)
        self._table[: len(kept)] = kept
        number, side = _NUMBER[engine], access.neighbour
        new = (access.lo, access.hi, index, number, layer, side, access.writes)
        self._table[len(kept)] = new
        self._count = len(kept) + 1

    def _covered(self, old: npt.NDArray[Any], access: Access, engine: int, layer: int) -> Flags:
        """Whether waiting for the new one is as good as waiting for the old one too: it
        writes all those bytes (and so has waited itself), or reads them on the same engine
        from the same side."""
        inside = (access.lo <= old["lo"]) & (old["hi"] <= access.hi)
        same = old["engine"] == engine
        if self._at_cores:
            inside &= (old["layer"] != layer) | same
        if access.writes:
            return inside
        return inside & ~old["writes"] & same & (old["neighbour"] == access.neighbour)
