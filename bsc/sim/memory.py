"""The memories, and what makes them honest.

Every byte carries a tag that says what it is: int8 or int32 at some position, or part of
one load of weights.  What is read together must have one tag, and whoever computes with it
must name it: a byte that was never written, a wrong position, or a piece of something else
is an error.  Every weight byte that is loaded must be used.  A core's memory takes
transfers as whole messages: a computation or a write must read all of what was handed over,
no more and no less, and nothing may be overwritten that nobody has read.  So a transfer
that is too long, too short, too early or to the wrong place is an error rather than luck.
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

Tag = int
"""What a byte is, in 16 bits: the two lowest are its kind, the others say more of it."""

Tags = npt.NDArray[np.uint16]

_UNWRITTEN, _NUMBER, _WEIGHT_NEW, _WEIGHT_USED = 0, 1, 2, 3
_KIND, _SHIFT = 3, 2
_POSITIONS = 2**12
_LOADS = 2**13
WEIGHTS: Tag = _WEIGHT_USED
"""What packed weights are, once they have left a memtile."""


def tag_of(dtype: npt.DTypeLike, pos: int) -> Tag:
    """The tag of int8 or int32 numbers at a position.  Raises BscError beyond +-4095."""
    if abs(pos) >= _POSITIONS:
        raise BscError(f"position {pos} is not between {-_POSITIONS} and {_POSITIONS}")
    wide = int(np.dtype(dtype).itemsize == 4)
    return ((pos + _POSITIONS) << 1 | wide) << _SHIFT | _NUMBER


def describe(tag: Tag) -> str:
    """A tag in words."""
    kind, rest = tag & _KIND, tag >> _SHIFT
    if kind == _NUMBER:
        return f"{'i32' if rest & 1 else 'i8'} at position {(rest >> 1) - _POSITIONS}"
    return "bytes that were never written" if kind == _UNWRITTEN else "weights"


def expect(found: Tag, wanted: Tag, where: str) -> None:
    """Raises BscError if a tag is another one than it must be."""
    if found != wanted:
        raise BscError(f"{where} holds {describe(found)}, not {describe(wanted)}")


class Data(NamedTuple):
    """Bytes and what they are."""

    bytes: Bytes
    tag: Tag


_DDR_BYTES = 2**33


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
    size = memory.itemsize
    return np.lib.stride_tricks.as_strided(
        memory[box.address :],
        (box.h, box.w, box.c),
        (box.row * size, box.pix * size, size),
    )


def _check_box(box: Box) -> None:
    """Boxes do not fold back over themselves: a pixel ends before the next begins."""
    if box.pix < box.c and box.w > 1:
        raise BscError(f"pixels of {box.c} bytes every {box.pix} bytes overlap")
    if box.row < (box.w - 1) * box.pix + box.c and box.h > 1:
        raise BscError(
            f"rows of {(box.w - 1) * box.pix + box.c} bytes every {box.row} bytes overlap"
        )


def _common_tag(tags: Tags, where: str) -> Tag:
    """The one tag of bytes that are read together.  Raises BscError if there are several,
    or if any byte was never written."""
    tag = int(tags.flat[0])
    if not tag & _KIND or not (tags == tag).all():
        if not (tags & _KIND).all():
            raise BscError(f"reads bytes of {where} that were never written")
        other = int(tags[tags != tag].flat[0])
        raise BscError(f"reads {where}, which holds {describe(tag)} and {describe(other)}")
    return tag


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
        if size > _DDR_BYTES:
            raise BscError(f"the tensors in DDR end at {size} bytes; it has {_DDR_BYTES}")
        self.memory = np.zeros(size, np.uint8)
        self.tags = np.zeros(size, np.uint16)

    def _checked(self, box: Box) -> Box:
        _check_box(box)
        end = box.address + box.extent
        if not any(lo <= box.address and end <= hi for lo, hi, _ in self.ranges):
            raise BscError(f"DDR 0x{box.address:x} .. 0x{end:x} is not inside one tensor")
        return box

    def read(self, box: Box) -> Data:
        """The bytes of a box, (h, w, c)."""
        box = self._checked(box)
        tag = _common_tag(_view(self.tags, box), f"DDR at 0x{box.address:x}")
        return Data(_view(self.memory, box), tag)

    def write(self, box: Box, data: Data) -> None:
        """Store (h, w, c) bytes."""
        box = self._checked(box)
        _view(self.memory, box)[:] = data.bytes
        _view(self.tags, box)[:] = data.tag

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
        self.tags = np.zeros(size, np.uint16)
        self.loads = 0

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

    def read(self, box: Box) -> Data:
        """Activations, (h, w, c)."""
        box, index = self._split(box)
        tags = _view(self.tags, box) if index is None else self.tags[index]
        tag = _common_tag(tags, _range(box))
        if tag & _KIND != _NUMBER:
            raise BscError(f"reads {_range(box)} as activations; it holds {describe(tag)}")
        return Data(_view(self.memory, box) if index is None else self.memory[index], tag)

    def write(self, box: Box, data: Data) -> None:
        """Store activations."""
        self._store(box, data)

    def read_weights(self, address: int, size: int) -> Data:
        """Packed weights of one load; they count as used from now on."""
        box, index = self._split(Box(address, 1, 1, size, size, size))
        tags = _view(self.tags, box) if index is None else self.tags[index]
        tag = _common_tag(_as_used(tags), _range(box))
        if tag & _KIND != _WEIGHT_USED:
            raise BscError(f"reads {_range(box)} as weights; it holds {describe(tag)}")
        if index is None:
            _view(self.tags, box)[:] = tag
            return Data(_view(self.memory, box).reshape(-1), WEIGHTS)
        self.tags[index] = tag
        return Data(self.memory[index].reshape(-1), WEIGHTS)

    def write_weights(self, address: int, data: Bytes) -> None:
        """Store packed weights: one load, told from the others by its number."""
        self.loads = (self.loads + 1) % _LOADS
        box = Box(address, 1, 1, data.size, data.size, data.size)
        tag = self.loads << _SHIFT | _WEIGHT_NEW
        self._store(box, Data(data.reshape(1, 1, -1), tag))

    def _store(self, box: Box, data: Data) -> None:
        box, index = self._split(box)
        old = _view(self.tags, box) if index is None else self.tags[index]
        if (old & _KIND == _WEIGHT_NEW).any():
            raise BscError(f"overwrites weights at 0x{box.address:x} that no core has taken")
        if index is None:
            _view(self.memory, box)[:] = data.bytes
            _view(self.tags, box)[:] = data.tag
        else:
            self.memory[index] = data.bytes
            self.tags[index] = data.tag

    def unused_weights(self) -> int:
        """Bytes of weights that were loaded and never taken."""
        return int((self.tags & _KIND == _WEIGHT_NEW).sum())


def _as_used(tags: Tags) -> Tags:
    """The tags with no difference between weights that were used before and that were not."""
    return np.where(tags & _KIND == _WEIGHT_NEW, tags | _WEIGHT_USED, tags).astype(np.uint16)


def _range(box: Box) -> str:
    return f"memtile 0x{box.address:x} .. 0x{box.address + box.extent:x}"


class _Segment:
    """Bytes handed over to a core at once."""

    __slots__ = ("end", "start", "tag", "used")

    def __init__(self, start: int, end: int, tag: Tag):
        self.start = start
        self.end = end
        self.tag = tag
        self.used = False


class Core:
    """One core's data memory: banks for data, then the scratch banks."""

    def __init__(self, memory: Bytes):
        self.memory = memory
        self.segments: list[_Segment] = []

    def write(self, address: int, data: Data) -> None:
        """Hand over `data` as one message."""
        end = address + data.bytes.size
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
        self.segments.append(_Segment(address, end, data.tag))
        self.memory[address:end] = data.bytes.reshape(-1)

    def read(self, address: int, size: int, wanted: Tag | None = None) -> Data:
        """Take `size` bytes: whole messages, all of them, of one tag (`wanted`, if given)."""
        if size == 0:
            return Data(self.memory[:0], _UNWRITTEN if wanted is None else wanted)
        end, tag = address + size, wanted
        where = f"core 0x{address:x} .. 0x{end:x}"
        taken = [s for s in self.segments if s.start < end and address < s.end]
        for segment in taken:
            if segment.start < address or end < segment.end:
                raise BscError(
                    f"reads {where}, but 0x{segment.start:x} .. 0x{segment.end:x} was "
                    "handed over as a whole"
                )
            tag = segment.tag if tag is None else tag
            expect(segment.tag, tag, f"core 0x{segment.start:x}")
        covered = sum(segment.end - segment.start for segment in taken)
        if tag is None or covered != size:
            raise BscError(f"reads {where}, of which only {covered} bytes are there")
        for segment in taken:
            segment.used = True
        return Data(self.memory[address:end], tag)

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
