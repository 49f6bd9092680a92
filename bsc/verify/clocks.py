"""What the locks of a program imply of the order of its operations: vector clocks.

Every channel counts the steps (iterations of its instructions) that it has done.  A clock is
one such count for every channel of the machine: the steps that are surely over.  An
operation starts with the clock at the end of the one before it on its channel, joined with
those of the releases that its acquires have waited for; on a line from one channel to
another the n-th unit taken is the n-th given (`bsc.verify.chains`).  So one operation is
behind another, under any timing, exactly if the clock with which it starts says so.

One run in the order of the text is enough.  Each semaphore has one taker, so that nobody can
take away what another waits for: if one order of all operations runs to the end, every order
that the locks allow does, with the same pairs of release and acquire, and the program
cannot deadlock.  Nothing is left out: every iteration on every channel is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bsc.asm.isa import Engine
from bsc.asm.program import IntArray
from bsc.asm.waits import Waits
from bsc.errors import BscError
from bsc.verify.chains import Clock, Line, lines
from bsc.verify.reach import CORE_ENGINES, Channels

CORE_COLUMN = {engine: column for column, engine in enumerate(CORE_ENGINES)}
"""Where an engine stands in `Runs.at_cores`."""


@dataclass(frozen=True)
class Runs:
    """All iterations of one instruction.

    `text` is where each stands in the order of the text, `number` how many steps its
    engine's channels have done when it is over.  `start[i, p]` is the clock with which part
    p starts iteration i, but that the iteration itself counts in it as done; of computations
    it is not kept.  `at_cores[i, core, e]` is what the part that serves a core knows then of
    the part of engine e that serves it too.
    """

    text: IntArray
    number: IntArray
    start: Clock | None
    at_cores: Clock | None

    @cached_property
    def at_all_cores(self) -> Clock:
        """What is known at each core: `at_cores` over all of them."""
        assert self.at_cores is not None
        return self.at_cores.min(axis=1)


class Clocks:
    """Runs a program in the order of its text, without its values."""

    def __init__(self, waits: Waits, names: Sequence[str]):
        self.waits = waits
        self.limit = waits.program.arch.lock_max
        self.names = names
        self.instrs = waits.instructions
        self.channels = channels = Channels(waits.program.arch)
        self.lines = lines(waits, names, channels)
        shared = [channels.first[e] + channels.of_core[e] for e in CORE_ENGINES]
        self.shared: IntArray = np.stack(shared, axis=1)
        self.number = self._numbers()

    def _numbers(self) -> IntArray:
        """For each step, how many steps its engine has done when it is over."""
        engines = list(Engine)
        of_instr = np.array([engines.index(i.spec.engine) for i in self.instrs], np.int64)
        of_step = of_instr[self.waits.instrs]
        numbers = np.zeros(self.waits.count, np.int64)
        for engine in range(len(engines)):
            own = np.flatnonzero(of_step == engine)
            numbers[own] = np.arange(1, len(own) + 1)
        return numbers

    def run(self) -> list[Runs]:
        """The runs of all instructions.  Raises BscError for a lock that some timing raises
        above its limit."""
        found: dict[int, Runs] = {}
        blocks: dict[int, Clock] = {}
        ends: dict[int, Clock] = {}
        sources, last = self._sources()
        clock, more = self._first_clocks()
        engines = [instr.spec.engine for instr in self.instrs]
        counts = [instr.count for instr in self.instrs]
        indices: list[int] = self.waits.instrs.tolist()
        iterations: list[int] = self.waits.iterations.tolist()
        for step, (index, iteration) in enumerate(zip(indices, iterations, strict=True)):
            engine = engines[index]
            if not iteration:
                blocks[index] = np.empty((counts[index], *clock[engine].shape), np.int32)
            row: Clock = blocks[index][iteration]
            np.add(clock[engine], more[engine], out=row)
            for source, line in sources[step]:
                known = ends[source] if line is None else line.known(ends[source])
                np.maximum(row, known, out=row)
            for source, _ in sources[step]:
                if last[source] == step:
                    ends.pop(source, None)
            clock[engine] = row
            if last[step] >= 0:
                ends[step] = row
            if iteration == counts[index] - 1:
                found[index] = self._runs(index, blocks.pop(index))
        runs = [found[index] for index in range(len(self.instrs))]
        self._check_limits(runs)
        return runs

    def _sources(self) -> tuple[list[list[tuple[int, Line | None]]], list[int]]:
        """Of each step those that give what it takes, with the line if clocks change on it;
        and by which step a step was last waited for, -1 if never."""
        found: list[list[tuple[int, Line | None]]] = [[] for _ in range(self.waits.count)]
        last: IntArray = np.full(self.waits.count, -1, np.int64)
        for name, line in self.lines.items():
            source = self.waits.sources(name)
            known = np.flatnonzero(source >= 0)
            givers = self.waits.given[name].steps[source[known]]
            takers = self.waits.taken[name].steps[known]
            np.maximum.at(last, givers, takers)
            pairs: list[tuple[int, int]] = np.stack([givers, takers], axis=1).tolist()
            way = None if line.is_plain else line
            for giver, taker in pairs:
                found[taker].append((giver, way))
        return found, last.tolist()

    def _first_clocks(self) -> tuple[dict[Engine, Clock], dict[Engine, Clock]]:
        """The clocks of all parts of each engine at first, and what a step adds to them."""
        clocks: dict[Engine, Clock] = {}
        steps: dict[Engine, Clock] = {}
        for engine, parts in self.channels.parts.items():
            clocks[engine] = np.zeros((parts, self.channels.count), np.int32)
            steps[engine] = np.eye(
                parts, self.channels.count, self.channels.first[engine], dtype=np.int32
            )
        return clocks, steps

    def _runs(self, index: int, start: Clock) -> Runs:
        engine, places = self.instrs[index].spec.engine, self.waits.places[index]
        at_cores = None
        if engine in CORE_ENGINES:
            parts = self.channels.of_core[engine]
            at_cores = start[:, parts[:, None], self.shared]
        kept = None if engine is Engine.COMP else start
        return Runs(places, self.number[places], kept, at_cores)

    # Limits ------------------------------------------------------------------------------

    def _check_limits(self, runs: Sequence[Runs]) -> None:
        """The highest value of a lock under any timing is the one after a release before
        which its taker has done no more than it must: the giver's past and nothing else."""
        found = [
            (int(self.waits.given[name].steps[n]), value, line)
            for name, line in self.lines.items()
            for n, value in self._too_high(name, line, runs)
        ]
        if found:
            step, value, line = min(found, key=lambda problem: problem[0])
            who = self.names[int(self.waits.instrs[step])]
            raise BscError(
                f"{who} may raise {line.lock.name} to {value} before "
                f"{self.names[line.taker.first]} takes any of it; a lock goes up to "
                f"{self.limit}: make it wait for a free slot"
            )

    def _too_high(self, name: str, line: Line, runs: Sequence[Runs]) -> list[tuple[int, int]]:
        """The first release that may raise a lock too high, and the value."""
        given, taken = self.waits.given[name], self.waits.taken[name]
        numbers = self.number[taken.steps]
        gone = 0
        while True:
            # What was once known to be taken stays so: no release before this one does it.
            n = int(np.searchsorted(given.totals, self.limit - line.lock.init + gone, "right"))
            if n == len(given.totals):
                return []
            done = self._taker_done(int(given.steps[n]), line, runs)
            count = int(np.searchsorted(numbers, done, "right"))
            gone = int(taken.totals[count - 1]) if count else 0
            value = line.lock.init + int(given.totals[n]) - gone
            if value > self.limit:
                return [(n, value)]

    def _taker_done(self, step: int, line: Line, runs: Sequence[Runs]) -> int:
        """How many steps the taker has surely done when a step has released."""
        run = runs[int(self.waits.instrs[step])]
        iteration = int(self.waits.iterations[step])
        if line.lock.tile == "core":
            assert run.at_cores is not None
            return int(run.at_cores[iteration, :, CORE_COLUMN[line.taker.engine]].min())
        assert run.start is not None
        return line.done(run.start[iteration], self.channels.first[line.taker.engine])
