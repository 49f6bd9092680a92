"""What the program text says behind `##`: times, bounds and lock chains, for the reader.

    .stage head  ## top pad · 13.84 .. 19.79 us · bound: compute
    .stage body  ## k_0 -> k_2 -> k_4 · 19.79 .. 43.12 us · bound: compute
    CONV iteration 9 …  ## 19.79 .. 43.12 us · compute

The chain is written as the paper has it (section 4.4): the locks of the inputs, stage by
stage, from the head to the tail.  Times are there once `--annotate-cost` has run, locks
once `--chain-locks` has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.dialects.instructions import InstrOp, LayerOp, ProgramOp, ReadyOp, StageOp

_PADS = {"head": "top pad", "tail": "bottom pad", "whole": "top and bottom pad"}
"""What sets a stage apart, by its label."""

_CHAINED = ("head", "body", "tail")
"""The stages of a chain, in order."""


@dataclass
class _Stage:
    """A stage of the text: the index of its line in the body, and what is in it."""

    line: int
    label: str
    instrs: list[InstrOp] = field(default_factory=list[InstrOp])

    @property
    def lock(self) -> str | None:
        """The lock that tells that the input of the first iteration is there."""
        for op in self.instrs:
            if op.data.spec.engine is Engine.LOADFM and op.data.lock is not None:
                return op.data.lock.names[0]
        return None


def remarks(program: ProgramOp) -> dict[int, str]:
    """What to write behind each line of the body, by its index."""
    notes: dict[int, str] = {}
    stages: list[_Stage] = []
    line = 0
    for item in program.body.ops:
        if isinstance(item, StageOp):
            stages.append(_Stage(line, item.label.data))
        elif isinstance(item, LayerOp):
            # Not a stage: it keeps chains within a layer.
            stages.append(_Stage(line, ""))
        elif isinstance(item, InstrOp):
            if item.cost is not None:
                notes[line] = f"{_time([item])} · {item.cost.data[2]}"
            if stages and item.data.spec.engine not in DDR_ENGINES:
                stages[-1].instrs.append(item)
        if isinstance(item, InstrOp | LayerOp | StageOp | ReadyOp):
            line += 1
    chains = _chains(stages)
    for stage in stages:
        if note := _stage_note(stage, chains.get(stage.line, "")):
            notes[stage.line] = note
    return notes


def _stage_note(stage: _Stage, chain: str) -> str:
    """Padding or chain, time and bound of a stage, as far as they are known."""
    parts = [_PADS.get(stage.label, ""), chain]
    costed = [op for op in stage.instrs if op.cost is not None]
    if costed and (cost := costed[0].cost) is not None:
        parts += [_time(costed), f"bound: {cost.data[2]}"]
    return " · ".join(part for part in parts if part)


def _time(ops: list[InstrOp]) -> str:
    """From the start of the first to the end of the last."""
    costs = [op.cost.data for op in ops if op.cost is not None]
    start = min(start for start, _, _ in costs)
    end = max(start + duration for start, duration, _ in costs)
    return f"{start / 1000:.2f} .. {end / 1000:.2f} us"


def _chains(stages: list[_Stage]) -> dict[int, str]:
    """For each run of stages from a head to a tail its locks, by the line of the first
    body, or of the last stage where there is no body."""
    found: dict[int, str] = {}
    for run in _runs(stages):
        locks = list(dict.fromkeys(stage.lock for stage in run if stage.lock is not None))
        if len(locks) > 1:
            bodies = [stage for stage in run if stage.label == "body"]
            found[(bodies or run[-1:])[0].line] = " -> ".join(locks)
    return found


def _runs(stages: list[_Stage]) -> list[list[_Stage]]:
    """Neighbouring stages in the order head, body, tail."""
    runs: list[list[_Stage]] = [[]]
    for stage in stages:
        if stage.label not in _CHAINED:
            runs.append([])
            continue
        run = runs[-1]
        if run and _CHAINED.index(stage.label) < _CHAINED.index(run[-1].label):
            runs.append(run := [])
        run.append(stage)
    return runs
