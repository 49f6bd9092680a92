"""Which channels of the machine there are, and which locks each of them reaches.

A channel is one part of an engine: a column of LOAD, LOADW, WRITE, LOADFM and WRITEFM, a row
of LOADWDM (a memtile where several rows share one), a core of the computations.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.program import IntArray
from bsc.errors import BscError

CORE_ENGINES = (Engine.COMP, Engine.LOADFM, Engine.LOADWDM, Engine.WRITEFM)
"""The engines that touch cores."""


class Channels:
    """All channels of a machine, numbered: those of an engine follow each other."""

    def __init__(self, arch: Arch):
        self.arch = arch
        self.first: dict[Engine, int] = {}
        self.parts: dict[Engine, int] = {}
        self.count = 0
        for engine in Engine:
            self.first[engine] = self.count
            self.parts[engine] = self._parts(engine)
            self.count += self.parts[engine]

    def _parts(self, engine: Engine) -> int:
        if engine is Engine.COMP:
            return self.arch.rows * self.arch.cols
        if engine is Engine.LOADWDM:
            return min(self.arch.rows, self.arch.cols)
        return self.arch.cols

    def place(self, engine: Engine, part: int) -> str:
        """A part in words."""
        if engine is Engine.COMP:
            return f"core {part // self.arch.cols},{part % self.arch.cols}"
        return f"{'row' if engine is Engine.LOADWDM else 'column'} {part}"

    @cached_property
    def of_core(self) -> dict[Engine, IntArray]:
        """The part of each engine that serves each core, cores row by row."""
        rows, cols = np.divmod(np.arange(self.arch.rows * self.arch.cols), self.arch.cols)
        return {
            Engine.COMP: rows * self.arch.cols + cols,
            Engine.LOADFM: cols,
            Engine.WRITEFM: cols,
            Engine.LOADWDM: rows % self.parts[Engine.LOADWDM],
        }

    def reached(self, engine: Engine, kind: str, where: str) -> list[list[int]]:
        """The tiles of a kind on which each part of an engine takes or gives a lock; cores
        are numbered row by row.

        Raises BscError, with what it should say of the engine and the lock, if an engine
        does not reach such a lock.
        """
        count = self.parts[engine]
        if kind == "core":
            if engine in DDR_ENGINES or where:
                raise BscError("does not reach")
            owner = self.of_core[engine]
            return [np.flatnonzero(owner == part).tolist() for part in range(count)]
        if engine is Engine.COMP:
            raise BscError("does not reach")
        if where == "all":
            if kind != "ddr":
                raise BscError("uses '@all', which is for locks of DDR, not")
            return [list(range(self.arch.cols))] * count
        if where:
            return self._shared(engine, kind, where)
        if engine is Engine.LOADWDM:
            links = [memtile for memtile, _ in self.arch.weight_links]
            return [sorted(set(links[part::count])) for part in range(count)]
        return [[part] for part in range(count)]

    def _shared(self, engine: Engine, kind: str, where: str) -> list[list[int]]:
        """Locks about a neighbour's halo: a reader uses its neighbour's, an owner its own."""
        if kind != "memtile" or engine in (Engine.LOADWDM, Engine.COMP):
            raise BscError(f"uses '@{where}', which is for memtile locks of activations, not")
        step = 1 if where == "r" else -1
        reads = engine is Engine.LOADFM
        columns = range(self.arch.cols)
        return [
            [col + step if reads else col] if col + step in columns else [] for col in columns
        ]
