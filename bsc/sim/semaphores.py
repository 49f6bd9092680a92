"""The locks of a program as semaphores that processes wait for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import simpy

from bsc.asm.program import Instr, LockUse, Program
from bsc.errors import BscError
from bsc.sim.channels import Operation
from bsc.sim.locks import reached, tiles_of_kind


class Wait(NamedTuple):
    """What a channel waits for: a semaphore of a family, and how much of it."""

    family: str
    tile: int
    amount: int


class Semaphores:
    """All locks of a program; `waiting` tells who waits for what."""

    def __init__(self, env: simpy.Environment, program: Program):
        self.arch = program.arch
        self.kinds = {name: lock.tile for name, lock in program.locks.items()}
        self.initial = {name: lock.init for name, lock in program.locks.items()}
        # Without a capacity: a value above the limit is an error, not a reason to wait.
        self.values = {
            name: [
                simpy.Container(env, init=lock.init)
                for _ in range(tiles_of_kind(lock.tile, self.arch))
            ]
            for name, lock in program.locks.items()
        }
        self._rounds: dict[str, list[int]] = {}
        self._arrivals: dict[tuple[str, int], int] = {}

    def tiles(self, instr: Instr, use: LockUse, name: str, part: int) -> tuple[int, ...]:
        """The semaphores that one part of an instruction reaches."""
        engine = instr.spec.engine
        return reached(engine, self.kinds[name], use.where, name, part, self.arch)

    def wants(self, op: Operation) -> list[Wait]:
        """What an operation acquires before it starts."""
        return [
            Wait(name, tile, use.amount)
            for use in op.instr.acquires
            if use.acquires_at(op.iteration)
            for name in [use.at(op.iteration)]
            for tile in self.tiles(op.instr, use, name, op.part)
        ]

    def acquire(self, wait: Wait) -> Generator[simpy.Event, Any, None]:
        """Wait until the semaphore is high enough, and subtract."""
        got = self.values[wait.family][wait.tile].get(wait.amount)
        if not got.triggered:
            yield got

    def release(self, op: Operation) -> None:
        """Add what an operation releases when it is done."""
        for use in op.instr.releases:
            if not use.releases_at(op.iteration):
                continue
            name = use.at(op.iteration)
            if use.where != "all":
                for tile in self.tiles(op.instr, use, name, op.part):
                    self._add(name, tile, use.amount)
            elif self._all_here(name, op.part):
                for tile in range(self.arch.cols):
                    self._add(name, tile, use.amount)

    def _all_here(self, name: str, column: int) -> bool:
        """Whether this column is the last to come as far as it has come."""
        count = self._arrivals.get((name, column), 0)
        self._arrivals[name, column] = count + 1
        rounds = self._rounds.setdefault(name, [])
        if count == len(rounds):
            rounds.append(0)
        rounds[count] += 1
        return rounds[count] == self.arch.cols

    def _add(self, name: str, tile: int, amount: int) -> None:
        semaphore = self.values[name][tile]
        semaphore.put(amount)
        if semaphore.level > self.arch.lock_max:
            raise BscError(f"lock {name} of tile {tile} rises above {self.arch.lock_max}")

    def check_end(self) -> None:
        """All locks must be back at their initial values.  Raises BscError."""
        for name, tiles in self.values.items():
            levels = [int(tile.level) for tile in tiles]
            if any(level != self.initial[name] for level in levels):
                raise BscError(
                    f"lock {name} ends at {levels}, declared initial value "
                    f"{self.initial[name]}: acquires and releases do not balance"
                )
