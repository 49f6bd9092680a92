"""The memories, and what makes them honest.

A byte that was never written cannot be read.  A memtile knows activations from weights,
and every weight byte that is loaded must be used.  A core's memory takes transfers as
whole messages: a computation or a write must read all of what was handed over, no more
and no less, and nothing may be overwritten that nobody has read.  So a transfer that is
too long, too short, too early or to the wrong place is an error rather than luck.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.program import Program, Tensor
from bsc.errors import BscError

_UNWRITTEN, ACTIVATION, _WEIGHT_NEW, _WEIGHT_USED = 0, 1, 2, 3


class Box(NamedTuple):
    """`h` x `w` pixels of `c` bytes at `address`, with the distances between them."""

    address: int
    h: int
    w: int
    c: int
    row: int
    pix: int

    @property
    def bytes(self) -> int:
        """Bytes in the box."""
        return self.h * self.w * self.c

    @property
    def extent(self) -> int:
        """Bytes from the first to the last."""
        return (self.h - 1) * self.row + (self.w - 1) * self.pix + self.c


def _view(memory: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    return np.lib.stride_tricks.as_strided(
        memory[box.address :], (box.h, box.w, box.c), (box.row, box.pix, 1)
    )


def _check_box(box: Box) -> None:
    """Boxes do not fold back over themselves: a pixel ends before the next begins."""
    if box.pix < box.c and box.w > 1:
        raise BscError(f"pixels of {box.c} bytes every {box.pix} bytes overlap")
    if box.row < (box.w - 1) * box.pix + box.c and box.h > 1:
        raise BscError(
            f"rows of {(box.w - 1) * box.pix + box.c} bytes every {box.row} bytes overlap"
        )


class Ddr:
    """DDR: the tensors that the program declares, each a range of its own."""

    def __init__(self, program: Program):
        placed = sorted(
            (t.ddr, t.ddr + t.bytes, t.name)
            for t in program.tensors.values()
            if t.ddr is not None
        )
        for (_, end, a), (start, _, b) in pairwise(placed):
            if start < end:
                raise BscError(f"tensors {a} and {b} overlap in DDR at 0x{start:x}")
        self.ranges = placed
        size = placed[-1][1] if placed else 0
        if size > 2**33:
            raise BscError(f"the tensors in DDR end at {size} bytes; the model has 8 GB")
        self.memory = np.zeros(size, np.uint8)
        self.written = np.zeros(size, np.bool_)

    def _checked(self, box: Box) -> Box:
        _check_box(box)
        end = box.address + box.extent
        if not any(lo <= box.address and end <= hi for lo, hi, _ in self.ranges):
            raise BscError(f"DDR 0x{box.address:x} .. 0x{end:x} is not inside one tensor")
        return box

    def read(self, box: Box) -> Bytes:
        """The bytes of a box, (h, w, c)."""
        box = self._checked(box)
        if not _view(self.written, box).all():
            raise BscError(f"reads bytes of DDR at 0x{box.address:x} that were never written")
        return _view(self.memory, box)

    def write(self, box: Box, data: Bytes) -> None:
        """Store (h, w, c) bytes."""
        box = self._checked(box)
        _view(self.memory, box)[:] = data
        _view(self.written, box)[:] = True

    def tensor_box(self, tensor: Tensor) -> Box:
        """All of a tensor."""
        assert tensor.ddr is not None
        h, w, _ = tensor.shape
        return Box(tensor.ddr, h, w, tensor.pixel, w * tensor.pixel, tensor.pixel)


class Memtile:
    """One memtile.  Addresses wrap around: it is a circular buffer."""

    def __init__(self, size: int):
        self.size = size
        self.memory = np.zeros(size, np.uint8)
        self.state = np.zeros(size, np.uint8)

    def _split(self, box: Box) -> tuple[Box, npt.NDArray[np.int64] | None]:
        """The box at its address, and the indices of its bytes if it wraps around."""
        _check_box(box)
        if box.extent > self.size:
            raise BscError(f"{box.extent} bytes do not fit in a memtile of {self.size}")
        start = box.address % self.size
        box = box._replace(address=start)
        if start + box.extent <= self.size:
            return box, None
        index = (
            start
            + np.arange(box.h)[:, None, None] * box.row
            + np.arange(box.w)[:, None] * box.pix
            + np.arange(box.c)
        )
        return box, index % self.size

    def read(self, box: Box) -> Bytes:
        """Activations, (h, w, c)."""
        box, index = self._split(box)
        state = _view(self.state, box) if index is None else self.state[index]
        if not (state == ACTIVATION).all():
            raise BscError(self._why(state, box, "activations"))
        return _view(self.memory, box) if index is None else self.memory[index]

    def write(self, box: Box, data: Bytes) -> None:
        """Store activations."""
        self._store(box, data, ACTIVATION)

    def read_weights(self, address: int, size: int) -> Bytes:
        """Packed weights; they count as used from now on."""
        box, index = self._split(Box(address, 1, 1, size, size, size))
        state = _view(self.state, box) if index is None else self.state[index]
        if not (state >= _WEIGHT_NEW).all():
            raise BscError(self._why(state, box, "weights"))
        if index is None:
            _view(self.state, box)[:] = _WEIGHT_USED
            return _view(self.memory, box).reshape(-1)
        self.state[index] = _WEIGHT_USED
        return self.memory[index].reshape(-1)

    def write_weights(self, address: int, data: Bytes) -> None:
        """Store packed weights."""
        box = Box(address, 1, 1, data.size, data.size, data.size)
        self._store(box, data.reshape(1, 1, -1), _WEIGHT_NEW)

    def _store(self, box: Box, data: Bytes, state: int) -> None:
        box, index = self._split(box)
        old = _view(self.state, box) if index is None else self.state[index]
        if (old == _WEIGHT_NEW).any():
            raise BscError(f"overwrites weights at 0x{box.address:x} that no core has taken")
        if index is None:
            _view(self.memory, box)[:] = data
            _view(self.state, box)[:] = state
        else:
            self.memory[index] = data
            self.state[index] = state

    def unused_weights(self) -> int:
        """Bytes of weights that were loaded and never taken."""
        return int((self.state == _WEIGHT_NEW).sum())

    def _why(self, state: Bytes, box: Box, what: str) -> str:
        where = f"memtile 0x{box.address:x} .. 0x{box.address + box.extent:x}"
        if (state == _UNWRITTEN).any():
            return f"reads bytes of {where} that were never written"
        return f"reads {where} as {what}, but it holds something else"


class _Segment:
    """Bytes handed over to a core at once."""

    __slots__ = ("end", "start", "used")

    def __init__(self, start: int, end: int):
        self.start = start
        self.end = end
        self.used = False


class Core:
    """One core's data memory: banks for data, then the scratch banks."""

    def __init__(self, memory: Bytes):
        self.memory = memory
        self.segments: list[_Segment] = []

    def write(self, address: int, data: Bytes) -> None:
        """Hand over `data` as one message."""
        end = address + data.size
        if address < 0 or end > self.memory.size:
            raise BscError(
                f"core 0x{address:x} .. 0x{end:x} is beyond {self.memory.size} bytes"
            )
        for segment in [s for s in self.segments if s.start < end and address < s.end]:
            if not segment.used:
                raise BscError(
                    f"overwrites core 0x{segment.start:x} .. 0x{segment.end:x}, which nobody "
                    "has read"
                )
            self.segments.remove(segment)
        self.segments.append(_Segment(address, end))
        self.memory[address:end] = data.reshape(-1)

    def read(self, address: int, size: int) -> Bytes:
        """Take `size` bytes: whole messages, all of them."""
        if size == 0:
            return self.memory[:0]
        end, covered = address + size, 0
        for segment in self.segments:
            if segment.start < end and address < segment.end:
                if segment.start < address or end < segment.end:
                    raise BscError(
                        f"reads core 0x{address:x} .. 0x{end:x}, but 0x{segment.start:x} .. "
                        f"0x{segment.end:x} was handed over as a whole"
                    )
                segment.used = True
                covered += segment.end - segment.start
        if covered != size:
            raise BscError(
                f"reads {size} bytes at core 0x{address:x}, of which only {covered} are there"
            )
        return self.memory[address:end]

    def peek(self, address: int, size: int) -> Bytes:
        """Bytes without taking them, to find out how long a message is."""
        return self.memory[address : address + size]

    def unused(self) -> int:
        """Bytes handed over that nobody has read."""
        return sum(s.end - s.start for s in self.segments if not s.used)


class Machine:
    """All memories of one machine, the weights in DDR among them."""

    def __init__(self, program: Program, blob: Bytes):
        arch: Arch = program.arch
        self.arch = arch
        self.ddr = Ddr(program)
        self.blob = blob
        self.memtiles = [Memtile(arch.memtile_bytes) for _ in range(arch.memtiles)]
        store = np.zeros((arch.rows, arch.cols, arch.core_bytes), np.uint8)
        self.cores = [[Core(store[r, c]) for c in range(arch.cols)] for r in range(arch.rows)]
