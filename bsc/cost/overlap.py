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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.program import Instr, IntArray, Layer, Lock, Program
from bsc.asm.waits import Uses, Waits
from bsc.cost.sharing import Job, durations
from bsc.cost.tiles import Reach, Tiles
from bsc.cost.work import Seconds, Work

_ROUNDS = 4
"""How often who shares a channel with whom is worked out, at most."""

_SAME_S = 1e-12
"""Durations that differ by less are the same."""

_SHARED = (Engine.LOAD, Engine.LOADW)

_NOTHING: Seconds = np.zeros(0)


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


_Times: TypeAlias = "Seconds | Any"
"""Times of all parts of an engine: an array, or a plain number on a grid of one core, where
each engine has but one part."""

_Way: TypeAlias = "Callable[[Seconds], Seconds] | None"
"""From when the parts of one engine are done to when those of another one may start, or None
if the times are the same."""


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
    return _Recurrence(program, [work for _, works in units for work in works]).run()


class _Recurrence:
    """The steps of a program, made once, and timed as often as is needed.

    Of each step, in text order, there are the seconds on all parts of its engine, the
    seconds of set-up before them, and the steps that give what it takes, each with the way
    from its times to those of the taker.
    """

    def __init__(self, program: Program, works: Sequence[Work]):
        """`works` is what each instruction does."""
        self.arch = arch = program.arch
        self.single = arch.rows * arch.cols == 1
        self.tiles = Tiles(arch)
        self.waits = waits = Waits(program)
        engines = [instr.spec.engine for instr in waits.instructions]
        self.engines: list[Engine] = [engines[i] for i in waits.instrs.tolist()]
        self.seconds: list[_Times] = [_NOTHING] * waits.count
        self.set_up = [0.0] * waits.count
        self.transfers: dict[Engine, list[tuple[int, Seconds]]] = {e: [] for e in _SHARED}
        """The steps that share channels, and their seconds on a channel of their own."""
        first = _first_computations(program)
        for index, (engine, work) in enumerate(zip(engines, works, strict=True)):
            cycles = arch.dispatch_cycles + (index in first) * arch.reprogram_cycles
            self._add(waits.places[index].tolist(), engine, work, arch.cycles_to_s(cycles))
        self.sources = self._sources()
        self.starts: list[_Times] = []
        self.ends: list[_Times] = []

    def _add(self, steps: list[int], engine: Engine, work: Work, set_up: float) -> None:
        """The steps of an instruction."""
        channels = {
            Engine.WRITE: self.arch.ddr_write_channels,
            **dict.fromkeys(_SHARED, self.arch.ddr_read_channels),
        }
        alone = _seconds(engine, work, self.arch)
        self.set_up[steps[0]] = set_up
        rows = alone / channels.get(engine, 1)
        rows = rows.reshape(-1).tolist() if self.single else rows
        for step, seconds in zip(steps, rows, strict=True):
            self.seconds[step] = seconds
        if engine in _SHARED:
            self.transfers[engine] += zip(steps, alone, strict=True)

    def _sources(self) -> list[list[tuple[int, _Way]]]:
        """Of each step those that give what it takes.

        What is given only in text order after the step, or never, does not count: that is
        for `--verify-dataflow` to say.
        """
        found: list[list[tuple[int, _Way]]] = [[] for _ in range(self.waits.count)]
        for name, lock in self.waits.program.locks.items():
            given, taken = self.waits.given[name], self.waits.taken[name]
            givers, takers = self._reaches(given, lock), self._reaches(taken, lock)
            if self.single and any(r.where in ("l", "r") for r in (*givers, *takers)):
                continue  # There is no neighbour.
            gives, takes = list(dict.fromkeys(givers)), list(dict.fromkeys(takers))
            ways = [[self.tiles.way(give, take) for take in takes] for give in gives]
            by = np.array([gives.index(giver) for giver in givers], np.int64)
            to = np.array([takes.index(taker) for taker in takers], np.int64)
            source = self.waits.sources(name)
            known = np.flatnonzero(source >= 0)
            source = source[known]
            columns = taken.steps[known], given.steps[source]
            which = by[given.who[source]], to[taken.who[known]]
            pairs: list[tuple[int, int, int, int]] = np.stack([*columns, *which], 1).tolist()
            for step, giver, i, j in pairs:
                found[step].append((giver, ways[i][j]))
        return found

    def _reaches(self, uses: Uses, lock: Lock) -> list[Reach]:
        """What each of the ends of a family reaches."""
        instrs = self.waits.instructions
        return [Reach(instrs[i].spec.engine, lock.tile, use.where) for i, use in uses.ends]

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
        later: Callable[[Any, Any], Any] = max if self.single else np.maximum
        parts = dict(zip(self.engines, self.seconds, strict=True))
        free = {engine: 0 * seconds for engine, seconds in parts.items()}
        starts, ends = list[_Times](), list[_Times]()
        for engine, seconds, set_up, sources in zip(
            self.engines, self.seconds, self.set_up, self.sources, strict=True
        ):
            begin = free[engine]
            for source, way in sources:
                given = ends[source]
                begin = later(begin, given if way is None else way(given))
            end = begin + set_up + seconds if set_up else begin + seconds
            free[engine] = end
            starts.append(begin)
            ends.append(end)
        self.starts, self.ends = starts, ends

    def _lanes(self) -> list[Lane]:
        numbers: dict[Engine, list[int]] = {}
        for number, engine in enumerate(self.engines):
            numbers.setdefault(engine, []).append(number)
        return [
            Lane(
                engine,
                self.waits.instrs[own],
                self.waits.iterations[own],
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
                changed |= bool(np.abs(self.seconds[number] - seconds).max() > _SAME_S)
                self.seconds[number] = seconds.item() if self.single else seconds
        return changed

    def _job(self, number: int, alone: Seconds, col: int) -> Job:
        """The transfer of one column."""
        ready = 0.0
        for source, way in self.sources[number]:
            given = self.ends[source] if way is None else way(self.ends[source])
            ready = max(ready, float(np.broadcast_to(given, self.arch.cols)[col]))
        return Job(ready, self.set_up[number], float(alone[col]))
