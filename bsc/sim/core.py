"""A core's data memory.

It takes transfers as whole messages: a computation or a write must read all of what was
handed over, no more and no less, and nothing may be overwritten that nobody has read, or
that somebody is reading.
"""

from __future__ import annotations

from bsc.asm.packed import Bytes
from bsc.errors import BscError
from bsc.sim.box import Box
from bsc.sim.put import Put
from bsc.sim.tags import UNWRITTEN, Data, Tag, expect
from bsc.sim.watch import Message, Watch


class Core:
    """One core's data memory: banks for data, then the scratch banks."""

    def __init__(self, memory: Bytes, watch: Watch):
        self.memory = memory
        self.messages: list[Message] = []
        self.watch = watch

    def put(self, address: int, data: Data) -> Put:
        """Hand over `data` as one message."""
        size = data.bytes.size
        end = address + size
        if address < 0 or end > self.memory.size:
            raise BscError(
                f"core 0x{address:x} .. 0x{end:x} is beyond {self.memory.size} bytes"
            )
        return Put(self, Box(address, 1, 1, size, size, size), data)

    def claim(self, put: Put) -> None:
        """From now on the bytes are being written."""
        start, end = put.box.address, put.box.address + put.box.c
        for message in [m for m in self.messages if m.start < end and start < m.end]:
            where = f"core 0x{message.start:x} .. 0x{message.end:x}"
            if not message.used:
                raise BscError(f"overwrites {where}, which nobody has read")
            if message.readers - {self.watch.number}:
                raise BscError(f"overwrites {where}, which is being read")
            self.messages.remove(message)
        self.messages.append(Message(start, end, put.data.tag, self.watch.number))

    def fill(self, put: Put) -> None:
        """The bytes are there."""
        start, end = put.box.address, put.box.address + put.box.c
        self.memory[start:end] = put.data.bytes.reshape(-1)
        for message in self.messages:
            if message.start == start and message.end == end:
                message.arrived = True

    def read(self, address: int, size: int, wanted: Tag | None = None) -> Data:
        """Take `size` bytes: whole messages, all of them, of one tag (`wanted`, if given)."""
        if size == 0:
            return Data(self.memory[:0], UNWRITTEN if wanted is None else wanted)
        end, tag = address + size, wanted
        where = f"core 0x{address:x} .. 0x{end:x}"
        taken = [m for m in self.messages if m.start < end and address < m.end]
        # By address: in which order they came does not matter.
        taken.sort(key=lambda message: message.start)
        if self.watch.current is not None:
            self.watch.current.take(taken)
        for message in taken:
            if message.start < address or end < message.end:
                raise BscError(
                    f"reads {where}, but 0x{message.start:x} .. 0x{message.end:x} was "
                    "handed over as a whole"
                )
            tag = message.tag if tag is None else tag
            expect(message.tag, tag, f"core 0x{message.start:x}")
            if not message.arrived:
                raise BscError(f"reads {where} before all of it is there")
        covered = sum(message.end - message.start for message in taken)
        if tag is None or covered != size:
            raise BscError(f"reads {where}, of which only {covered} bytes are there")
        for message in taken:
            message.used = True
        return Data(self.memory[address:end], tag)

    def unused(self) -> int:
        """Bytes handed over that nobody has read."""
        return sum(m.end - m.start for m in self.messages if not m.used)
