"""The bytes that an instruction touches, as ranges of addresses.

`extents` says it for each iteration and channel, `accesses` the hull over all iterations,
rows and columns: coarse, but never too small.  Hazards between instructions and limits of
memories are checked with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.packed import packed_size
from bsc.asm.program import Instr, IntArray, Slots

_NOWHERE = np.iinfo(np.int64).max
"""Where an extent begins that touches nothing."""


class Access(NamedTuple):
    """Bytes [lo, hi) of a memory (`ddr`, `blob`, `memtile` or `core`), read or written.

    `neighbour` is -1 or 1 for what is read of the memtile on the left or on the right.
    """

    memory: str
    lo: int
    hi: int
    writes: bool
    neighbour: int = 0


class Turn(NamedTuple):
    """Which iterations use a buffer: of `slots` in turn, each for `period` iterations, the
    one with the number `slot`."""

    slot: int = 0
    slots: int = 1
    period: int = 1


class Shape(NamedTuple):
    """A box: rows, pixels of a row, and the bytes from one to the next.  All over
    (iterations or 1, entries or 1)."""

    h: IntArray
    w: IntArray
    row: IntArray
    pix: IntArray


class Extent(NamedTuple):
    """
    The bytes that an instruction touches, one iteration and one channel at a time.

    Channel `parts[n]` touches [lo[i, n], hi[i, n]) of the memory of tile `tiles[n]` in
    iteration i (or in all of them, if there is but one row): the hull of the box that `shape`
    says, if it is not one run.  Where it touches nothing, lo is beyond hi.  In cores the
    bytes are the same in all.
    """

    memory: str
    lo: IntArray
    hi: IntArray
    writes: bool
    tiles: IntArray
    parts: IntArray
    neighbour: int = 0
    turn: Turn = Turn()
    shape: Shape | None = None

    @property
    def hull(self) -> Access:
        """All of it together."""
        lo, hi = int(self.lo.min()), int(self.hi.max())
        lo, hi = (0, 0) if hi < 0 else (lo, hi)
        return Access(self.memory, lo, hi, self.writes, self.neighbour)


Flags = npt.NDArray[np.bool_]

_Tiles = tuple[IntArray, IntArray]
"""The tiles that are touched, and the parts of the engine that touch them."""

_EVERYWHERE: IntArray = np.array([-1])
"""Of an extent in all cores: whichever part serves the core."""


class Fields:
    """An instruction's numbers as arrays over (iterations or 1, *axes); 0 where absent."""

    def __init__(self, instr: Instr, arch: Arch):
        self.instr = instr
        self._arrays = instr.arrays(arch)

    def __getitem__(self, name: str) -> IntArray:
        return self._arrays[name]

    def most(self, name: str) -> int:
        """The largest value of a field."""
        return int(self._arrays[name].max())


def accesses(instr: Instr, arch: Arch) -> list[Access]:
    """All that an instruction reads and writes in DDR, blob, memtiles and cores, over all
    iterations, rows and columns."""
    return instr.kept(
        arch,
        ("accesses", _buffers(instr)),
        lambda: [extent.hull for extent in extents(instr, arch)],
    )


def extents(instr: Instr, arch: Arch) -> list[Extent]:
    """All that an instruction reads and writes in DDR, blob, memtiles and cores."""
    return instr.kept(arch, ("extents", _buffers(instr)), lambda: _extents(instr, arch))


def _buffers(instr: Instr) -> tuple[Slots, ...]:
    """What is not among the numbers of an instruction."""
    return tuple(value for value in instr.fields.values() if isinstance(value, Slots))


def _extents(instr: Instr, arch: Arch) -> list[Extent]:
    fields = Fields(instr, arch)
    match instr.spec.engine:
        case Engine.LOAD:
            return [_ddr(fields, False), *_memtile(fields, "memtile", "w", 0, True)]
        case Engine.WRITE:
            return [*_memtile(fields, "memtile", "w", 0, False), _ddr(fields, True)]
        case Engine.LOADW:
            columns = np.arange(arch.cols)
            tiles = columns, columns
            return [_run(fields, "blob", False, tiles), _run(fields, "memtile", True, tiles)]
        case Engine.LOADFM:
            return _loadfm(fields)
        case Engine.LOADWDM:
            size = int((fields["off"] + fields["bytes"]).max())
            links = np.arange(len(arch.weight_links))
            tiles = links % arch.cols, links % min(arch.rows, arch.cols)
            return [
                _run(fields, "memtile", False, tiles),
                *_slots(instr, "core", size, True),
            ]
        case Engine.WRITEFM:
            pixels = fields.most("h") * fields.most("w")
            core = _slots(instr, "core", pixels * fields.most("c"), False)
            return [*core, *_memtile(fields, "memtile", "w", 0, True)]
        case Engine.COMP:
            return _compute(fields)


def _extent(
    memory: str, lo: IntArray, hi: IntArray, used: Flags, writes: bool, tiles: _Tiles
) -> Extent:
    """An extent that is nothing where it is not used."""
    lo, hi, used = np.broadcast_arrays(lo, hi, used)
    lo, hi = np.where(used, lo, _NOWHERE), np.where(used, hi, -1)
    return Extent(memory, lo, hi, writes, *tiles)


def _run(fields: Fields, name: str, writes: bool, tiles: _Tiles) -> Extent:
    """Contiguous bytes at the addresses of a field."""
    start, size = np.broadcast_arrays(fields[name], fields["bytes"])
    return _extent(name, start, start + size, size > 0, writes, tiles)


def _ddr(fields: Fields, writes: bool) -> Extent:
    used = (fields["h"][:, None] > 0) & (fields["w"] > 0) & (fields["c"] > 0)
    end = (
        fields["ddr"]
        + (fields["h"][:, None] - 1) * fields["drow"][:, None]
        + (fields["w"] - 1) * fields["dpix"][:, None]
        + fields["c"]
    )
    columns: IntArray = np.arange(fields["ddr"].shape[1], dtype=np.int64)
    tiles = columns * 0, columns
    shape = Shape(
        fields["h"][:, None], fields["w"], fields["drow"][:, None], fields["dpix"][:, None]
    )
    found = _extent("ddr", fields["ddr"], end, used, writes, tiles)
    return found._replace(shape=shape)


def _memtile(
    fields: Fields, address: str, width: str, neighbour: int, writes: bool
) -> list[Extent]:
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
    used = (end > first) & (fields["h"][:, None] > 0)
    if not used.any():
        return []
    found = _extent("memtile", lo, hi, used, writes, (owners, columns))
    shape = Shape(fields["h"][:, None], pixels[:, columns], row, pix)
    return [found._replace(neighbour=neighbour, shape=shape)]


def _moved(fields: Fields, owners: IntArray) -> IntArray:
    """How far each iteration has moved on, in each memtile: (iterations, memtiles)."""
    names = {field.name for field in fields.instr.spec.fields}
    if "hstep" not in names:
        return np.zeros((1, len(owners)), np.int64)
    outer, inner = np.divmod(np.arange(fields.instr.count), (*fields.instr.iters, 1)[1])
    hstep, cstep = fields["hstep"][:, owners], fields["cstep"][:, owners]
    return outer[:, None] * hstep + inner[:, None] * cstep


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


def _loadfm(fields: Fields) -> list[Extent]:
    found = [
        extent
        for address, width, neighbour in (
            ("memtile", "w", 0),
            ("left", "wl", -1),
            ("right", "wr", 1),
        )
        for extent in _memtile(fields, address, width, neighbour, False)
    ]
    pixels = int((fields["wl"] + fields["w"] + fields["wr"]).max())
    size = fields.most("h") * pixels * fields.most("c")
    return [*found, *_slots(fields.instr, "core", size, True)]


def _slots(instr: Instr, name: str, size: int, writes: bool) -> list[Extent]:
    """The buffers of a field, `size` bytes each."""
    if name not in instr.fields or not size:
        return []
    addresses, period = instr.slots(name)
    return [
        _buffer(address, size, writes, Turn(slot, len(addresses), period))
        for slot, address in enumerate(addresses)
    ]


def _buffer(address: int, size: int, writes: bool, turn: Turn) -> Extent:
    """One buffer, in all cores."""
    lo = np.array([[address]], np.int64)
    return Extent("core", lo, lo + size, writes, _EVERYWHERE, _EVERYWHERE, 0, turn)


def _compute(fields: Fields) -> list[Extent]:
    """The buffers of a computation."""
    instr = fields.instr
    pixels = fields.most("h") * fields.most("w")
    element = 1 if "post" in instr.fields else 4
    if "cout" not in instr.fields:
        channels = fields.most("c")
        inputs = fields.most("cin") if "cin" in instr.fields else channels
        taken = fields.most("hin") * fields.most("win") if "hin" in instr.fields else pixels
        summed = 1 if instr.mnemonic == "MAXPOOL" else 4
        return [
            *_slots(instr, "in", taken * inputs, False),
            *_slots(instr, "in2", _second_pixels(fields) * inputs, False),
            *_slots(instr, "part", pixels * inputs * summed, False),
            *_slots(instr, "out", pixels * channels * element, True),
        ]
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
        found.append(_buffer(accumulators, outputs * 4, True, Turn()))
    return found


def _second_pixels(fields: Fields) -> int:
    """Pixels of a second operand, of which one row or column may stand for all."""
    h, w = fields.most("h"), fields.most("w")
    if "s2" not in fields.instr.fields:
        return h * w
    rows, columns = fields["s2"][0].tolist()
    return (h if rows else min(h, 1)) * (w if columns else min(w, 1))


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
