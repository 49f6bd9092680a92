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

import numpy as np

from bsc.asm.isa import Engine
from bsc.asm.order import stage_order
from bsc.asm.program import Instr, IntArray, Program
from bsc.errors import BscError
from bsc.verify.chains import Line, lines
from bsc.verify.reach import CORE_ENGINES, Channels

CORE_COLUMN = {engine: column for column, engine in enumerate(CORE_ENGINES)}
"""Where an engine stands in `Runs.at_cores`."""

_Use = tuple[int, int, list[Line]]
"""An acquire or release: its period, the amount, and the lines that are used in turn."""


@dataclass(frozen=True)
class Runs:
    """All iterations of one instruction.

    `text` is where each stands in the order of the text, `number` how many steps its
    engine's channels have done when it is over.  `start[i, p]` is the clock with which part
    p starts iteration i; of computations it is not kept.  `at_cores[i, core, e]` is what the
    part that serves a core knows then of the part of engine e that serves it too.
    """

    text: IntArray
    number: IntArray
    start: IntArray | None
    at_cores: IntArray | None


class Clocks:
    """Runs a program in the order of its text, without its values."""

    def __init__(self, program: Program, names: Sequence[str]):
        self.limit = program.arch.lock_max
        self.names = names
        self.instrs = program.instructions()
        self.channels = channels = Channels(program.arch)
        self.lines = lines(program, names, channels)
        self.clock: dict[Engine, IntArray] = {
            engine: np.zeros((count, channels.count), np.int64)
            for engine, count in channels.parts.items()
        }
        self.done = dict.fromkeys(Engine, 0)
        self.position = 0
        shared = [channels.first[e] + channels.of_core[e] for e in CORE_ENGINES]
        self.shared: IntArray = np.stack(shared, axis=1)

    def run(self, stages: Sequence[Sequence[int]]) -> list[Runs]:
        """The runs of all instructions; `stages` are the indices of those that iterate
        together.  Raises BscError for a lock that some timing raises above its limit."""
        found: dict[int, Runs] = {}
        for stage in stages:
            starts: dict[int, list[tuple[int, int, IntArray]]] = {i: [] for i in stage}
            uses = [self._uses(self.instrs[i]) for i in stage]
            for member, iteration in stage_order([self.instrs[i] for i in stage]):
                step = self._step(stage[member], iteration, *uses[member])
                starts[stage[member]].append(step)
            for index, steps in starts.items():
                found[index] = self._runs(self.instrs[index].spec.engine, steps)
        return [found[index] for index in range(len(self.instrs))]

    def _uses(self, instr: Instr) -> tuple[Engine, list[_Use], list[_Use]]:
        """What an instruction is, acquires and releases, with the lines instead of names."""
        acquires, releases = (
            [(u.period, u.amount, [self.lines[name] for name in u.names]) for u in uses]
            for uses in (instr.acquires, instr.releases)
        )
        return instr.spec.engine, acquires, releases

    def _step(
        self,
        index: int,
        iteration: int,
        engine: Engine,
        acquires: list[_Use],
        releases: list[_Use],
    ) -> tuple[int, int, IntArray]:
        """One iteration: the clock with which it starts, and its numbers in the text and on
        its channels."""
        number = self.done[engine] = self.done[engine] + 1
        self.position += 1
        start = self.clock[engine]
        for period, amount, turns in acquires:
            turn, rest = divmod(iteration, period)
            if not rest:
                known = turns[turn % len(turns)].take(amount, number)
                start = start if known is None else np.maximum(start, known)
        end = start.copy()
        # Part p of the engine is channel first + p.
        end.reshape(-1)[self.channels.first[engine] :: self.channels.count + 1] = number
        self.clock[engine] = end
        for period, amount, turns in releases:
            turn, rest = divmod(iteration, period)
            if rest == period - 1:
                line = turns[turn % len(turns)]
                line.give(amount, end)
                if line.bound > self.limit:
                    self._check_limit(line, index)
        return self.position, number, start

    def _check_limit(self, line: Line, index: int) -> None:
        if (value := line.highest(self.channels)) > self.limit:
            raise BscError(
                f"{self.names[index]} may raise {line.lock.name} to {value} before "
                f"{self.names[line.taker.first]} takes any of it; a lock goes up to "
                f"{self.limit}: make it wait for a free slot"
            )

    def _runs(self, engine: Engine, steps: list[tuple[int, int, IntArray]]) -> Runs:
        text = np.array([position for position, _, _ in steps], np.int64)
        number = np.array([number for _, number, _ in steps], np.int64)
        start = np.stack([start for _, _, start in steps])
        at_cores = None
        if engine in CORE_ENGINES:
            parts = self.channels.of_core[engine]
            at_cores = start[:, parts[:, None], self.shared]
        return Runs(text, number, None if engine is Engine.COMP else start, at_cores)
