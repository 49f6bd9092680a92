"""Locks: counting semaphores as on AIE2.  Acquire of n waits for n and subtracts it.

A family has one semaphore on every tile of its kind.  In text order a lock that is too
low would never come: that is an error here, and so is a value above the machine's limit,
or one that does not come back to its declared initial value by the end of the program.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from bsc.asm.isa import Engine
from bsc.asm.program import Instr, LockUse, Program
from bsc.errors import BscError

_OWNERS = (Engine.LOAD, Engine.LOADW, Engine.WRITE, Engine.WRITEFM)


class LockBank:
    """The values of all locks."""

    def __init__(self, program: Program):
        arch = program.arch
        limits = {"core": arch.core_locks, "memtile": arch.memtile_locks, "ddr": arch.ddr_locks}
        counts = Counter(lock.tile for lock in program.locks.values())
        for tile, limit in limits.items():
            if counts[tile] > limit:
                raise BscError(f"{counts[tile]} locks on each {tile} tile, which has {limit}")
        self.arch = arch
        self.locks = program.locks
        shapes = {"core": (arch.rows, arch.cols), "memtile": (arch.cols,), "ddr": (arch.cols,)}
        self.values = {
            name: np.full(shapes[lock.tile], lock.init, np.int64)
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
        values = self.values[name][self._tiles(instr, use, name)]
        values += by
        if values.size and values.min() < 0:
            raise BscError(
                f"lock {name} is {int(values.min()) - by}, {-by} needed: in text order this "
                "waits for ever"
            )
        if values.size and values.max() > self.arch.lock_max:
            raise BscError(f"lock {name} rises above {self.arch.lock_max}")

    def _tiles(self, instr: Instr, use: LockUse, name: str) -> slice:
        """Which of the family's semaphores: a view, so that they can be changed."""
        tile, engine = self.locks[name].tile, instr.spec.engine
        if engine is Engine.COMP and tile != "core":
            raise BscError(f"a computation reaches the locks of its core, not {tile} {name}")
        if tile == "core":
            if engine in (Engine.LOAD, Engine.LOADW, Engine.WRITE) or use.where:
                raise BscError(f"{instr.mnemonic} does not reach lock {name} of the cores")
            return slice(None)
        if use.where == "all":
            if tile != "ddr":
                raise BscError(f"'@all' is for locks of DDR, not {tile} {name}")
            return slice(None)
        if not use.where:
            return slice(None)
        # Shared with a neighbour, on the memtile that is read: a reader looks at its
        # neighbour's, an owner at its own if there is such a neighbour.
        if tile != "memtile" or engine not in (*_OWNERS, Engine.LOADFM):
            raise BscError(f"'@{use.where}' is for memtile locks of activations, not {name}")
        towards_right = (use.where == "r") == (engine in _OWNERS)
        return slice(0, self.arch.cols - 1) if towards_right else slice(1, self.arch.cols)

    def check_end(self) -> None:
        """All locks must be back at their initial values.  Raises BscError."""
        for name, values in self.values.items():
            init = self.locks[name].init
            if (values != init).any():
                raise BscError(
                    f"lock {name} ends at {values.tolist()}, declared initial value {init}: "
                    "acquires and releases do not balance"
                )
