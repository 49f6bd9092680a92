"""What one instruction does: bytes, MACs, and the seconds of its parts.

`seconds` has one row an iteration and one column a column of cores (a memtile, for
weights); a computation takes the time of the fullest core of the column, `cores` has
that of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.footprint import Fields
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.program import Instr, IntArray
from bsc.geometry import ceil_div

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Work:
    """Of all iterations and all columns together: `bytes` moved over channels and links
    (a multicast counts once) and `macs` done, `macs_dense` with all blocks stored."""

    seconds: Seconds
    bytes: int = 0
    macs: int = 0
    macs_dense: int = 0
    cores: Seconds | None = None
    """Of a computation: (iterations, rows, columns)."""

    @property
    def column_s(self) -> Seconds:
        """Seconds of all iterations in each column."""
        return self.seconds.sum(axis=0)


def work_of(instr: Instr, arch: Arch) -> Work:
    """What an instruction does on a machine."""
    uses = (instr.acquires, instr.releases) if arch.lock_cycles else ()
    periods = tuple(tuple(use.period for use in each) for each in uses)
    return instr.kept(arch, ("work", periods), lambda: _work_of(instr, arch))


def _work_of(instr: Instr, arch: Arch) -> Work:
    fields = Fields(instr, arch)
    if instr.spec.engine is Engine.COMP:
        return _compute(fields, arch)
    moved = _bytes(fields, arch)
    moved = np.broadcast_to(moved, (instr.count, moved.shape[1]))
    links = arch.writefm_links if instr.spec.engine is Engine.WRITEFM else 1
    overhead = _lock_cycles(instr, arch) + arch.descriptor_cycles
    if instr.spec.engine in DDR_ENGINES:
        loads = instr.mnemonic != "WRITE"
        overhead = overhead + (arch.load_task_cycles if loads else arch.write_task_cycles)
    seconds = moved / (arch.link_bytes_per_s * links) + overhead / (arch.clock_ghz * 1e9)
    return Work(seconds, int(moved.sum()))


def _lock_cycles(instr: Instr, arch: Arch) -> IntArray:
    """Cycles that the locks of each iteration take, (iterations or 1, 1)."""
    if not arch.lock_cycles:
        return np.zeros((1, 1), np.int64)
    at = np.arange(instr.count)[:, None]
    operations = np.zeros_like(at)
    for use in instr.acquires:
        operations += at % use.period == 0
    for use in instr.releases:
        operations += at % use.period == use.period - 1
    return arch.lock_cycles * operations


def _bytes(fields: Fields, arch: Arch) -> IntArray:
    """Bytes over each column's channel or link, or each memtile's weight channel."""
    match fields.instr.spec.engine:
        case Engine.LOAD | Engine.WRITE:
            return fields["h"][:, None] * fields["w"] * fields["c"]
        case Engine.LOADW:
            return fields["bytes"]
        case Engine.LOADWDM:
            out = np.zeros((len(fields["bytes"]), arch.memtiles), np.int64)
            for link, (memtile, _) in enumerate(arch.weight_links):
                out[:, memtile] += fields["bytes"][:, link]
            return out
        case Engine.LOADFM:
            pixels = fields["h"][:, None] * (fields["wl"] + fields["w"] + fields["wr"])
            if "coff" in fields.instr.fields:
                return pixels * fields["c"].sum(axis=1)
            return pixels * fields["c"][:, 0]
        case _:
            return fields["h"][:, None] * fields["w"] * fields["c"].sum(axis=1)


def _compute(fields: Fields, arch: Arch) -> Work:
    instr = fields.instr
    pixels = (fields["h"][:, None] * fields["w"])[:, None, :]
    if "blocks" in instr.fields:
        return _matrix(fields, arch, pixels)
    window = fields["k"].prod(axis=1)[:, None, None] if "k" in instr.fields else np.int64(1)
    cycles = -(-pixels * fields["c"] * window // arch.vector_ops)
    return _computed(cycles, instr, arch)


def _matrix(fields: Fields, arch: Arch, pixels: IntArray) -> Work:
    """Tiles of pixels x CIN x COUT, partial ones whole, zero blocks not at all."""
    instr = fields.instr
    taps = fields["k"].prod(axis=1)[:, None, None]
    b0, b1 = fields["blk"][0].tolist()
    tiles = ceil_div(b0, arch.tile_cout) * ceil_div(b1, arch.tile_cin)
    # Cores without output channels compute nothing, whatever number stands for them.
    stored = np.where(fields["cout"] > 0, fields["blocks"], 0)
    cycles = -(-pixels // arch.tile_pixels) * stored[:, :, None] * tiles * taps
    rows = -(-fields["cout"] // b0) * -(-fields["cin"] // b1)
    block_macs = pixels.sum(axis=(1, 2)) * taps[:, 0, 0] * b0 * b1
    dense = np.broadcast_to(block_macs * rows.sum(axis=1), instr.count)
    done = np.broadcast_to(block_macs * stored.sum(axis=1), instr.count)
    return _computed(cycles, instr, arch, int(done.sum()), int(dense.sum()))


def _computed(
    cycles: IntArray, instr: Instr, arch: Arch, macs: int = 0, macs_dense: int = 0
) -> Work:
    """The work of a computation from the cycles of (iterations or 1, rows, columns)."""
    busy = np.where(cycles > 0, cycles + _lock_cycles(instr, arch)[:, :, None], 0)
    spread = np.broadcast_to(busy, (instr.count, *busy.shape[1:]))
    cores = spread / (arch.clock_ghz * 1e9)
    return Work(cores.max(axis=1), 0, macs, macs_dense, cores)
