"""Which tensors stay in the memtiles, and when: the plan before addresses are given.

A tensor is written, then read at some steps.  Between two of these events it is either
*resident*, or it goes to DDR and is fetched again.  All start resident; wherever the
memtiles are too full, one residency after another is given up, the one that costs least
DDR traffic for the room that it makes at this step and at all others that lack room.  (The
paper, section 4.3, evicts everything at once.)  Where an event uses a slice only, giving up
residency on both sides of it leaves a buffer for the slice: that is what makes a split in
time pay.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.dialects.placement import Spread

Bytes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Use:
    """
    One read or write of a tensor, at a step.

    `staged` are the bytes in the fullest memtile of a buffer for just what is used here,
    `moved` the bytes that go between it and DDR.  `spread` is the spread of the whole
    tensor if it is in the memtiles for this use first, and `accepts` tells whether the use
    can work on the whole tensor with another spread.
    """

    step: int
    staged: int
    moved: int
    spread: Spread
    accepts: Callable[[Spread], bool]


class Event(NamedTuple):
    """A read, or all writes of a tensor together."""

    uses: tuple[Use, ...]

    @property
    def first(self) -> int:
        """Its first step."""
        return self.uses[0].step

    @property
    def last(self) -> int:
        """Its last step."""
        return self.uses[-1].step


@dataclass
class Item:
    """
    A tensor: the uses that write it, then those that read it, each by rising step.

    `size` gives the bytes of the whole tensor in the fullest memtile for a spread, `total`
    its bytes in DDR.  The host has written a tensor without writes; with `to_ddr` it reads
    this one.
    """

    name: str
    size: Callable[[Spread], int]
    total: int
    writes: tuple[Use, ...]
    reads: tuple[Use, ...]
    to_ddr: bool = False
    assembled: bool = True
    """Whether all writes go into one buffer for the whole, or each into one of its own."""
    resident: list[bool] = field(default_factory=list[bool])
    """Whether the whole stays from each event to the next."""

    def events(self) -> list[Event]:
        """The writes as one event, if there are any, then each read."""
        written = [Event(self.writes)] if self.writes else []
        return [*written, *(Event((use,)) for use in self.reads)]

    def keep_all(self) -> None:
        """Start with everything resident that can be."""
        spread = None
        if self.writes:
            same = {use.spread for use in self.writes}
            whole = self.writes[0].spread
            self.assembled = len(same) == 1 and all(u.accepts(whole) for u in self.writes)
            spread = whole if self.assembled else None
        self.resident = []
        for index, use in enumerate(self.reads):
            stays = spread is not None and use.accepts(spread)
            if index or self.writes:
                self.resident.append(stays)
            if not stays:
                # A part of the channels may need columns that say nothing of the whole.
                spread = use.spread if use.accepts(use.spread) else None

    def end_what_cannot_stay(self) -> None:
        """A stay that begins later than it did may have another spread: it ends where somebody
        cannot work on that."""
        spread: Spread | None = None
        for index, event in enumerate(self.events()):
            use = event.uses[0]
            if index and self.resident[index - 1]:
                self.resident[index - 1] = spread is not None and use.accepts(spread)
            if not index or not self.resident[index - 1]:
                spread = use.spread if use.accepts(use.spread) else None

    def stays(self) -> Iterator[Stay]:
        """The stays of the whole tensor, as decided so far."""
        events = self.events()
        first = 0
        for index in range(len(events)):
            if index + 1 < len(events) and self.resident[index]:
                continue
            written = first == 0 and bool(self.writes)
            if index > first or (written and self.assembled):
                spread = events[first].uses[0].spread
                yield Stay(self, first, index, events[first].first, events[index].last, spread)
            first = index + 1

    def staged(self) -> Iterator[tuple[int, Use]]:
        """The uses outside of any stay, which have buffers of their own, each with the
        number of its event."""
        covered = {i for stay in self.stays() for i in range(stay.first, stay.last + 1)}
        for index, event in enumerate(self.events()):
            if index not in covered:
                yield from ((index, use) for use in event.uses)

    def profile(self, steps: int) -> Bytes:
        """Bytes in the fullest memtile at each step, as decided so far."""
        found = np.zeros(steps, np.int64)
        for stay in self.stays():
            found[stay.lower : stay.upper + 1] += stay.size
        for _, use in self.staged():
            found[use.step] += use.staged
        return found

    def traffic(self) -> int:
        """Bytes that go to and from DDR, as decided so far."""
        stays = list(self.stays())
        count = sum(use.moved for _, use in self.staged() if use not in self.writes)
        for stay in stays:
            if not stay.written:
                count += self.total
        return count + (self.total if self.goes_to_ddr() else 0)

    def goes_to_ddr(self) -> bool:
        """Whether the tensor is written to DDR by the array."""
        if not self.writes:
            return False
        whole = next(self.stays(), None)
        kept = whole is not None and whole.written and whole.last == len(self.reads)
        return self.to_ddr or not kept


class Stay(NamedTuple):
    """A stay of a whole tensor in the memtiles, from event `first` to event `last`."""

    item: Item
    first: int
    last: int
    lower: int
    upper: int
    spread: Spread

    @property
    def written(self) -> bool:
        """Whether the array writes it there; else it is fetched."""
        return self.first == 0 and bool(self.item.writes)

    @property
    def size(self) -> int:
        """Bytes in the fullest memtile."""
        return self.item.size(self.spread)


class Shortage(NamedTuple):
    """A step that does not fit whatever goes to DDR: bytes needed, bytes there are."""

    step: int
    needed: int
    capacity: int


def plan(
    items: Iterable[Item], fixed: dict[int, int], capacities: dict[int, int]
) -> list[Shortage]:
    """Give up residencies until every step fits.

    `fixed` are bytes that a step needs besides (weights), `capacities` the bytes of a
    memtile at each step.  Changes the items; returns the steps that cannot fit.
    """
    return _Plan(list(items), fixed, capacities).run()


class _Plan:
    """The bytes that each step needs in the fullest memtile, tensor by tensor."""

    def __init__(self, items: list[Item], fixed: dict[int, int], capacities: dict[int, int]):
        self.items = items
        self.steps = sorted(capacities)
        self.count = max(self.steps, default=-1) + 1
        self.capacity = np.zeros(self.count, np.int64)
        self.capacity[self.steps] = [capacities[step] for step in self.steps]
        self.profiles = [item.profile(self.count) for item in items]
        self.needed = np.zeros(self.count, np.int64)
        for step, size in fixed.items():
            self.needed[step] += size
        for profile in self.profiles:
            self.needed += profile

    def run(self) -> list[Shortage]:
        """All steps, until nothing changes."""
        while True:
            found = [self._fit(step) for step in self.steps]
            # What one step gives up can cost another one more: a slice for every memtile may
            # take more room than a whole that is spread.
            if not any(found):
                short = [step for step in self.steps if self._short[step] > 0]
                return [
                    Shortage(step, int(self.needed[step]), int(self.capacity[step]))
                    for step in short
                ]

    @property
    def _short(self) -> Bytes:
        """The bytes that each step lacks."""
        return np.maximum(self.needed - self.capacity, 0)

    def _fit(self, step: int) -> bool:
        """Give up residencies until a step fits, or nothing is left to give up; whether any
        was."""
        changed = False
        while self.needed[step] > self.capacity[step]:
            best = self._cheapest(step)
            if best is None:
                break
            index, item, profile = best
            old = self.items[index]
            old.assembled, old.resident = item.assembled, item.resident
            self.needed += profile - self.profiles[index]
            self.profiles[index] = profile
            changed = True
        return changed

    def _cheapest(self, step: int) -> tuple[int, Item, Bytes] | None:
        """The item to change at a step and how, with the least DDR traffic for what this
        gives to all the steps that lack room."""
        best: tuple[float, int, Item, Bytes] | None = None
        short = self._short
        for index, item in enumerate(self.items):
            if not self.profiles[index][step] or (changed := _without(item, step)) is None:
                continue
            profile = changed.profile(self.count)
            room = self.profiles[index] - profile
            if room[step] <= 0:
                continue
            relief = int(np.minimum(np.maximum(room, 0), short).sum())
            cost = (changed.traffic() - item.traffic()) / relief
            if best is None or cost < best[0]:
                best = (cost, index, changed, profile)
        return None if best is None else best[1:]


def give_up(items: Iterable[Item], step: int) -> bool:
    """Give up one more residency at a step, for lack of one hole that is large enough.
    Returns whether there was one."""
    best: tuple[int, Item, Item] | None = None
    for item in items:
        changed = _without(item, step)
        if changed is None or _load(changed, step) >= _load(item, step):
            continue
        cost = changed.traffic() - item.traffic()
        if best is None or cost < best[0]:
            best = (cost, item, changed)
    if best is None:
        return False
    _, old, new = best
    old.assembled, old.resident = new.assembled, new.resident
    return True


def leave_to_ddr(item: Item, step: int) -> None:
    """Let a step that cannot fit work on DDR: nothing stays for it, and what it writes goes
    there."""
    changed = _without(item, step)
    if changed is not None:
        item.resident = changed.resident
    if any(use.step == step for use in item.writes):
        item.assembled = False


def _load(item: Item, step: int) -> int:
    """Bytes of a tensor in the fullest memtile at a step."""
    stays = sum(stay.size for stay in item.stays() if stay.lower <= step <= stay.upper)
    return stays + sum(use.staged for _, use in item.staged() if use.step == step)


def _without(item: Item, step: int) -> Item | None:
    """The item with its stays around `step` given up, as far as that step goes.

    There may be two of them: an operation can read a tensor twice.
    """
    changed = copy.copy(item)
    changed.resident = list(item.resident)
    events = item.events()
    for stay in item.stays():
        if not stay.lower <= step <= stay.upper:
            continue
        for index in range(stay.first, stay.last + 1):
            if events[index].first <= step <= events[index].last:
                for gap in (index - 1, index):
                    if 0 <= gap < len(changed.resident):
                        changed.resident[gap] = False
                if index == 0 and item.writes:
                    changed.assembled = len(item.writes) == 1
            elif index < stay.last and events[index].last < step < events[index + 1].first:
                changed.resident[index] = False
    changed.end_what_cannot_stay()
    same = (changed.resident, changed.assembled) == (item.resident, item.assembled)
    return None if same else changed
