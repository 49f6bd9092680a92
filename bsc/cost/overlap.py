"""`overlap` timing: what the locks allow, as a recurrence over the text.

Each channel, link and core takes its own work in the order of the text, and locks are all
that holds it back.  A family of locks joins one engine that gives with one that takes, so
that on each tile the n-th unit taken is the n-th given; and text order is a legal order.
So one pass from top to bottom has all times, for all tiles of an iteration at once:

    start = max(the channel is free, each lock was given),  end = start + duration

A stage of n iterations comes out as fill, n times its slowest part, and drain, however
uneven its parts are.

Activations and weights on their way from DDR to one memtile share its channels, and who
meets whom there depends on the times themselves: they are worked out again until nothing
changes (`bsc.cost.sharing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.order import stage_order
from bsc.asm.program import Instr, Layer, LockUse, Program
from bsc.cost.sharing import Job, durations
from bsc.cost.tiles import Reach, Tiles
from bsc.cost.work import Seconds, Work

_ROUNDS = 4
"""How often who shares a channel with whom is worked out, at most."""

_SAME_S = 1e-12
"""Durations that differ by less are the same."""

_SHARED = (Engine.LOAD, Engine.LOADW)


class Interval(NamedTuple):
    """From the start of an instruction's first iteration to the end of its last one."""

    start: float
    end: float


@dataclass
class _Family:
    """A family of locks: when each unit was given, tile by tile, and how many are taken."""

    init: int
    kind: str
    given: list[Seconds] = field(default_factory=list[Seconds])
    taken: int = 0

    def clear(self) -> None:
        """Back to the initial value."""
        self.given = [np.zeros(1)] * self.init
        self.taken = 0

    def take(self, amount: int) -> Seconds:
        """When the next units were given.  Those that the text never gives do not count:
        whether locks balance is for `--verify-dataflow` to say."""
        self.taken += amount
        known = min(self.taken, len(self.given))
        return self.given[known - 1] if known else np.zeros(1)


@dataclass(frozen=True)
class _Use:
    """Units of a lock that an iteration takes or gives."""

    family: _Family
    reach: Reach
    amount: int


@dataclass
class _Step:
    """One iteration of an instruction, on all parts of its engine at once."""

    index: int
    engine: Engine
    alone: Seconds
    """Seconds on each part, on a single channel."""
    seconds: Seconds
    """Seconds as they come out."""
    set_up: float
    takes: list[_Use]
    gives: list[_Use]
    ready: Seconds = field(default_factory=lambda: np.zeros(1))
    """When its locks were given."""

    def job(self, col: int, cols: int) -> Job:
        """The transfer of one column."""
        ready = np.broadcast_to(self.ready, cols)
        return Job(float(ready[col]), self.set_up, float(self.alone[col]))


class _Maker:
    """Makes the steps of one instruction."""

    def __init__(self, instr: Instr, work: Work, arch: Arch, locks: Mapping[str, _Family]):
        self.takes, self.gives = instr.acquires, instr.releases
        self.arch = arch
        self.locks = locks
        self.uses: dict[tuple[LockUse, str], _Use] = {}
        self.engine = instr.spec.engine
        self.table = _seconds(self.engine, work, arch)
        channels = {
            Engine.WRITE: arch.ddr_write_channels,
            **dict.fromkeys(_SHARED, arch.ddr_read_channels),
        }
        self.channels = channels.get(self.engine, 1)

    def step(self, index: int, iteration: int, programs: bool) -> _Step:
        """One iteration; `programs` if the cores are programmed before the first one."""
        alone = self.table[iteration]
        cycles = self.arch.dispatch_cycles + programs * self.arch.reprogram_cycles
        takes = [u for u in self.takes if u.acquires_at(iteration)]
        gives = [u for u in self.gives if u.releases_at(iteration)]
        return _Step(
            index,
            self.engine,
            alone,
            alone / self.channels,
            0.0 if iteration else self.arch.cycles_to_s(cycles),
            [self._use(use, iteration) for use in takes],
            [self._use(use, iteration) for use in gives],
        )

    def _use(self, use: LockUse, iteration: int) -> _Use:
        key = use, use.at(iteration)
        if key not in self.uses:
            family = self.locks[key[1]]
            reach = Reach(self.engine, family.kind, use.where)
            self.uses[key] = _Use(family, reach, use.amount)
        return self.uses[key]


def _seconds(engine: Engine, work: Work, arch: Arch) -> Seconds:
    """Seconds of each iteration on each part of its engine."""
    if work.cores is not None:
        return work.cores
    if engine is not Engine.LOADWDM:
        return work.seconds
    parts = min(arch.rows, arch.cols)
    by_part = [work.seconds[:, part::parts].max(axis=1) for part in range(parts)]
    return np.stack(by_part, axis=1)


def _first_computations(program: Program) -> set[int]:
    """The first computation of each layer, by its place among the instructions."""
    found: set[int] = set()
    index, fresh = 0, False
    for item in program.body:
        if isinstance(item, Layer):
            fresh = True
        elif isinstance(item, Instr):
            if fresh and item.spec.engine is Engine.COMP:
                found.add(index)
                fresh = False
            index += 1
    return found


def intervals(
    program: Program, units: Iterable[tuple[list[Instr], list[Work]]]
) -> list[Interval]:
    """When each instruction starts and ends.

    `units` are all instructions in text order with what they do: stages, and transfers from
    and to DDR.
    """
    recurrence = _Recurrence(program)
    for instrs, works in units:
        recurrence.add(instrs, works)
    return recurrence.run()


class _Recurrence:
    """The steps of a program, made once, and timed as often as is needed."""

    def __init__(self, program: Program):
        self.arch = program.arch
        self.tiles = Tiles(self.arch)
        self.locks = {
            name: _Family(lock.init, lock.tile) for name, lock in program.locks.items()
        }
        self.first = _first_computations(program)
        self.steps: list[_Step] = []
        self.instructions = 0

    def add(self, instrs: list[Instr], works: list[Work]) -> None:
        """The steps of a stage, or of transfers from and to DDR."""
        makers = [
            _Maker(instr, work, self.arch, self.locks)
            for instr, work in zip(instrs, works, strict=True)
        ]
        if instrs[0].spec.engine in DDR_ENGINES:
            # Each does all its iterations before the next.
            order = [(k, i) for k, instr in enumerate(instrs) for i in range(instr.count)]
        else:
            order = list(stage_order(instrs))
        for k, iteration in order:
            index = self.instructions + k
            self.steps.append(makers[k].step(index, iteration, index in self.first))
        self.instructions += len(instrs)

    def run(self) -> list[Interval]:
        """When each instruction starts and ends."""
        found = self._pass()
        for _ in range(_ROUNDS - 1):
            if not self._share():
                break
            found = self._pass()
        return found

    def _pass(self) -> list[Interval]:
        """From top to bottom, with the durations as they are known."""
        for family in self.locks.values():
            family.clear()
        free = {engine: np.zeros(1) for engine in Engine}
        starts: dict[int, Seconds] = {}
        ends: dict[int, Seconds] = {}
        start = np.zeros(1)
        for step in self.steps:
            ready = start
            for use in step.takes:
                given = use.family.take(use.amount)
                ready = np.maximum(ready, self.tiles.to_parts(use.reach, given))
            step.ready = ready
            begin = np.maximum(free[step.engine], ready)
            free[step.engine] = end = begin + step.set_up + step.seconds
            for use in step.gives:
                given = self.tiles.to_tiles(use.reach, end)
                use.family.given += [given] * use.amount
            starts.setdefault(step.index, begin)
            ends[step.index] = end
        return [
            Interval(float(starts[k].min()), float(ends[k].max()))
            for k in range(self.instructions)
        ]

    def _share(self) -> bool:
        """Work out who shares a channel with whom; whether any duration changes by it."""
        steps = [[s for s in self.steps if s.engine is engine] for engine in _SHARED]
        before = [step.seconds for queue in steps for step in queue]
        fresh = [[np.zeros(self.arch.cols) for _ in queue] for queue in steps]
        for col in range(self.arch.cols):
            jobs = [[step.job(col, self.arch.cols) for step in queue] for queue in steps]
            for kind, times in enumerate(durations(jobs, self.arch.ddr_read_channels)):
                for target, seconds in zip(fresh[kind], times, strict=True):
                    target[col] = seconds
        for queue, times in zip(steps, fresh, strict=True):
            for step, seconds in zip(queue, times, strict=True):
                step.seconds = seconds
        after = [step.seconds for queue in steps for step in queue]
        pairs = zip(before, after, strict=True)
        return any(np.abs(a - b).max() > _SAME_S for a, b in pairs)
