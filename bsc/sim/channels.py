"""What runs beside what: channels, links and cores, each with its operations in text order.

An operation is one part of one iteration of an instruction.  Operations are numbered in
the order of the text (`bsc.asm.order`), which says for each read which write it must see.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bsc.asm.isa import Engine
from bsc.asm.order import stage_order, units
from bsc.asm.program import Instr, Program, Ready
from bsc.errors import BscError
from bsc.sim.resolved import Resolved
from bsc.sim.transfers import parts


class Operation(NamedTuple):
    """One part of one iteration of an instruction, with its number in text order."""

    number: int
    resolved: Resolved
    iteration: int
    part: int

    @property
    def instr(self) -> Instr:
        """The instruction."""
        return self.resolved.instr

    def __str__(self) -> str:
        instr = self.instr
        return f"line {instr.line}: {instr.mnemonic}, iteration {self.iteration}, {self._where}"

    @property
    def _where(self) -> str:
        match self.instr.spec.engine:
            case Engine.COMP:
                return f"core {self.part}"
            case Engine.LOADWDM:
                return f"row channel {self.part}"
            case _:
                return f"column {self.part}"


@dataclass(frozen=True)
class Step:
    """One iteration of an instruction: as many operations as its engine has parts."""

    first: int
    resolved: Resolved
    iteration: int

    @property
    def instr(self) -> Instr:
        """The instruction."""
        return self.resolved.instr

    def operation(self, part: int) -> Operation:
        """The operation of one part."""
        return Operation(self.first + part, self.resolved, self.iteration, part)


class Channel(NamedTuple):
    """One channel, link or core: a part of an engine."""

    engine: Engine
    part: int

    def __str__(self) -> str:
        return f"{self.engine}[{self.part}]"


@dataclass(frozen=True)
class TextOrder:
    """All steps of a program in text order, and those of each engine."""

    steps: list[Step]
    by_engine: dict[Engine, list[Step]]
    channels: list[Channel]
    operations: int
    """How many operations there are."""

    def operation(self, number: int) -> Operation:
        """The operation of a number from 1 on."""
        step = self.steps[bisect_right(self.steps, number, key=lambda s: s.first) - 1]
        return step.operation(number - step.first)


def text_order(program: Program) -> TextOrder:
    """Number the operations of a program.  Raises BscError for an instruction that does
    not make sense."""
    arch = program.arch
    steps: list[Step] = []
    by_engine: dict[Engine, list[Step]] = {}
    number = 1
    for _, unit in units(program):
        if isinstance(unit, Ready):
            continue
        for step in _stage(unit, number, program):
            engine = step.resolved.instr.spec.engine
            steps.append(step)
            by_engine.setdefault(engine, []).append(step)
            number = step.first + parts(engine, arch)
    channels = [Channel(e, p) for e in by_engine for p in range(parts(e, arch))]
    return TextOrder(steps, by_engine, channels, number)


def _stage(instrs: list[Instr], number: int, program: Program) -> Iterator[Step]:
    current = instrs[0]
    try:
        resolved: list[Resolved] = []
        for current in instrs:
            resolved.append(Resolved(current, program.arch))
        for index, iteration in stage_order(instrs):
            yield Step(number, resolved[index], iteration)
            number += parts(instrs[index].spec.engine, program.arch)
    except BscError as e:
        raise BscError(f"line {current.line}: {current.mnemonic}: {e}") from None
