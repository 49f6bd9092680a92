"""The timings: each says for unit after unit of a program how long it takes.

A unit is what is timed together: neighbouring loads from DDR, a write, or a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.program import Instr, Program
from bsc.cost.overlap import Lane, lanes
from bsc.cost.serial import PARTS, Span, time_loads, time_stage, time_write
from bsc.cost.work import Work

Unit = tuple[list[Instr], list[Work]]


@dataclass(frozen=True)
class UnitTime:
    """The spans of a unit's instructions, when it is done, the seconds until then by what
    they go to."""

    spans: list[Span]
    end: float
    shares: dict[str, float]


class Timer(Protocol):
    """Times the units of one program, one after another."""

    lanes: Sequence[Lane]
    """When each iteration starts and ends, if that is known."""

    def enter(self) -> float:
        """Seconds that pass before a layer starts."""
        ...

    def unit(self, unit: Unit, start: float) -> UnitTime:
        """The next unit, after everything up to `start` is done."""
        ...

    def rest(self, start: float) -> float:
        """Seconds until everything is over."""
        ...


class Serial:
    """The rules of `bsc.cost.serial`: units and layers one after another."""

    def __init__(self, program: Program, units: Sequence[Unit]):
        self.arch = program.arch
        self.lanes: Sequence[Lane] = ()

    def enter(self) -> float:
        """The array is programmed again."""
        return self.arch.cycles_to_s(self.arch.reprogram_cycles)

    def unit(self, unit: Unit, start: float) -> UnitTime:
        """Dispatch comes on top."""
        instrs, works = unit
        arch, halted = self.arch, 0.0
        if instrs[0].mnemonic == "WRITE":
            span, end = time_write(works[0], arch, start)
            spans, bound = [span], "ddr"
        elif instrs[0].spec.engine in DDR_ENGINES:
            spans, end = time_loads(instrs, works, arch, start)
            bound = "ddr"
        else:
            stage = time_stage(instrs, works, start)
            spans, bound, halted, end = stage.spans, stage.bound, stage.halted, stage.end
        end += arch.cycles_to_s(arch.dispatch_cycles * len(instrs))
        shares = {"weights": halted}
        shares[bound] = shares.get(bound, 0.0) + end - start - halted
        return UnitTime(spans, end, shares)

    def rest(self, start: float) -> float:
        """Nothing is left over."""
        return 0.0


class Overlap:
    """The times of `bsc.cost.overlap`.

    A unit is done when its WRITEFM is; transfers from and to DDR run beside the stages, and
    take time only where a stage waits for them.
    """

    def __init__(self, program: Program, units: Sequence[Unit]):
        self.lanes: Sequence[Lane] = lanes(program, units)
        found = _intervals(self.lanes)
        self.end = max((end for _, end in found), default=0.0)
        self.left = iter(found)

    def enter(self) -> float:
        """Cores are programmed again when they come to it."""
        return 0.0

    def unit(self, unit: Unit, start: float) -> UnitTime:
        """A stage is bound by its busiest part, once it has begun."""
        instrs, works = unit
        times = [next(self.left) for _ in instrs]
        if instrs[0].spec.engine in DDR_ENGINES:
            return UnitTime(_spans(times, "ddr"), start, {})
        bound = _busiest(instrs, works)
        pairs = list(zip(instrs, times, strict=True))
        written = [time[1] for i, time in pairs if i.spec.engine is Engine.WRITEFM]
        end = max([start, *written])
        # Only DDR can hold up all of a stage when everything before it is done.
        begin = min(max(start, min(begin for begin, _ in times)), end)
        shares = {"ddr": begin - start}
        shares[bound] = shares.get(bound, 0.0) + end - begin
        return UnitTime(_spans(times, bound), end, shares)

    def rest(self, start: float) -> float:
        """The last transfers to DDR."""
        return max(0.0, self.end - start)


def _intervals(found: Sequence[Lane]) -> list[tuple[float, float]]:
    """From the start of each instruction's first iteration to the end of its last one."""
    by_instr: dict[int, tuple[float, float]] = {}
    for lane in found:
        instrs, first = np.unique(lane.instr, return_index=True)
        last = len(lane.instr) - 1 - np.unique(lane.instr[::-1], return_index=True)[1]
        starts, ends = lane.start[first].min(axis=1), lane.end[last].max(axis=1)
        times = zip(starts.tolist(), ends.tolist(), strict=True)
        by_instr |= dict(zip(instrs.tolist(), times, strict=True))
    return [by_instr[index] for index in range(len(by_instr))]


def _spans(times: Sequence[tuple[float, float]], bound: str) -> list[Span]:
    return [Span(start, end - start, bound) for start, end in times]


def _busiest(instrs: Sequence[Instr], works: Sequence[Work]) -> str:
    """What the busiest channel, link or core of a stage does."""
    busy = dict.fromkeys((*PARTS.values(), "weights"), 0.0)
    for instr, work in zip(instrs, works, strict=True):
        seconds = work.seconds if work.cores is None else work.cores
        name = PARTS.get(instr.spec.engine, "weights")
        busy[name] += float(seconds.sum(axis=0).max())
    return max(busy, key=lambda name: busy[name])


TIMERS: dict[str, type[Serial] | type[Overlap]] = {"serial": Serial, "overlap": Overlap}
"""The timings known, by name."""


def timer_of(timing: str, program: Program, units: Sequence[Unit]) -> Timer:
    """The timer of that name for a program."""
    return TIMERS[timing](program, units)
