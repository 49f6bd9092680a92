"""`serial` timing: the rules of the paper (section 4.5), as its compiler really ran them.

- LOAD and LOADW that stand next to each other run beside each other, each memtile in
  parallel; a memtile that takes one kind only has all its channels for it.  Nothing
  overlaps with DDR.
- LOADWDM halts everything.
- A stage of one iteration is load, then compute, then write.  Of a stage of n, what
  happens once adds up, and what iterates overlaps: it takes the largest of its summed
  loads, computations and writes.  That needs a ping and a pong: loads or writes of a buffer
  with a single slot take turns with the computation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.program import Instr
from bsc.cost.work import Work


@dataclass(frozen=True)
class Span:
    """When an instruction starts and how long it takes, in seconds from the start of the
    program, and what bounds the stage or transfer that it belongs to."""

    start: float
    duration: float
    bound: str


def time_loads(
    instrs: Sequence[Instr], works: Sequence[Work], arch: Arch, start: float
) -> tuple[list[Span], float]:
    """LOADs and LOADWs that stand next to each other; returns their spans and their end."""
    kinds = {Engine.LOAD: np.zeros(arch.memtiles), Engine.LOADW: np.zeros(arch.memtiles)}
    for instr, work in zip(instrs, works, strict=True):
        kinds[instr.spec.engine] += work.column_s
    activations, weights = kinds[Engine.LOAD], kinds[Engine.LOADW]
    both = (activations > 0) & (weights > 0)
    channels = np.where(both, max(1, arch.ddr_read_channels // 2), arch.ddr_read_channels)
    spans: list[Span] = []
    for work in works:
        spans.append(Span(start, float((work.column_s / channels).max()), "ddr"))
    total = np.maximum(activations, weights) / channels
    return spans, start + float(total.max(initial=0.0))


def time_write(work: Work, arch: Arch, start: float) -> tuple[Span, float]:
    """A WRITE, over all the write channels of each memtile."""
    duration = float(work.column_s.max()) / arch.ddr_write_channels
    return Span(start, duration, "ddr"), start + duration


@dataclass(frozen=True)
class StageTime:
    """A stage: the spans of its instructions, its end, the seconds for which weights halted
    it, and what bounds the rest of it."""

    spans: list[Span]
    end: float
    halted: float
    bound: str


def time_stage(instrs: Sequence[Instr], works: Sequence[Work], start: float) -> StageTime:
    """Time a stage by the rules of the module."""
    halted = sum(_halt(i, w) for i, w in zip(instrs, works, strict=True))
    columns = range(works[0].seconds.shape[1])
    # Every core is independent, so the slowest column tells when the stage is done.
    total, inner, slowest = max((*_column(instrs, works, c), c) for c in columns)
    bound = inner if total >= halted else "weights"
    seconds = [
        _halt(i, w) if i.spec.engine is Engine.LOADWDM else float(w.column_s[slowest])
        for i, w in zip(instrs, works, strict=True)
    ]
    begins = _begins(instrs, seconds, start, halted)
    spans = [Span(at, length, bound) for at, length in zip(begins, seconds, strict=True)]
    return StageTime(spans, start + halted + total, halted, inner)


def _begins(
    instrs: Sequence[Instr], seconds: Sequence[float], start: float, halted: float
) -> Iterator[float]:
    """When each instruction of the slowest column starts.

    What happens once, and weights, come in turn; what iterates runs between the halts, and
    is drawn behind them.
    """
    clock, end = start, start
    for instr, length in zip(instrs, seconds, strict=True):
        if instr.spec.engine is Engine.LOADWDM:
            yield clock
            clock += length
            halted -= length
        elif instr.count == 1:
            clock = max(clock, end)
            yield clock
            clock += length
        else:
            yield clock + halted
            end = max(end, clock + halted + length)


def _halt(instr: Instr, work: Work) -> float:
    """Seconds for which a LOADWDM stops everything else."""
    if instr.spec.engine is not Engine.LOADWDM:
        return 0.0
    return float(work.seconds.max(axis=1).sum())


PARTS = {Engine.LOADFM: "load", Engine.COMP: "compute", Engine.WRITEFM: "write"}
"""The parts of a stage that overlap, by engine."""


def _column(instrs: Sequence[Instr], works: Sequence[Work], column: int) -> tuple[float, str]:
    """Seconds of a stage in one column without the halts, and what takes longest."""
    once, often = dict.fromkeys(PARTS.values(), 0.0), dict.fromkeys(PARTS.values(), 0.0)
    in_turn: set[str] = set()
    for instr, work in zip(instrs, works, strict=True):
        name = PARTS.get(instr.spec.engine)
        if name is not None:
            seconds = float(work.seconds[:, column].sum())
            (once if instr.count == 1 else often)[name] += seconds
            if instr.count > 1 and _has_single_slot(instr):
                in_turn.add(name)
    computing = often["compute"]
    total = sum(once.values()) + max(
        seconds + (computing if name in in_turn else 0.0) for name, seconds in often.items()
    )
    return total, max(once, key=lambda name: once[name] + often[name])


def _has_single_slot(instr: Instr) -> bool:
    """Whether a transfer fills or empties the same core buffer every time."""
    return instr.spec.is_transfer and len(instr.slots("core").addresses) == 1
