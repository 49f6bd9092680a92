"""The bytes that an instruction touches, as ranges of addresses.

A range is the hull over all iterations, rows and columns: coarse, but never too small.
It is what hazards between instructions and limits of memories are checked with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.packed import packed_size
from bsc.asm.program import Instr, IntArray, Post, Slots, expand


class Access(NamedTuple):
    """Bytes [lo, hi) of a memory (`ddr`, `blob`, `memtile` or `core`), read or written.

    `neighbour` is -1 or 1 for what is read of the memtile on the left or on the right.
    """

    memory: str
    lo: int
    hi: int
    writes: bool
    neighbour: int = 0


class Fields:
    """An instruction's numbers as arrays over (iterations or 1, *axes); 0 where absent."""

    def __init__(self, instr: Instr, arch: Arch):
        self.instr = instr
        self._arrays: dict[str, IntArray] = {}
        for field in instr.spec.fields:
            value = instr.fields.get(field.name, 0)
            if isinstance(value, int | tuple) and not isinstance(value, Slots | Post):
                self._arrays[field.name] = expand(value, field, arch, instr.count)

    def __getitem__(self, name: str) -> IntArray:
        return self._arrays[name]

    def most(self, name: str) -> int:
        """The largest value of a field."""
        return int(self._arrays[name].max())


def accesses(instr: Instr, arch: Arch) -> list[Access]:
    """All that an instruction reads and writes in DDR, blob, memtiles and cores."""
    fields = Fields(instr, arch)
    match instr.spec.engine:
        case Engine.LOAD:
            return [_ddr(fields, False), *_memtile(fields, "memtile", "w", 0, True)]
        case Engine.WRITE:
            return [*_memtile(fields, "memtile", "w", 0, False), _ddr(fields, True)]
        case Engine.LOADW:
            return [_run(fields, "blob", False), _run(fields, "memtile", True)]
        case Engine.LOADFM:
            return _loadfm(fields)
        case Engine.LOADWDM:
            size = int((fields["off"] + fields["bytes"]).max())
            return [_run(fields, "memtile", False), *_slots(instr, "core", size, True)]
        case Engine.WRITEFM:
            pixels = fields.most("h") * fields.most("w")
            core = _slots(instr, "core", pixels * fields.most("c"), False)
            return [*core, *_memtile(fields, "memtile", "w", 0, True)]
        case Engine.COMP:
            return _compute(fields)


def _run(fields: Fields, name: str, writes: bool) -> Access:
    """Contiguous bytes at the addresses of a field."""
    start, size = np.broadcast_arrays(fields[name], fields["bytes"])
    used = size > 0
    if not used.any():
        return Access(name, 0, 0, writes)
    return Access(name, int(start[used].min()), int((start + size)[used].max()), writes)


def _ddr(fields: Fields, writes: bool) -> Access:
    used = (fields["h"][:, None] > 0) & (fields["w"] > 0) & (fields["c"] > 0)
    if not used.any():
        return Access("ddr", 0, 0, writes)
    end = (
        fields["ddr"]
        + (fields["h"][:, None] - 1) * fields["drow"][:, None]
        + (fields["w"] - 1) * fields["dpix"][:, None]
        + fields["c"]
    )
    start, end, used = np.broadcast_arrays(fields["ddr"], end, used)
    return Access("ddr", int(start[used].min()), int(end[used].max()), writes)


def _memtile(
    fields: Fields, address: str, width: str, neighbour: int, writes: bool
) -> list[Access]:
    """Pixels in the memtile of each column, or of a neighbour of it."""
    start, pixels = fields[address], fields[width]
    columns = np.flatnonzero(pixels.max(axis=0) > 0)
    owners = columns + neighbour
    inside = (owners >= 0) & (owners < pixels.shape[1])
    columns, owners = columns[inside], owners[inside]
    if not len(columns):
        return []
    row, pix = fields["row"][:, owners], fields["pix"][:, owners]
    first, end = _pixel(fields, columns)
    moved = _moved(fields, owners)
    size = (fields["h"][:, None] - 1) * row + (pixels[:, columns] - 1) * pix
    lo = start[:, columns] + moved + first
    hi = start[:, columns] + moved + size + end
    lo, hi, used = np.broadcast_arrays(lo, hi, (end > first) & (fields["h"][:, None] > 0))
    if not used.any():
        return []
    lowest, highest = int(lo[used].min()), int(hi[used].max())
    return [Access("memtile", lowest, highest, writes, neighbour)]


def _moved(fields: Fields, owners: IntArray) -> IntArray:
    """How far each iteration has moved on, in each memtile: (iterations, memtiles)."""
    names = {field.name for field in fields.instr.spec.fields}
    if "hstep" not in names:
        return np.zeros((1, len(owners)), np.int64)
    outer, inner = np.divmod(np.arange(fields.instr.count), (*fields.instr.iters, 1)[1])
    return (
        outer[:, None] * fields["hstep"][:, owners] + inner[:, None] * fields["cstep"][:, None]
    )


def _pixel(fields: Fields, columns: IntArray) -> tuple[IntArray, IntArray]:
    """First byte and end of what is used of a pixel: (iterations or 1, columns)."""
    c = fields["c"]
    if c.ndim == 2:
        return np.zeros((1, len(columns)), np.int64), c[:, columns]
    c, offset = c[:, :, columns], fields["coff"][:, :, columns]
    c, offset = np.broadcast_arrays(c, offset)
    used = c > 0
    first = np.where(used, offset, np.iinfo(np.int64).max).min(axis=1)
    end = np.where(used, offset + c, 0).max(axis=1)
    return np.where(end > 0, first, 0), end


def _loadfm(fields: Fields) -> list[Access]:
    found = [
        access
        for address, width, neighbour in (
            ("memtile", "w", 0),
            ("left", "wl", -1),
            ("right", "wr", 1),
        )
        for access in _memtile(fields, address, width, neighbour, False)
    ]
    pixels = int((fields["wl"] + fields["w"] + fields["wr"]).max())
    size = fields.most("h") * pixels * fields.most("c")
    return [*found, *_slots(fields.instr, "core", size, True)]


def _slots(instr: Instr, name: str, size: int, writes: bool) -> list[Access]:
    """The buffers of a field, `size` bytes each."""
    if name not in instr.fields or not size:
        return []
    return [Access("core", a, a + size, writes) for a in instr.slots(name).addresses]


def _compute(fields: Fields) -> list[Access]:
    """The buffers of a computation."""
    instr = fields.instr
    pixels = fields.most("h") * fields.most("w")
    if "cout" not in instr.fields:
        channels = fields.most("c")
        inputs = fields.most("cin") if "cin" in instr.fields else channels
        taken = fields.most("hin") * fields.most("win") if "hin" in instr.fields else pixels
        return [
            *_slots(instr, "in", taken * inputs, False),
            *_slots(instr, "in2", pixels * inputs, False),
            *_slots(instr, "out", pixels * channels, True),
        ]
    element = 1 if "post" in instr.fields else 4
    outputs = pixels * fields.most("cout")
    others = pixels * fields.most("cres") if "cres" in instr.fields else outputs
    accumulators = fields.most("acc")
    found = [
        *_slots(
            instr, "in", fields.most("hin") * fields.most("win") * fields.most("cin"), False
        ),
        *_slots(instr, "weights", _weight_bytes(fields), False),
        *_slots(instr, "part", others * 4, False),
        *_slots(instr, "res", others, False),
        *_slots(instr, "out", outputs * element, True),
    ]
    if "acc" in instr.fields:
        found.append(Access("core", accumulators, accumulators + outputs * 4, True))
    return found


def _weight_bytes(fields: Fields) -> int:
    """Bytes of the largest packed subvolume.

    Each iteration's own: the one with the most channels need not have the most blocks.
    """
    chunks = max(1, fields.instr.number("chunks"))
    b0, b1 = fields["blk"][0].tolist()
    taps = int(fields["k"][0].prod())
    bias = (np.arange(fields.instr.count) % chunks == 0)[:, None]
    sizes = packed_size(fields["cout"], fields["cin"], (b0, b1), taps, bias, fields["blocks"])
    return int(np.max(sizes))
