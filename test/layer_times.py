"""When the layers of a program are done, as the simulators have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bsc.asm.isa import Engine
from bsc.asm.order import units
from bsc.asm.program import Layer, Program, Ready
from bsc.sim.serial import serial_times
from bsc.sim.timeline import Times

Durations = dict[tuple[str, str], float]
"""Seconds of each layer, all its pieces together, by name and operation."""


def simulated_serial(program: Program) -> Durations:
    """Under the `serial` rules."""
    return _durations(serial_times(program))


def simulated_overlap(program: Program, times: Times) -> Durations:
    """From the last WRITEFM of the layer before to its own; the last layer ends with the
    program."""
    ends = dict[int, float]()
    for step in times.order.steps:
        if step.instr.spec.engine is Engine.WRITEFM:
            end = times.end_s[step.first : step.first + program.arch.cols].max()
            ends[id(step.instr)] = max(ends.get(id(step.instr), 0.0), float(end))
    done: list[tuple[Layer, float]] = []
    clock = 0.0
    for layer, unit in units(program):
        if not isinstance(unit, Ready):
            clock = max([clock, *(ends.get(id(instr), 0.0) for instr in unit)])
            done.append((layer, clock))
    if done:
        done[-1] = (done[-1][0], times.total_s)
    return _durations(done)


def _durations(ends: Iterable[tuple[Layer, float]]) -> Durations:
    found: Durations = defaultdict(float)
    clock = 0.0
    for layer, end in ends:
        found[layer.name, layer.op] += end - clock
        clock = end
    return found
