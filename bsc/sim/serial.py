"""The time of a program under the paper's `serial` rules (section 4.5), from the text alone.

Operations are gone through in the order of the text, and two sorts of them meet barriers:

- Neighbouring LOADs and LOADWs of a layer run beside each other, each memtile for itself;
  one that takes activations and weights has one half of its channels for each.  Then
  everything waits for them.  A WRITE runs alone.
- A LOADWDM stops everything until the slowest row has its weights.
- Each column goes through a stage by itself: what an instruction of one iteration does
  comes in turn, and what iterates goes into three pipes (load, compute, write), of which
  the fullest counts.  A computation is done when the last core of its column is.  Where
  loads or writes have one slot in the core, the computations go through their pipe too, as
  the two take turns.  The stage ends with its slowest column.

This is no simulation of what the machine would do (`bsc.sim.timeline` is): the rules were
made for estimates.  It shares nothing with the compiler's own estimate but the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.order import stage_order, units
from bsc.asm.program import Instr, Layer, Program, Ready
from bsc.sim.durations import Durations, Seconds
from bsc.sim.resolved import Resolved

_LOADS: tuple[Engine, ...] = (Engine.LOAD, Engine.LOADW)
_PIPES: tuple[Engine, ...] = (Engine.LOADFM, Engine.COMP, Engine.WRITEFM)


def serial_times(program: Program) -> list[tuple[Layer, float]]:
    """The layers in the order of the text, and when each is done."""
    durations, arch = Durations(program), program.arch
    clock = 0.0
    ends: list[tuple[Layer, float]] = []
    for (_, kind), group in groupby(_units(program), lambda u: (id(u[0]), _barrier(u[1]))):
        members = list(group)
        layer = members[0][0]
        if not ends or ends[-1][0] is not layer:
            clock += arch.cycles_to_s(arch.reprogram_cycles)
        if kind == "load":
            clock += _loads([i for _, unit in members for i in unit], durations, arch)
        else:
            clock += sum(_alone(unit, durations, arch) for _, unit in members)
        count = sum(len(unit) for _, unit in members)
        clock += arch.cycles_to_s(arch.dispatch_cycles * count)
        if ends and ends[-1][0] is layer:
            ends.pop()
        ends.append((layer, clock))
    return ends


def _units(program: Program) -> Iterator[tuple[Layer, list[Instr]]]:
    """Stages and transfers from and to DDR; completed tensors take no time."""
    for layer, unit in units(program):
        if not isinstance(unit, Ready):
            yield layer, unit


def _barrier(unit: list[Instr]) -> str:
    return "load" if unit[0].spec.engine in _LOADS else "alone"


def _table(instr: Instr, durations: Durations, arch: Arch) -> Seconds:
    """Seconds of each iteration on each part."""
    table = durations.table(Resolved(instr, arch))
    return np.broadcast_to(table, (instr.count, table.shape[1]))


def _loads(instrs: list[Instr], durations: Durations, arch: Arch) -> float:
    """Neighbouring loads: the slowest memtile."""
    slowest = 0.0
    for memtile in range(arch.memtiles):
        busy = dict.fromkeys(_LOADS, 0.0)
        for instr in instrs:
            table = _table(instr, durations, arch)
            busy[instr.spec.engine] += sum(table[:, memtile].tolist())
        both = all(busy.values())
        channels = max(1, arch.ddr_read_channels // 2) if both else arch.ddr_read_channels
        slowest = max(slowest, max(busy.values()) / channels)
    return slowest


def _alone(unit: list[Instr], durations: Durations, arch: Arch) -> float:
    """A WRITE, or a stage."""
    tables = [_table(instr, durations, arch) for instr in unit]
    if unit[0].spec.engine is Engine.WRITE:
        return max(tables[0].sum(axis=0).tolist()) / arch.ddr_write_channels
    return _stage(unit, tables, arch)


def _stage(unit: list[Instr], tables: list[Seconds], arch: Arch) -> float:
    """Go through a stage, operation by operation."""
    halted = 0.0
    in_turn = np.zeros(arch.cols)
    pipes = {engine: np.zeros(arch.cols) for engine in _PIPES}
    single = {i.spec.engine for i in unit if i.count > 1 and _slots(i) == 1}
    for k, iteration in stage_order(unit):
        engine, seconds = unit[k].spec.engine, tables[k][iteration]
        if engine is Engine.LOADWDM:
            halted += float(seconds.max())
            continue
        if engine is Engine.COMP:
            seconds = seconds.reshape(arch.rows, arch.cols).max(axis=0)
        if unit[k].count == 1:
            in_turn += seconds
        else:
            pipes[engine] += seconds
            if engine is Engine.COMP:
                for other in single & set(_PIPES):
                    pipes[other] += seconds
    fullest = np.max(list(pipes.values()), axis=0)
    return halted + float((in_turn + fullest).max())


def _slots(instr: Instr) -> int:
    """How many slots a transfer has in the core, in turn; 0 if it is none."""
    return len(instr.slots("core").addresses) if instr.spec.is_transfer else 0
