"""How long each operation takes, worked out from the text and the machine alone.

Adversarial timing multiplies these times by anything from 0 to 100: a program whose locks
are complete does not care.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.program import Instr, Layer, Program
from bsc.sim.resolved import Resolved
from bsc.sim.transfers import links_of_part

Seconds = npt.NDArray[np.float64]


def adversarial_factors(count: int, seed: int) -> Seconds:
    """A factor for each of `count` operations: 0, a little less, or up to a hundred times."""
    rng = np.random.default_rng(seed)
    scales = np.array([0.0, 0.01, 0.1, 1.0, 10.0, 100.0])
    return rng.choice(scales, count) * rng.random(count)


class Durations:
    """The seconds of each operation on a channel of its own.

    `set_up` is what a channel needs before an instruction runs there for the first time:
    its dispatch, and on the cores the reprogramming if it is the first of its layer.
    """

    def __init__(self, program: Program):
        self.arch = program.arch
        self._known: dict[int, tuple[Resolved, Seconds]] = {}
        self._programs = {id(instr) for instr in _first_computations(program)}

    def of(self, resolved: Resolved, iteration: int, part: int) -> float:
        """Seconds of one operation."""
        table = self.table(resolved)
        return float(table[iteration if len(table) > 1 else 0, part])

    def table(self, resolved: Resolved) -> Seconds:
        """Seconds of all operations of an instruction, (iterations or 1, parts)."""
        found = self._known.get(id(resolved))
        if found is None:
            found = (resolved, _seconds(resolved, self.arch))
            self._known[id(resolved)] = found
        return found[1]

    def set_up(self, instr: Instr, iteration: int) -> float:
        """Seconds that a channel needs before an iteration, and shares with nobody."""
        if iteration:
            return 0.0
        again = self.arch.reprogram_cycles if id(instr) in self._programs else 0
        return self.arch.cycles_to_s(self.arch.dispatch_cycles + again)


def _first_computations(program: Program) -> Iterator[Instr]:
    """The first computation of each layer."""
    fresh = False
    for item in program.body:
        if isinstance(item, Layer):
            fresh = True
        elif isinstance(item, Instr) and item.spec.is_compute and fresh:
            yield item
            fresh = False


def _seconds(r: Resolved, arch: Arch) -> Seconds:
    """(iterations or 1, parts)."""
    locks = arch.lock_cycles * _lock_operations(r.instr)
    if r.instr.spec.is_compute:
        cycles = _cycles(r, arch)
        cycles = cycles.reshape(len(cycles), -1)
        # A core that has nothing to do passes its locks on at once.
        return np.where(cycles > 0, cycles + locks, 0) / (arch.clock_ghz * 1e9)
    overhead = locks + arch.descriptor_cycles
    if r.instr.spec.engine in (Engine.LOAD, Engine.LOADW):
        overhead = overhead + arch.load_task_cycles
    if r.instr.spec.engine is Engine.WRITE:
        overhead = overhead + arch.write_task_cycles
    return _bytes(r, arch) / arch.link_bytes_per_s + overhead / (arch.clock_ghz * 1e9)


def _lock_operations(instr: Instr) -> Seconds:
    """How many locks each iteration takes and gives, (iterations, 1)."""
    counts = [
        sum(use.acquires_at(i) for use in instr.acquires)
        + sum(use.releases_at(i) for use in instr.releases)
        for i in range(instr.count)
    ]
    return np.array(counts, np.float64)[:, None]


def _bytes(r: Resolved, arch: Arch) -> Seconds:
    """Bytes over the channel of each part; over the fullest link, where it has several."""
    a = r.arrays
    match r.instr.spec.engine:
        case Engine.LOADW:
            return a["bytes"].astype(np.float64)
        case Engine.LOADWDM:
            shape = (len(a["bytes"]), min(arch.rows, arch.cols))
            out = np.zeros(shape)
            for part in range(shape[1]):
                by_link = a["bytes"][:, list(links_of_part(part, arch))]
                # One memtile serves its rows one after another, several serve one at once.
                shared = arch.rows > arch.cols
                out[:, part] = by_link.sum(axis=1) if shared else by_link.max(axis=1)
            return out
        case Engine.LOADFM:
            pixels = a["h"][:, None] * (a["wl"] + a["w"] + a["wr"])
            # One multicast, or to each core its own channels.
            channels = a["c"].sum(axis=1) if r.has("coff") else a["c"][:, 0]
            return (pixels * channels).astype(np.float64)
        case Engine.WRITEFM:
            return a["h"][:, None] * a["w"] * a["c"].sum(axis=1) / arch.writefm_links
        case _:
            return (a["h"][:, None] * a["w"] * a["c"]).astype(np.float64)


def _cycles(r: Resolved, arch: Arch) -> Seconds:
    """Cycles of each core, (iterations or 1, rows, columns)."""
    a = r.arrays
    pixels = (a["h"][:, None] * a["w"])[:, None, :]
    taps = a["k"].prod(axis=1)[:, None, None] if "k" in a and r.has("k") else np.int64(1)
    if r.has("blocks"):
        b0, b1 = a["blk"][0].tolist()
        tiles = -(-b0 // arch.tile_cout) * -(-b1 // arch.tile_cin)
        # Cores without output channels compute nothing, whatever number stands for them.
        blocks = np.where(a["cout"] > 0, a["blocks"], 0)[:, :, None]
        cycles = -(-pixels // arch.tile_pixels) * blocks * tiles * taps
    else:
        cycles = -(-(pixels * a["c"] * taps) // arch.vector_ops)
    return cycles.astype(np.float64)
