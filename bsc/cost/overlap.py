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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.order import stage_order
from bsc.asm.program import Instr, IntArray, Layer, LockUse, Program
from bsc.cost.sharing import Job, durations
from bsc.cost.tiles import Reach, Tiles
from bsc.cost.work import Seconds, Work

_ROUNDS = 4
"""How often who shares a channel with whom is worked out, at most."""

_SAME_S = 1e-12
"""Durations that differ by less are the same."""

_SHARED = (Engine.LOAD, Engine.LOADW)


@dataclass(frozen=True)
class Lane:
    """When each iteration starts and ends on each part of an engine, (steps, parts).

    A step is an iteration of an instruction: `instr`, by its place among the instructions,
    and `iteration` say which one.  Steps are in the order of the text.
    """

    engine: Engine
    instr: IntArray
    iteration: IntArray
    start: Seconds
    end: Seconds


_Way: TypeAlias = "Callable[[Seconds], Seconds] | None"
"""From when the parts of one engine are done to when those of another one may start, or None
if the times are the same."""


@dataclass
class _Family:
    """A family of locks: who gives each unit, a step and the number of its reach, and how
    many are taken."""

    init: int
    kind: str
    given: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    taken: int = 0

    def take(self, amount: int) -> tuple[int, int] | None:
        """Who gives the last of the next units; None if it is there from the start.  Those
        that the text never gives do not count: whether locks balance is for
        `--verify-dataflow` to say."""
        self.taken += amount
        known = min(self.taken - self.init, len(self.given))
        return self.given[known - 1] if known > 0 else None


class _Use(NamedTuple):
    """Units of a lock that an instruction takes or gives once in `period` iterations: the
    families in turn, each with the number of its reach."""

    period: int
    amount: int
    turns: list[tuple[_Family, int]]


@dataclass(slots=True)
class _Step:
    """One iteration of an instruction, on all parts of its engine at once."""

    instr: int
    iteration: int
    engine: Engine
    seconds: Seconds
    """Seconds as they come out, without the set-up."""
    set_up: float
    sources: list[tuple[int, _Way]]
    """The steps that give what it takes."""


class _Maker:
    """Makes the steps of one instruction; `index` is its place, `programs` whether the cores
    are programmed before it."""

    def __init__(
        self, index: int, instr: Instr, work: Work, recurrence: _Recurrence, programs: bool
    ):
        arch = recurrence.arch
        self.index = index
        self.engine = instr.spec.engine
        self.recurrence = recurrence
        channels = {
            Engine.WRITE: arch.ddr_write_channels,
            **dict.fromkeys(_SHARED, arch.ddr_read_channels),
        }
        self.alone = _seconds(self.engine, work, arch)
        self.seconds = list(self.alone / channels.get(self.engine, 1))
        self.set_up = arch.cycles_to_s(arch.dispatch_cycles + programs * arch.reprogram_cycles)
        self.takes = [self._use(use) for use in instr.acquires]
        self.gives = [self._use(use) for use in instr.releases]

    def _use(self, use: LockUse) -> _Use:
        families = [self.recurrence.locks[name] for name in use.names]
        number = self.recurrence.number_of
        turns = [(f, number(Reach(self.engine, f.kind, use.where))) for f in families]
        return _Use(use.period, use.amount, turns)

    def step(self, number: int, iteration: int) -> _Step:
        """The step of one iteration, which has this number in the text."""
        sources: list[tuple[int, _Way]] = []
        for period, amount, turns in self.takes:
            turn, rest = divmod(iteration, period)
            if not rest:
                family, reach = turns[turn % len(turns)]
                if (source := family.take(amount)) is not None:
                    sources.append((source[0], self.recurrence.way(source[1], reach)))
        for period, amount, turns in self.gives:
            turn, rest = divmod(iteration, period)
            if rest == period - 1:
                family, reach = turns[turn % len(turns)]
                family.given += [(number, reach)] * amount
        set_up = 0.0 if iteration else self.set_up
        seconds = self.seconds[iteration]
        return _Step(self.index, iteration, self.engine, seconds, set_up, sources)


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


def lanes(program: Program, units: Iterable[tuple[list[Instr], list[Work]]]) -> list[Lane]:
    """When each iteration of each instruction starts and ends, engine by engine.

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
        self.transfers: dict[Engine, list[tuple[int, Seconds]]] = {e: [] for e in _SHARED}
        """The steps that share channels, and their seconds on a channel of their own."""
        self.instructions = 0
        self.starts: list[Seconds] = []
        self.ends: list[Seconds] = []
        self._reaches: dict[Reach, int] = {}
        self._ways: dict[tuple[int, int], _Way] = {}

    def number_of(self, reach: Reach) -> int:
        """A reach as a number, which is quicker to look up."""
        return self._reaches.setdefault(reach, len(self._reaches))

    def way(self, giver: int, taker: int) -> _Way:
        """`Tiles.way` of two reaches, made once."""
        key = giver, taker
        if key not in self._ways:
            reaches = list(self._reaches)
            self._ways[key] = self.tiles.way(reaches[giver], reaches[taker])
        return self._ways[key]

    def add(self, instrs: list[Instr], works: list[Work]) -> None:
        """The steps of a stage, or of transfers from and to DDR."""
        first = self.instructions
        makers = [
            _Maker(first + k, instr, work, self, first + k in self.first)
            for k, (instr, work) in enumerate(zip(instrs, works, strict=True))
        ]
        if instrs[0].spec.engine in DDR_ENGINES:
            # Each does all its iterations before the next.
            order = [(k, i) for k, instr in enumerate(instrs) for i in range(instr.count)]
        else:
            order = list(stage_order(instrs))
        for k, iteration in order:
            maker, number = makers[k], len(self.steps)
            if maker.engine in _SHARED:
                self.transfers[maker.engine].append((number, maker.alone[iteration]))
            self.steps.append(maker.step(number, iteration))
        self.instructions += len(instrs)

    def run(self) -> list[Lane]:
        """When everything starts and ends."""
        self._pass()
        for _ in range(_ROUNDS - 1):
            if not self._share():
                break
            self._pass()
        return self._lanes()

    def _pass(self) -> None:
        """From top to bottom, with the durations as they are known."""
        free: dict[Engine, Seconds] = {}
        starts, ends = list[Seconds](), list[Seconds]()
        for step in self.steps:
            begin = free.get(step.engine)
            if begin is None:
                begin = np.zeros_like(step.seconds)
            for source, way in step.sources:
                given = ends[source]
                begin = np.maximum(begin, given if way is None else way(given))
            end = begin + step.set_up + step.seconds if step.set_up else begin + step.seconds
            free[step.engine] = end
            starts.append(begin)
            ends.append(end)
        self.starts, self.ends = starts, ends

    def _lanes(self) -> list[Lane]:
        numbers: dict[Engine, list[int]] = {}
        for number, step in enumerate(self.steps):
            numbers.setdefault(step.engine, []).append(number)
        return [
            Lane(
                engine,
                np.array([self.steps[n].instr for n in own], np.int64),
                np.array([self.steps[n].iteration for n in own], np.int64),
                np.array([self.starts[n] for n in own]).reshape(len(own), -1),
                np.array([self.ends[n] for n in own]).reshape(len(own), -1),
            )
            for engine, own in numbers.items()
        ]

    def _share(self) -> bool:
        """Work out who shares a channel with whom; whether any duration changes by it."""
        queues = list(self.transfers.values())
        fresh = [np.zeros((len(queue), self.arch.cols)) for queue in queues]
        for col in range(self.arch.cols):
            jobs = [[self._job(*transfer, col) for transfer in queue] for queue in queues]
            for kind, times in enumerate(durations(jobs, self.arch.ddr_read_channels)):
                fresh[kind][:, col] = times
        changed = False
        for queue, times in zip(queues, fresh, strict=True):
            for (number, _), seconds in zip(queue, times, strict=True):
                step = self.steps[number]
                changed |= bool(np.abs(step.seconds - seconds).max() > _SAME_S)
                step.seconds = seconds
        return changed

    def _job(self, number: int, alone: Seconds, col: int) -> Job:
        """The transfer of one column."""
        step = self.steps[number]
        ready = 0.0
        for source, way in step.sources:
            given = self.ends[source] if way is None else way(self.ends[source])
            ready = max(ready, float(np.broadcast_to(given, self.arch.cols)[col]))
        return Job(ready, step.set_up, float(alone[col]))
