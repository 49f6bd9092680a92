"""Families of locks as lines between two engines.

On every tile a family is a first-in first-out line: one channel gives, another takes, so
that the n-th unit taken is the n-th given.  That is a rule of its own here: of a lock with
several givers nobody could say whose release an acquire has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bsc.asm.isa import Engine
from bsc.asm.program import IntArray, Lock, LockUse
from bsc.asm.waits import Uses, Waits
from bsc.errors import BscError
from bsc.verify.reach import Channels

Clock: TypeAlias = npt.NDArray[np.int32]
"""Steps that are over on each channel.  A long program has millions of clocks; it has not
billions of steps."""


class End(NamedTuple):
    """One end of a line: an engine, where it finds the lock, and its first instruction."""

    engine: Engine
    where: str
    first: int


@dataclass
class Line:
    """A family, and who knows what by it.

    `sources` has for each part of the taker the parts of the giver on its tiles, the first
    repeated to fill up; for a part that takes nothing all are one beyond the last, `givers`.
    """

    lock: Lock
    giver: End
    taker: End
    sources: IntArray
    givers: int
    """Parts of the giver."""

    def known(self, clocks: Clock) -> Clock:
        """What the parts of the taker know by a release; `clocks` are those of all parts of
        the giver at the end of the step that releases."""
        clocks = self._released(clocks)
        if self._all_take:
            return clocks[self.sources].max(axis=1)
        padded = np.zeros((self.givers + 1, *clocks.shape[1:]), np.int32)
        padded[:-1] = clocks
        return padded[self.sources].max(axis=1)

    def _released(self, clocks: Clock) -> Clock:
        """The clocks with which the tiles of the giver's parts have the units."""
        if self.giver.where != "all":
            return clocks
        # A release in every column comes once all columns have come so far.
        return np.broadcast_to(clocks.max(axis=0), clocks.shape)

    @cached_property
    def _all_take(self) -> bool:
        """Whether there is a giver for each part of the taker."""
        return bool((self.sources < self.givers).all())

    @cached_property
    def is_plain(self) -> bool:
        """Whether each part of the giver gives its own clocks to the same part of the taker."""
        one_to_one = self.sources.tolist() == [[part] for part in range(self.givers)]
        return one_to_one and (self.giver.where != "all" or self.givers == 1)

    def done(self, clocks: Clock, first: int) -> int:
        """How many steps of the taker are surely over at a release, whichever tile one looks
        at; `first` is its first channel."""
        clocks = self._released(clocks)
        channels = first + np.arange(len(self.sources))
        used = self.sources[:, 0] < self.givers
        return int(clocks[self.sources[used], channels[used, None]].min()) if used.any() else 0


def lines(waits: Waits, names: Sequence[str], channels: Channels) -> dict[str, Line]:
    """The lines of a program whose locks balance; `names` are those of its instructions, for
    messages.  Raises BscError for a family that is no line."""
    found: dict[str, Line] = {}
    for name, lock in waits.program.locks.items():
        given, taken = waits.given[name], waits.taken[name]
        if given.ends:
            giver = _end(lock, given, waits, names, channels, "released")
            taker = _end(lock, taken, waits, names, channels, "acquired")
            found[name] = _line(lock, giver, taker, names, channels)
    return found


def _end(
    lock: Lock,
    uses: Uses,
    waits: Waits,
    names: Sequence[str],
    channels: Channels,
    done: str,
) -> End:
    """Who acquires or releases a family."""
    ends = [
        End(waits.instructions[index].spec.engine, use.where, index) for index, use in uses.ends
    ]
    first = ends[0]
    _check_reach(uses.ends[0][1], lock, first, names[first.first], channels, done)
    for end in ends:
        if first[:2] != end[:2]:
            raise BscError(
                f"lock {lock.name} is {done} by {_who(names, first)} and by "
                f"{_who(names, end)}: a lock is {done} by one engine only, in one "
                "way; give one of them a lock of its own"
            )
    return first


def _who(names: Sequence[str], end: End) -> str:
    return names[end.first] + (f" at '@{end.where}'" if end.where else "")


def _check_reach(
    use: LockUse, lock: Lock, end: End, who: str, channels: Channels, done: str
) -> None:
    try:
        channels.reached(end.engine, lock.tile, use.where)
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
