"""How long each operation takes, worked out from the text and the machine alone.

Adversarial timing multiplies these times by anything from 0 to 100: a program whose locks
are complete does not care.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.sim.resolved import Resolved
from bsc.sim.transfers import links_of_part

Seconds = npt.NDArray[np.float64]


def adversarial_factors(count: int, seed: int) -> Seconds:
    """A factor for each of `count` operations: 0, a little less, or up to a hundred times."""
    rng = np.random.default_rng(seed)
    scales = np.array([0.0, 0.01, 0.1, 1.0, 10.0, 100.0])
    return rng.choice(scales, count) * rng.random(count)


class Durations:
    """The seconds of each operation on a channel of its own."""

    def __init__(self, arch: Arch):
        self.arch = arch
        self._known: dict[int, tuple[Resolved, Seconds]] = {}

    def of(self, resolved: Resolved, iteration: int, part: int) -> float:
        """Seconds of one operation."""
        found = self._known.get(id(resolved))
        if found is None:
            found = (resolved, _seconds(resolved, self.arch))
            self._known[id(resolved)] = found
        table = found[1]
        return float(table[iteration if len(table) > 1 else 0, part])


def _seconds(r: Resolved, arch: Arch) -> Seconds:
    """(iterations or 1, parts)."""
    if r.instr.spec.is_compute:
        cycles = _cycles(r, arch)
        return cycles.reshape(len(cycles), -1) / (arch.clock_ghz * 1e9)
    overhead = arch.descriptor_cycles
    if r.instr.spec.engine in (Engine.LOAD, Engine.LOADW):
        overhead += arch.load_task_cycles
    if r.instr.spec.engine is Engine.WRITE:
        overhead += arch.write_task_cycles
    return _bytes(r, arch) / arch.link_bytes_per_s + overhead / (arch.clock_ghz * 1e9)


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
        blocks = a["blocks"][:, :, None]
        cycles = -(-pixels // arch.tile_pixels) * blocks * tiles * taps
    else:
        cycles = -(-(pixels * a["c"] * taps) // arch.vector_ops)
    return cycles.astype(np.float64)
