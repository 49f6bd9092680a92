"""DDR and memtiles, and what makes them honest.

Every byte has a tag that says what it is (`bsc.sim.tags`), so that a byte that was never
written, or something else, cannot be read.  Every weight byte that is loaded must be used.
So a transfer that is too long, too short, too early or to the wrong place is an error
rather than luck.  A write is claimed when it starts and filled when it ends; in between its
bytes are nobody's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.program import Program, Tensor
from bsc.errors import BscError
from bsc.sim.box import Box, check_box, indices, view
from bsc.sim.core import Core
from bsc.sim.put import Put
from bsc.sim.tags import (
    KIND,
    LOADS,
    NUMBER,
    SHIFT,
    WEIGHT_NEW,
    WEIGHT_USED,
    WEIGHTS,
    Data,
    as_used,
    common_tag,
    describe,
)
from bsc.sim.watch import Index, Watch

_DDR_BYTES = 2**33


class Ddr:
    """DDR: the tensors that the program declares, each a range of its own."""

    def __init__(self, program: Program, watch: Watch):
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
        self.writers = np.zeros(size, np.int32)
        self.watch = watch

    def _checked(self, box: Box) -> Box:
        check_box(box)
        end = box.address + box.extent
        if not any(lo <= box.address and end <= hi for lo, hi, _ in self.ranges):
            raise BscError(f"DDR 0x{box.address:x} .. 0x{end:x} is not inside one tensor")
        return box

    def read(self, box: Box) -> Data:
        """The bytes of a box, (h, w, c)."""
        box = self._checked(box)
        if self.watch.current is not None:
            self.watch.current.look("DDR", self.writers, box, None)
        tag = common_tag(view(self.tags, box), f"DDR at 0x{box.address:x}")
        return Data(view(self.memory, box), tag)

    def put(self, box: Box, data: Data) -> Put:
        """A write of (h, w, c) bytes."""
        return Put(self, self._checked(box), data)

    def claim(self, put: Put) -> None:
        """From now on the bytes are being written."""
        if self.watch.current is not None:
            view(self.writers, put.box)[:] = -self.watch.number

    def fill(self, put: Put) -> None:
        """The bytes are there."""
        view(self.memory, put.box)[:] = put.data.bytes
        view(self.tags, put.box)[:] = put.data.tag
        if self.watch.current is not None:
            view(self.writers, put.box)[:] = self.watch.number

    def tensor_box(self, tensor: Tensor) -> Box:
        """All of a tensor."""
        assert tensor.ddr is not None
        h, w, _ = tensor.shape
        return Box(tensor.ddr, h, w, tensor.pixel, w * tensor.pixel, tensor.pixel)


class Memtile:
    """One memtile.  Addresses wrap around: it is a circular buffer."""

    def __init__(self, size: int, watch: Watch):
        self.size = size
        self.memory = np.zeros(size, np.uint8)
        self.tags = np.zeros(size, np.uint16)
        self.writers = np.zeros(size, np.int32)
        self.watch = watch
        self.loads = 0

    def _split(self, box: Box) -> tuple[Box, Index]:
        """The box at its address, and the indices of its bytes if it wraps around."""
        check_box(box)
        if box.extent > self.size:
            raise BscError(f"{box.extent} bytes do not fit in a memtile of {self.size}")
        start = box.address % self.size
        box = box._replace(address=start)
        if start + box.extent <= self.size:
            return box, None
        return box, indices(box) % self.size

    def read(self, box: Box) -> Data:
        """Activations, (h, w, c)."""
        box, index = self._split(box)
        self._look(box, index)
        tags = view(self.tags, box) if index is None else self.tags[index]
        tag = common_tag(tags, _range(box))
        if tag & KIND != NUMBER:
            raise BscError(f"reads {_range(box)} as activations; it holds {describe(tag)}")
        return Data(self._bytes(box, index), tag)

    def _look(self, box: Box, index: Index) -> None:
        if self.watch.current is not None:
            self.watch.current.look("memtile", self.writers, box, index)

    def _bytes(self, box: Box, index: Index) -> Bytes:
        return view(self.memory, box) if index is None else self.memory[index]

    def put(self, box: Box, data: Data) -> Put:
        """A write of activations."""
        check_box(box)
        return Put(self, box, data)

    def read_weights(self, address: int, size: int) -> Data:
        """Packed weights of one load; they count as used from now on."""
        box, index = self._split(Box(address, 1, 1, size, size, size))
        self._look(box, index)
        tags = view(self.tags, box) if index is None else self.tags[index]
        tag = common_tag(as_used(tags), _range(box))
        if tag & KIND != WEIGHT_USED:
            raise BscError(f"reads {_range(box)} as weights; it holds {describe(tag)}")
        _set(self.tags, box, index, tag)
        return Data(self._bytes(box, index).reshape(-1), WEIGHTS)

    def put_weights(self, address: int, data: Bytes) -> Put:
        """A write of packed weights: one load, told from the others by its number."""
        self.loads = (self.loads + 1) % LOADS
        box = Box(address, 1, 1, data.size, data.size, data.size)
        tag = self.loads << SHIFT | WEIGHT_NEW
        return Put(self, box, Data(data.reshape(1, 1, -1), tag))

    def claim(self, put: Put) -> None:
        """From now on the bytes are being written."""
        box, index = self._split(put.box)
        old = view(self.tags, box) if index is None else self.tags[index]
        if (old & KIND == WEIGHT_NEW).any():
            raise BscError(f"overwrites weights at 0x{box.address:x} that no core has taken")
        if self.watch.current is not None:
            _set(self.writers, box, index, -self.watch.number)

    def fill(self, put: Put) -> None:
        """The bytes are there."""
        box, index = self._split(put.box)
        _set(self.memory, box, index, put.data.bytes)
        _set(self.tags, box, index, put.data.tag)
        if self.watch.current is not None:
            _set(self.writers, box, index, self.watch.number)

    def unused_weights(self) -> int:
        """Bytes of weights that were loaded and never taken."""
        return int((self.tags & KIND == WEIGHT_NEW).sum())


def _set(array: npt.NDArray[Any], box: Box, index: Index, values: Bytes | int) -> None:
    if index is None:
        view(array, box)[:] = values
    else:
        array[index] = values


def _range(box: Box) -> str:
    return f"memtile 0x{box.address:x} .. 0x{box.address + box.extent:x}"


class Machine:
    """All memories of one machine, the weights in DDR among them."""

    def __init__(self, program: Program, blob: Bytes):
        arch: Arch = program.arch
        self.arch = arch
        self.watch = Watch()
        self.blob = blob
        try:
            self.ddr = Ddr(program, self.watch)
            self.memtiles = [
                Memtile(arch.memtile_bytes, self.watch) for _ in range(arch.memtiles)
            ]
            store = np.zeros((arch.rows, arch.cols, arch.core_bytes), np.uint8)
        except MemoryError as e:
            raise BscError(f"not enough memory to simulate that of the machine: {e}") from None
        self.cores = [
            [Core(store[r, c], self.watch) for c in range(arch.cols)] for r in range(arch.rows)
        ]
