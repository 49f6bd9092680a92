"""What the page knows of a program, as arrays: small enough for whole networks.

Operations are sorted by channel and then by time, so that the page finds those in a window
by bisection.  Times are microseconds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bsc.asm.isa import Engine
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Layer, Program, Stage
from bsc.cost.network import LayerCost, costs_of
from bsc.cost.work import work_of
from bsc.report.trace import lock_words
from bsc.sim.timeline import Times, run_timeline
from bsc.sim.transfers import links_of_part
from bsc.view.residence import Residence, Span, Spans, cut_at_end, residences

LANES = (
    Engine.LOAD,
    Engine.LOADW,
    Engine.LOADFM,
    Engine.LOADWDM,
    Engine.COMP,
    Engine.WRITEFM,
    Engine.WRITE,
)
"""The lanes of the paper's Figure 3, from top to bottom."""

Numbers = npt.NDArray[Any]


def program_content(name: str, text: str) -> dict[str, Any]:
    """All that the page shows of the program `text`."""
    program = parse_program(text, name)
    times = run_timeline(program)
    operations = _Operations(program, times)
    costs = costs_of(program)
    serial, overlap = costs["serial"], costs["overlap"]
    bounds = [span.bound for span in overlap.spans]
    layers = _layers(program)
    return {
        "name": name,
        "machine": program.arch.name,
        "memtile_bytes": program.arch.memtile_bytes,
        "total_us": _us(times.total_s),
        "serial_us": _us(serial.total_s),
        "lower_bound_us": _us(overlap.lower_bound_s),
        "lanes": [lane.name for lane in LANES],
        "channels": operations.channels,
        "operations": {key: packed(values) for key, values in operations.arrays.items()},
        "instructions": _instructions(program, text, layers, bounds),
        "layers": _layer_rows(serial.layers, overlap.layers, operations, layers),
        "memtiles": _memtiles(program, operations),
    }


def packed(values: Numbers) -> str:
    """An array as base64 of its little-endian bytes."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def _us(seconds: float) -> float:
    """Microseconds, to the picosecond."""
    return round(seconds * 1e6, 6)


@dataclass
class _Operations:
    """The operations by channel: `channels` has (lane, part, first, end), `arrays` the start,
    the duration, the instruction (its place in the text) and the iteration of each."""

    program: Program
    times: Times
    channels: list[tuple[int, int, int, int]] = field(init=False)
    arrays: dict[str, Numbers] = field(init=False)
    by_line: dict[int, int] = field(init=False)
    """The place of each instruction by its line."""
    steps: dict[int, list[int]] = field(init=False)
    """The numbers of the first operation of each iteration, by the instruction's line."""

    def __post_init__(self) -> None:
        self.by_line = {i.line: n for n, i in enumerate(self.program.instructions())}
        self.steps = {}
        for step in self.times.order.steps:
            self.steps.setdefault(step.instr.line, []).append(step.first)
        numbers: list[int] = []
        owners: list[int] = []
        iterations: list[int] = []
        self.channels = []
        order = self.times.order
        for channel in sorted(order.channels, key=lambda c: (LANES.index(c.engine), c.part)):
            first = len(numbers)
            for step in order.by_engine[channel.engine]:
                numbers.append(step.first + channel.part)
                owners.append(self.by_line[step.instr.line])
                iterations.append(step.iteration)
            lane = LANES.index(channel.engine)
            self.channels.append((lane, channel.part, first, len(numbers)))
        start, end = self.times.start_s[numbers], self.times.end_s[numbers]
        self.arrays = {
            "start": start * 1e6,
            "duration": ((end - start) * 1e6).astype(np.float32),
            "instruction": np.array(owners, np.uint32),
            "iteration": np.array(iterations, np.uint32),
        }

    def spans(self, memtile: int) -> Spans:
        """When each instruction touches a memtile, in seconds."""
        arch = self.program.arch
        links = [
            part
            for part in range(min(arch.rows, arch.cols))
            if any(arch.weight_links[n][0] == memtile for n in links_of_part(part, arch))
        ]

        def span(instr: Instr, neighbour: int) -> Span | None:
            own = links if instr.spec.engine is Engine.LOADWDM else [memtile - neighbour]
            numbers = [n for part in own for n in self._numbers(instr, part)]
            if not numbers:
                return None
            start, end = self.times.start_s[numbers], self.times.end_s[numbers]
            return float(start.min()), float(end.max())

        return span

    def _numbers(self, instr: Instr, part: int) -> list[int]:
        """The operations of an instruction on one channel, by their numbers in the text."""
        if not 0 <= part < self.program.arch.cols:
            return []
        return [first + part for first in self.steps[instr.line]]


def _layers(program: Program) -> list[tuple[str, str]]:
    """The layer of each instruction, by name and operation."""
    found: list[tuple[str, str]] = []
    current = program.name, ""
    for item in program.body:
        if isinstance(item, Layer):
            current = item.name, item.op
        elif isinstance(item, Instr):
            found.append(current)
    return found


def _numbered(layers: list[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
    """Layers by their place in the program."""
    return {layer: n for n, layer in enumerate(dict.fromkeys(layers))}


def _instructions(
    program: Program, text: str, layers: list[tuple[str, str]], bounds: list[str]
) -> list[list[Any]]:
    """Line, lane, layer, stage, text, bytes, locks, bound of each instruction."""
    lines = text.splitlines()
    number = _numbered(layers)
    rows: list[list[Any]] = []
    stage = ""
    for item in program.body:
        if isinstance(item, Layer):
            stage = ""
        elif isinstance(item, Stage):
            stage = item.label
        elif isinstance(item, Instr):
            place = len(rows)
            rows.append(
                [
                    item.line,
                    LANES.index(item.spec.engine),
                    number[layers[place]],
                    stage if item.spec.engine not in _DDR else "",
                    lines[item.line - 1].partition("##")[0].strip(),
                    work_of(item, program.arch).bytes,
                    lock_words(item),
                    bounds[place],
                ]
            )
    return rows


_DDR = (Engine.LOAD, Engine.LOADW, Engine.WRITE)


def _layer_rows(
    serial: list[LayerCost],
    overlap: list[LayerCost],
    operations: _Operations,
    layers: list[tuple[str, str]],
) -> list[dict[str, Any]]:
    """Each layer: its time in the simulation, what bounds it there, and its `serial` time.

    Its time is from the end of the last WRITEFM of the layers before it to that of its own.
    The busiest channel is the one that works longest for the layer, some of it perhaps
    while others compute.
    """
    number = _numbered(layers)
    layer_of = np.array([number[layer] for layer in layers])
    owner = layer_of[operations.arrays["instruction"]]
    end = operations.arrays["start"] + operations.arrays["duration"]
    rows: list[dict[str, Any]] = []
    clock = 0.0
    for cost, by_rules in zip(overlap, serial, strict=True):
        mine = owner == number[cost.name, cost.op]
        busy, lane = _busiest(operations, mine)
        begun, clock = clock, max(clock, _written(operations, mine, end))
        dense = cost.macs_dense
        rows.append(
            {
                "name": cost.name,
                "op": cost.op,
                "start": round(begun, 6),
                "us": round(clock - begun, 6),
                "serial": _us(by_rules.duration_s),
                "bound": cost.bound,
                "channel": LANES[lane].name,
                "busy": round(busy, 6),
                "macs": cost.macs,
                "density": cost.macs / dense if dense else None,
                "weights": cost.weight_bytes,
                "ddr_in": cost.ddr_read_bytes,
                "ddr_out": cost.ddr_write_bytes,
            }
        )
    return rows


def _written(operations: _Operations, mine: Numbers, end: Numbers) -> float:
    """When the last WRITEFM of some operations ends."""
    lane = LANES.index(Engine.WRITEFM)
    found = [
        float(end[first:last][mine[first:last]].max(initial=0.0))
        for on, _, first, last in operations.channels
        if on == lane
    ]
    return max(found, default=0.0)


def _busiest(operations: _Operations, mine: Numbers) -> tuple[float, int]:
    """For how long the busiest channel works for some operations, and its lane."""
    duration = operations.arrays["duration"]
    return max(
        (float(duration[first:last][mine[first:last]].sum(dtype=np.float64)), lane)
        for lane, _, first, last in operations.channels
    )


def _memtiles(program: Program, operations: _Operations) -> list[list[list[Any]]]:
    """Of each memtile: label, kind, spilled, first and last address, start and end of each
    rectangle."""
    size = program.arch.memtile_bytes
    return [
        [
            _rectangle(r, lo, hi)
            for r in residences(program, operations.spans(memtile))
            for lo, hi in cut_at_end(r.lo, r.hi, size)
        ]
        for memtile in range(program.arch.memtiles)
    ]


def _rectangle(r: Residence, lo: int, hi: int) -> list[Any]:
    return [r.label, r.kind, int(r.spilled), lo, hi, _us(r.start_s), _us(r.end_s)]
