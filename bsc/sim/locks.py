"""Locks: counting semaphores as on AIE2.  Acquire of n waits for n and subtracts it.

A family has one semaphore on every tile of its kind.  In text order a lock that is too
low would never come: that is an error here, and so is a value above the machine's limit,
or one that does not come back to its declared initial value by the end of the program.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.program import Instr, IntArray, LockUse, Program
from bsc.errors import BscError
from bsc.sim.transfers import links_of_part, parts

_OWNERS = (Engine.LOAD, Engine.LOADW, Engine.WRITE, Engine.WRITEFM)


def tiles_of_kind(kind: str, arch: Arch) -> int:
    """How many semaphores a family has."""
    return arch.rows * arch.cols if kind == "core" else arch.cols


@cache
def reached(
    engine: Engine, kind: str, where: str, name: str, part: int, arch: Arch
) -> tuple[int, ...]:
    """The semaphores of a family that one part of an engine reaches: memtiles and DDR
    interfaces by column, cores by row times columns plus column.

    Raises BscError if an engine does not reach locks of that kind.
    """
    if engine is Engine.COMP and kind != "core":
        raise BscError(f"a computation reaches the locks of its core, not {kind} {name}")
    if kind == "core":
        if engine in (Engine.LOAD, Engine.LOADW, Engine.WRITE) or where:
            raise BscError(f"{engine.upper()} does not reach lock {name} of the cores")
        return _cores(engine, part, arch)
    if where == "all":
        if kind != "ddr":
            raise BscError(f"'@all' is for locks of DDR, not {kind} {name}")
        return tuple(range(arch.cols))
    if not where:
        if engine is Engine.LOADWDM:
            links = links_of_part(part, arch)
            return tuple(sorted({arch.weight_links[link][0] for link in links}))
        return (part,)
    # Shared with a neighbour, on the memtile that is read: a reader looks at its
    # neighbour's, an owner at its own if there is such a neighbour.
    if kind != "memtile" or engine not in (*_OWNERS, Engine.LOADFM):
        raise BscError(f"'@{where}' is for memtile locks of activations, not {name}")
    neighbour = part + (1 if where == "r" else -1)
    if not 0 <= neighbour < arch.cols:
        return ()
    return (part,) if engine in _OWNERS else (neighbour,)


def _cores(engine: Engine, part: int, arch: Arch) -> tuple[int, ...]:
    if engine is Engine.COMP:
        return (part,)
    if engine is Engine.LOADWDM:
        rows = sorted({arch.weight_links[link][1] for link in links_of_part(part, arch)})
        return tuple(row * arch.cols + col for row in rows for col in range(arch.cols))
    return tuple(row * arch.cols + part for row in range(arch.rows))


class LockBank:
    """The values of all locks, as the instructions change them one after another."""

    def __init__(self, program: Program):
        arch = program.arch
        limits = {"core": arch.core_locks, "memtile": arch.memtile_locks, "ddr": arch.ddr_locks}
        counts = Counter(lock.tile for lock in program.locks.values())
        for tile, limit in limits.items():
            if counts[tile] > limit:
                raise BscError(f"{counts[tile]} locks on each {tile} tile, which has {limit}")
        self.arch = arch
        self.locks = program.locks
        self.values = {
            name: np.full(tiles_of_kind(lock.tile, arch), lock.init, np.int64)
            for name, lock in program.locks.items()
        }

    def acquire(self, instr: Instr, iteration: int) -> None:
        """Take what an iteration takes, on all tiles."""
        for use in instr.acquires:
            if use.acquires_at(iteration):
                self._change(instr, use, iteration, -use.amount)

    def release(self, instr: Instr, iteration: int) -> None:
        """Give what an iteration gives, on all tiles."""
        for use in instr.releases:
            if use.releases_at(iteration):
                self._change(instr, use, iteration, use.amount)

    def _change(self, instr: Instr, use: LockUse, iteration: int, by: int) -> None:
        name = use.at(iteration)
        values = self.values[name]
        tiles = _everywhere(
            instr.spec.engine, self.locks[name].tile, use.where, name, self.arch
        )
        values[tiles] += by
        if values.size and values.min() < 0:
            raise BscError(
                f"lock {name} is {int(values.min()) - by}, {-by} needed: in text order this "
                "waits for ever"
            )
        if values.size and values.max() > self.arch.lock_max:
            raise BscError(f"lock {name} rises above {self.arch.lock_max}")

    def check_end(self) -> None:
        """All locks must be back at their initial values.  Raises BscError."""
        for name, values in self.values.items():
            init = self.locks[name].init
            if (values != init).any():
                raise BscError(
                    f"lock {name} ends at {values.tolist()}, declared initial value {init}: "
                    "acquires and releases do not balance"
                )


@cache
def _everywhere(engine: Engine, kind: str, where: str, name: str, arch: Arch) -> IntArray:
    """The semaphores that all parts of an engine reach together, each once."""
    found: set[int] = set()
    for part in range(parts(engine, arch)):
        found.update(reached(engine, kind, where, name, part, arch))
    return np.array(sorted(found), np.int64)
