"""Who gives what an instruction takes: the acquires and releases of a program, step by step.

A step is one iteration of one instruction; steps are numbered in text order.  A family of
locks joins one engine that gives with one that takes, so that on each tile the n-th unit
taken is the n-th given: an acquire waits for the release that brings the last of its units.
All of this follows from the text alone, and so it is worked out once, for all iterations
together; the static check and the time of a program go by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bsc.asm.order import stage_places, units
from bsc.asm.program import IntArray, LockUse, Program, Ready
from bsc.errors import BscError


@dataclass(frozen=True)
class Uses:
    """All acquires of a family, or all its releases, in text order.

    `steps` are the steps that do them, `amounts` the units of each, `totals` all units up to
    and with each.  `ends[who[n]]` is the instruction that does the n-th one, by its place
    among the instructions, and the use in its text.
    """

    steps: IntArray
    amounts: IntArray
    totals: IntArray
    who: IntArray
    ends: Sequence[tuple[int, LockUse]]


@dataclass
class _Collected:
    """The uses of a family, as they are found."""

    steps: list[IntArray] = field(default_factory=list[IntArray])
    ends: list[tuple[int, LockUse]] = field(default_factory=list[tuple[int, LockUse]])

    def uses(self) -> Uses:
        counts = [len(steps) for steps in self.steps]
        amounts = np.repeat(np.array([use.amount for _, use in self.ends], np.int64), counts)
        who = np.repeat(np.arange(len(self.ends)), counts)
        steps = np.concatenate([np.zeros(0, np.int64), *self.steps])
        # Instructions of a stage take turns; those of one step keep the order of the text.
        order = np.argsort(steps, kind="stable")
        amounts = amounts[order]
        return Uses(steps[order], amounts, np.cumsum(amounts), who[order], self.ends)


class Waits:
    """The steps of a program, and the uses of each family of locks.

    `places[i]` are the steps of instruction i, iteration by iteration; `instrs` and
    `iterations` are what each step is.  Raises BscError for instructions of a stage that do
    not iterate together.
    """

    def __init__(self, program: Program):
        self.program = program
        self.instructions = program.instructions()
        self.places: list[IntArray] = []
        for first, places in _unit_places(program):
            self.places += [first + place for place in places]
        counts = [len(places) for places in self.places]
        self.count = sum(counts)
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *self.places]))
        self.instrs: IntArray = np.repeat(np.arange(len(counts)), counts)[order]
        iterations = [np.zeros(0, np.int64), *map(np.arange, counts)]
        self.iterations: IntArray = np.concatenate(iterations)[order]
        self.given, self.taken = (
            {name: found.uses() for name, found in self._collect(acquires).items()}
            for acquires in (False, True)
        )

    def _collect(self, acquires: bool) -> dict[str, _Collected]:
        """What is acquired, or released, by the family's name."""
        found = {name: _Collected() for name in self.program.locks}
        for index, (instr, places) in enumerate(
            zip(self.instructions, self.places, strict=True)
        ):
            for use in instr.acquires if acquires else instr.releases:
                # An acquire comes before the first iteration of a period, a release after
                # the last.
                first = 0 if acquires else use.period - 1
                step = use.period * len(use.names)
                for turn, name in enumerate(use.names):
                    steps = places[first + turn * use.period :: step]
                    if len(steps):
                        found[name].steps.append(steps)
                        found[name].ends.append((index, use))
        return found

    def sources(self, name: str) -> IntArray:
        """For each acquire of a family the release that it waits for, as its place among the
        releases, or -1 if all its units are there from the start.

        A release that the text gives too late, or never, does not count: that is for the
        static check to say.
        """
        given, taken = self.given[name], self.taken[name]
        needed = taken.totals - self.program.locks[name].init
        found = np.searchsorted(given.totals, needed)
        before = np.searchsorted(given.steps, taken.steps)
        return np.where(needed > 0, np.minimum(found, before - 1), -1)


def _unit_places(program: Program) -> Iterator[tuple[int, list[IntArray]]]:
    """The first step of each stage and transfer, and where its steps stand from there."""
    first = 0
    for layer, unit in units(program):
        if isinstance(unit, Ready):
            continue
        try:
            yield first, stage_places(unit)
        except BscError as e:
            raise BscError(f"{layer.full_name}: {e}") from None
        first += sum(instr.count for instr in unit)
