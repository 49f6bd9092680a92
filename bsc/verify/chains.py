"""Families of locks as lines between two engines.

On every tile a family is a first-in first-out line: one channel gives, another takes, so
that the n-th unit taken is the n-th given.  That is a rule of its own here: of a lock with
several givers nobody could say whose release an acquire has seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bsc.asm.isa import Engine
from bsc.asm.program import Instr, IntArray, Lock, LockUse, Program
from bsc.errors import BscError
from bsc.verify.reach import Channels


class End(NamedTuple):
    """One end of a line: an engine, where it finds the lock, and its first instruction."""

    engine: Engine
    where: str
    first: int


@dataclass
class Line:
    """A family, and what has gone through it so far, in units of its value."""

    lock: Lock
    giver: End
    taker: End
    sources: IntArray
    """For each part of the taker the parts of the giver on its tiles, the first repeated to
    fill up; for a part that takes nothing all are one beyond the last, `givers`."""
    givers: int
    """Parts of the giver."""
    given: int = 0
    taken: int = 0
    gone: int = 0
    """Units that the taker must have taken, when that was last looked at."""
    waiting: deque[tuple[int, IntArray]] = field(default_factory=deque[tuple[int, IntArray]])
    """The releases that nobody has taken wholly: all units up to its end, and the clocks of
    the giver's parts then."""
    steps: list[int] = field(default_factory=list[int])
    totals: list[int] = field(default_factory=list[int])
    """The numbers of the taker's steps that took, and all units taken up to each."""

    def take(self, amount: int, step: int) -> IntArray | None:
        """Take units in a step of the taker: what its parts know by that, if anything."""
        self.taken += amount
        self.steps.append(step)
        self.totals.append(self.taken)
        needed = self.taken - self.lock.init
        if needed <= 0:
            return None
        while self.waiting[0][0] < needed:
            self.waiting.popleft()
        known = self.waiting[0][1]
        if self._one_to_one:
            return known
        if self._all_take:
            return known[self.sources].max(axis=1)
        padded = np.zeros((self.givers + 1, *known.shape[1:]), np.int64)
        padded[:-1] = known
        return padded[self.sources].max(axis=1)

    @cached_property
    def _all_take(self) -> bool:
        """Whether there is a giver for each part of the taker."""
        return bool((self.sources < self.givers).all())

    @cached_property
    def _one_to_one(self) -> bool:
        """Whether each part of the giver gives to the same part of the taker."""
        return self.sources.tolist() == [[part] for part in range(self.givers)]

    def give(self, amount: int, clocks: IntArray) -> None:
        """Give units; `clocks` are those of all parts of the giver, at the end of a step."""
        self.given += amount
        if self.giver.where == "all":
            # A release in every column comes once all columns have come so far.
            clocks = np.broadcast_to(clocks.max(axis=0), clocks.shape)
        self.waiting.append((self.given, clocks))

    def highest(self, channels: Channels) -> int:
        """The value after the last release, if the taker has done no more than it must.

        It is the highest that any timing gives: the giver's past, and nothing else, has
        happened.
        """
        first = channels.first[self.taker.engine] + np.arange(len(self.sources))
        known = self.waiting[-1][1]
        used = self.sources[:, 0] < self.givers
        done = int(known[self.sources[used], first[used, None]].min()) if used.any() else 0
        count = bisect_left(self.steps, done + 1)
        self.gone = self.totals[count - 1] if count else 0
        return self.bound

    @property
    def bound(self) -> int:
        """No less than the highest value after the last release: what was once known to be
        taken stays so."""
        return self.lock.init + self.given - self.gone


def lines(program: Program, names: Sequence[str], channels: Channels) -> dict[str, Line]:
    """The lines of a program whose locks balance; `names` are those of its instructions, for
    messages.  Raises BscError for a family that is no line."""
    instrs = program.instructions()
    givers = _ends(instrs, names, program.locks, channels, "released")
    takers = _ends(instrs, names, program.locks, channels, "acquired")
    found: dict[str, Line] = {}
    for name, giver in givers.items():
        found[name] = _line(program.locks[name], giver, takers[name], names, channels)
    return found


def _ends(
    instrs: Sequence[Instr],
    names: Sequence[str],
    locks: dict[str, Lock],
    channels: Channels,
    done: str,
) -> dict[str, End]:
    """Who acquires or releases each family."""
    found: dict[str, End] = {}
    for index, instr in enumerate(instrs):
        for use in instr.acquires if done == "acquired" else instr.releases:
            end = End(instr.spec.engine, use.where, index)
            # An acquire comes before the first iteration of a period, a release after the last.
            early = use.period - 1 if done == "acquired" else 0
            times = (instr.count + early) // use.period
            for name in use.names[:times]:
                first = found.setdefault(name, end)
                if first[:2] != end[:2]:
                    raise BscError(
                        f"lock {name} is {done} by {_who(names, first)} and by "
                        f"{_who(names, end)}: a lock is {done} by one engine only, in one "
                        "way; give one of them a lock of its own"
                    )
                if first is end:
                    _check_reach(use, locks[name], instr, names[index], channels, done)
    return found


def _who(names: Sequence[str], end: End) -> str:
    return names[end.first] + (f" at '@{end.where}'" if end.where else "")


def _check_reach(
    use: LockUse, lock: Lock, instr: Instr, who: str, channels: Channels, done: str
) -> None:
    try:
        channels.reached(instr.spec.engine, lock.tile, use.where)
    except BscError as e:
        raise BscError(f"{who} {e} {lock.tile} lock {lock.name}") from None
    if use.where == "all" and done == "acquired":
        raise BscError(
            f"{who} acquires {lock.name} '@all': only releases can be of all columns"
        )


def _line(lock: Lock, giver: End, taker: End, names: Sequence[str], channels: Channels) -> Line:
    givers: dict[int, int] = {}
    for part, tiles in enumerate(channels.reached(giver.engine, lock.tile, giver.where)):
        givers |= {tile: part for tile in tiles}
    takers = channels.reached(taker.engine, lock.tile, taker.where)
    taken = {tile for tiles in takers for tile in tiles}
    if givers.keys() != taken:
        raise BscError(
            f"lock {lock.name} is released by {_who(names, giver)} on the {lock.tile} tiles "
            f"{sorted(givers)} and acquired by {_who(names, taker)} on {sorted(taken)}: let "
            "both ends name the same tiles"
        )
    nobody = channels.parts[giver.engine]
    parts = [sorted({givers[tile] for tile in tiles}) or [nobody] for tiles in takers]
    width = max(map(len, parts))
    sources = np.array([[*p, *p[:1] * (width - len(p))] for p in parts], np.int64)
    return Line(lock, giver, taker, sources, nobody)
