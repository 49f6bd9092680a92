"""What each transfer moves, one iteration at a time, part by part.

A part is what one channel does: a column for LOAD, WRITE, LOADFM and WRITEFM, a memtile for
LOADW, and for LOADWDM a row, or a memtile where there are fewer of them and rows share the
channel.  Parts are independent, so that a simulation by events can run each when its
channel is free.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.errors import BscError
from bsc.sim.box import Box
from bsc.sim.memory import Machine
from bsc.sim.put import Put
from bsc.sim.resolved import Resolved
from bsc.sim.tags import Data, expect


def parts(engine: Engine, arch: Arch) -> int:
    """How many parts an engine has."""
    if engine is Engine.COMP:
        return arch.rows * arch.cols
    return min(arch.rows, arch.cols) if engine is Engine.LOADWDM else arch.cols


def links_of_part(part: int, arch: Arch) -> range:
    """The weight links that one part of a LOADWDM drives."""
    return range(part, len(arch.weight_links), min(arch.rows, arch.cols))


def move(machine: Machine, r: Resolved, iteration: int, part: int) -> Iterator[Put]:
    """One part of one iteration of a transfer: what it puts where."""
    return _MOVES[r.instr.spec.engine](machine, r, iteration, part)


def _ddr_boxes(r: Resolved, i: int, col: int) -> tuple[Box, Box]:
    """The same pixels in DDR and in the memtile."""
    h, w, c = int(r.at("h", i)), int(r.at("w", i)[col]), int(r.at("c", i)[col])
    ddr = Box(int(r.at("ddr", i)[col]), h, w, c, int(r.at("drow", i)), int(r.at("dpix", i)))
    row, pix = int(r.at("row", i)[col]), int(r.at("pix", i)[col])
    return ddr, Box(int(r.at("memtile", i)[col]), h, w, c, row, pix)


def _load(machine: Machine, r: Resolved, i: int, col: int) -> Iterator[Put]:
    ddr, memtile = _ddr_boxes(r, i, col)
    if _moves(ddr):
        yield machine.memtiles[col].put(memtile, machine.ddr.read(ddr))


def _write(machine: Machine, r: Resolved, i: int, col: int) -> Iterator[Put]:
    ddr, memtile = _ddr_boxes(r, i, col)
    if _moves(ddr):
        yield machine.ddr.put(ddr, machine.memtiles[col].read(memtile))


def _moves(box: Box) -> bool:
    """Whether there is anything in the box."""
    return box.bytes > 0


def _loadw(machine: Machine, r: Resolved, i: int, col: int) -> Iterator[Put]:
    start, size = int(r.at("blob", i)[col]), int(r.at("bytes", i)[col])
    if start + size > machine.blob.size:
        raise BscError(
            f"blob {start} .. {start + size} is not inside its {machine.blob.size} bytes"
        )
    if size:
        address = int(r.at("memtile", i)[col])
        yield machine.memtiles[col].put_weights(address, machine.blob[start : start + size])


def _loadfm(machine: Machine, r: Resolved, i: int, col: int) -> Iterator[Put]:
    core = r.slot("core", i)
    rows = range(machine.arch.rows)
    if not r.has("coff"):
        data = _window(machine, r, i, col, int(r.at("c", i)[0, col]), 0)
        if data is not None:
            for row in rows:
                yield machine.cores[row][col].put(core, data)
        return
    for row in rows:
        c, offset = int(r.at("c", i)[row, col]), int(r.at("coff", i)[row, col])
        data = _window(machine, r, i, col, c, offset)
        if data is not None:
            yield machine.cores[row][col].put(core, data)


def _window(
    machine: Machine, r: Resolved, i: int, col: int, c: int, offset: int
) -> Data | None:
    """The rows that a column reads: pixels of the left, the own and the right memtile.

    None if that is nothing."""
    h = int(r.at("h", i))
    found: list[Data] = []
    for start, width, memtile in (
        ("left", "wl", col - 1),
        ("memtile", "w", col),
        ("right", "wr", col + 1),
    ):
        w = int(r.at(width, i)[col])
        if w == 0:
            continue
        if not 0 <= memtile < machine.arch.cols:
            raise BscError(f"column {col} has no neighbour on the {start}")
        row, pix = int(r.at("row", i)[memtile]), int(r.at("pix", i)[memtile])
        address = int(r.at(start, i)[col]) + r.advance(i, memtile) + offset
        box = Box(address, h, w, c, row, pix)
        if _moves(box):
            found.append(machine.memtiles[memtile].read(box))
            expect(found[-1].tag, found[0].tag, f"the piece on the {start}")
    if not found:
        return None
    return Data(np.concatenate([piece.bytes for piece in found], axis=1), found[0].tag)


def _loadwdm(machine: Machine, r: Resolved, i: int, part: int) -> Iterator[Put]:
    arch, core = machine.arch, r.slot("core", i)
    for link in links_of_part(part, arch):
        size = int(r.at("bytes", i)[link])
        if size == 0:
            continue
        memtile, row = arch.weight_links[link]
        address, offset = int(r.at("memtile", i)[link]), int(r.at("off", i)[link])
        data = machine.memtiles[memtile].read_weights(address, size)
        for col in range(arch.cols):
            yield machine.cores[row][col].put(core + offset, data)


def _writefm(machine: Machine, r: Resolved, i: int, col: int) -> Iterator[Put]:
    h, w = int(r.at("h", i)), int(r.at("w", i)[col])
    address = int(r.at("memtile", i)[col]) + r.advance(i, col)
    strides = int(r.at("row", i)[col]), int(r.at("pix", i)[col])
    for row in range(machine.arch.rows):
        c = int(r.at("c", i)[row, col])
        box = Box(address + int(r.at("coff", i)[row, col]), h, w, c, *strides)
        if _moves(box):
            data = machine.cores[row][col].read(r.slot("core", i), box.bytes)
            yield machine.memtiles[col].put(box, Data(data.bytes.reshape(h, w, c), data.tag))


_MOVES = {
    Engine.LOAD: _load,
    Engine.WRITE: _write,
    Engine.LOADW: _loadw,
    Engine.LOADFM: _loadfm,
    Engine.LOADWDM: _loadwdm,
    Engine.WRITEFM: _writefm,
}
