"""The cost of a program: every instruction, every layer, the network, and its lower bound.

Works on the program alone (`bsc.asm`), so that the same numbers can be had from a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bsc.arch import Arch
from bsc.asm.footprint import Fields
from bsc.asm.isa import Engine
from bsc.asm.order import units
from bsc.asm.packed import packed_size
from bsc.asm.program import Instr, IntArray, Layer, Program, Ready
from bsc.cost.overlap import Lane
from bsc.cost.serial import Span
from bsc.cost.timers import TIMERS, Timer, Unit, timer_of
from bsc.cost.work import Work, work_of

TIMINGS = tuple(TIMERS)
"""The timings known."""


@dataclass
class LayerCost:
    """One operation of the network, all its pieces together.

    Times are seconds, sizes bytes.  `macs` counts channels as stored; the `_dense` figures
    are those of the same layer with all blocks stored.
    """

    name: str
    op: str
    start_s: float = 0.0
    duration_s: float = 0.0
    bound: str = "load"
    macs: int = 0
    macs_dense: int = 0
    weight_bytes: int = 0
    weight_bytes_dense: int = 0
    ddr_read_bytes: int = 0
    ddr_write_bytes: int = 0
    shares: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds by what they go to: ddr, weights, load, compute, write."""


@dataclass
class NetworkCost:
    """The whole program.  `spans` has one entry an instruction, in text order; `lanes` every
    iteration of every instruction, if the timing knows them (`overlap` does)."""

    timing: str
    total_s: float
    lower_bound_s: float
    bounds: dict[str, float]
    """Seconds that each resource needs at least; the lower bound is the largest."""
    layers: list[LayerCost]
    spans: list[Span]
    lanes: Sequence[Lane] = ()


def cost_of(program: Program, timing: str = "serial") -> NetworkCost:
    """Time a program."""
    return costs_of(program, (timing,))[timing]


def costs_of(program: Program, timings: Sequence[str] = TIMINGS) -> dict[str, NetworkCost]:
    """Time a program by several rules at once."""
    measured = [
        (layer, (unit, [work_of(instr, program.arch) for instr in unit]))
        for layer, unit in _timed_units(program)
    ]
    dense = list(_dense_bytes(measured, program.arch))
    return {timing: _cost(program, measured, dense, timing) for timing in timings}


def _cost(
    program: Program,
    measured: Sequence[tuple[Layer, Unit]],
    dense: Sequence[int],
    timing: str,
) -> NetworkCost:
    timer = timer_of(timing, program, [unit for _, unit in measured])
    walk = _Walk(program, timer)
    walk.run(measured, dense)
    layers = list(walk.layers.values())
    moved = Counter[Engine]()
    for _, (unit, works) in measured:
        for instr, work in zip(unit, works, strict=True):
            moved[instr.spec.engine] += work.bytes
    bounds = lower_bounds(program, layers, moved)
    for layer in layers:
        layer.bound = max(layer.shares, key=lambda name: layer.shares[name], default="load")
    lower = max(bounds.values())
    return NetworkCost(timing, walk.clock, lower, bounds, layers, walk.spans, timer.lanes)


class _Walk:
    """Goes through a program unit by unit and adds up."""

    def __init__(self, program: Program, timer: Timer):
        self.timer = timer
        self.arch = program.arch
        self.clock = 0.0
        self.layers: dict[tuple[str, str], LayerCost] = {}
        self.spans: list[Span] = []
        self.layer: LayerCost = LayerCost("", "")

    def run(self, measured: Sequence[tuple[Layer, Unit]], dense: Sequence[int]) -> None:
        """Time all units; `dense` are the bytes of their weights with all blocks stored."""
        current: Layer | None = None
        for (layer, unit), weight_bytes in zip(measured, dense, strict=True):
            if layer is not current:
                self._enter(layer)
                current = layer
            time = self.timer.unit(unit, self.clock)
            self.spans += time.spans
            self._pass(time.end - self.clock, time.shares)
            self.clock = time.end
            self._count(*unit)
            self.layer.weight_bytes_dense += weight_bytes
        rest = self.timer.rest(self.clock)
        self._pass(rest, {"ddr": rest})
        self.clock += rest

    def _enter(self, layer: Layer) -> None:
        key = (layer.name, layer.op)
        if key not in self.layers:
            self.layers[key] = LayerCost(layer.name, layer.op, self.clock)
        self.layer = self.layers[key]
        seconds = self.timer.enter()
        self._pass(seconds, {})
        self.clock += seconds

    def _pass(self, seconds: float, shares: Mapping[str, float]) -> None:
        """Seconds of the present layer, and what they go to."""
        self.layer.duration_s += seconds
        for name, share in shares.items():
            self.layer.shares[name] = self.layer.shares.get(name, 0.0) + share

    def _count(self, unit: list[Instr], works: list[Work]) -> None:
        layer = self.layer
        for instr, work in zip(unit, works, strict=True):
            layer.macs += work.macs
            layer.macs_dense += work.macs_dense
            if instr.mnemonic in ("LOAD", "LOADW"):
                layer.ddr_read_bytes += work.bytes
            elif instr.mnemonic == "WRITE":
                layer.ddr_write_bytes += work.bytes
            if instr.mnemonic == "LOADW":
                layer.weight_bytes += work.bytes


def _dense_bytes(measured: Iterable[tuple[Layer, Unit]], arch: Arch) -> Iterator[int]:
    """The bytes that the weights of each unit would have with all blocks stored, each
    subvolume once in a layer.

    A subvolume is known by where it is loaded from; the next computation, or that of the
    same iteration, has its shape.
    """
    current: Layer | None = None
    seen, loaded = set[tuple[int, ...]](), list[tuple[int, ...]]()
    for layer, (unit, _) in measured:
        if layer is not current:
            current = layer
            seen.clear()
        total = 0
        for instr in unit:
            if instr.mnemonic == "LOADWDM":
                rows = Fields(instr, arch)["memtile"]
                spread = np.broadcast_to(rows, (instr.count, rows.shape[1]))
                loaded = [tuple(row) for row in spread.tolist()]
            elif "blocks" in instr.fields and loaded:
                sizes = _dense_sizes(Fields(instr, arch)).tolist()
                for key, size in zip(loaded, sizes, strict=False):
                    if key not in seen:
                        seen.add(key)
                        total += size
                loaded = []
        yield total


def _dense_sizes(fields: Fields) -> IntArray:
    """Bytes of the packed weights of each iteration with all blocks stored."""
    count = fields.instr.count
    cout, cin = fields["cout"], fields["cin"]
    (kh, kw), (b0, b1) = fields["k"][0].tolist(), fields["blk"][0].tolist()
    bias = (np.arange(count) % max(1, fields.instr.number("chunks")) == 0)[:, None]
    stored = -(-cout // b0) * -(-cin // b1)
    sizes = packed_size(cout, cin, (b0, b1), kh * kw, bias, stored)
    return np.sum(np.where(cout > 0, sizes, 0), axis=1)


def _timed_units(program: Program) -> Iterator[tuple[Layer, list[Instr]]]:
    """What is timed together: neighbouring loads from DDR, a write, a stage."""
    loads: list[Instr] = []
    current = Layer(program.name, "", "")
    for layer, unit in units(program):
        if isinstance(unit, Ready):
            continue
        loading = unit[0].mnemonic in ("LOAD", "LOADW")
        if loads and (not loading or layer is not current):
            yield current, loads
            loads = []
        current = layer
        if loading:
            loads += unit
        else:
            yield layer, unit
    if loads:
        yield current, loads


def lower_bounds(
    program: Program, layers: list[LayerCost], moved: Mapping[Engine, int]
) -> dict[str, float]:
    """Seconds that each resource needs at least, whatever the schedule (roofline).

    compute: all MACs on all cores.  ddr: inputs and weights once in, outputs once out.
    weights: all weights once over the row channels.  load and write: every tensor once to
    the cores, and once from them.  Where strides step over pixels, or nothing reads an
    input, less than all is needed: never more than the bytes `moved` by each engine.
    """
    arch, tensors = program.arch, program.tensors
    ports = {port.tensor for port in program.inputs}, {port.tensor for port in program.outputs}
    inputs, outputs = (sum(tensors[name].bytes for name in names) for names in ports)
    everything = sum(tensor.bytes for tensor in tensors.values())
    macs = sum(layer.macs for layer in layers)
    per_s = arch.macs_per_cycle * arch.rows * arch.cols * arch.clock_ghz * 1e9
    taken = min(inputs, moved[Engine.LOAD]) + program.blob_bytes
    loaded = min(everything - outputs, moved[Engine.LOADFM])
    reads = arch.bytes_to_s(taken, arch.cols * arch.ddr_read_channels)
    writes = arch.bytes_to_s(outputs, arch.cols * arch.ddr_write_channels)
    return {
        "compute": macs / per_s,
        "ddr": max(reads, writes),
        "weights": arch.bytes_to_s(program.blob_bytes, arch.cols),
        "load": arch.bytes_to_s(loaded, arch.cols),
        "write": arch.bytes_to_s(everything - inputs, arch.cols * arch.writefm_links),
    }
