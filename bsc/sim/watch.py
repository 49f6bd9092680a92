"""Which write each read sees.

Every operation (a part of an iteration of an instruction) has a number.  A byte of DDR or
of a memtile carries the number of the operation that wrote it last, and `BUSY` while one
is writing it; a message in a core carries the number of its sender.  Text order says which
numbers an operation must read; in any other order it must read the same, and they must
stay the same until it is done, even if the values happened to agree.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bsc.sim.box import Box, view
from bsc.sim.tags import Tag

BUSY = -1

Numbers = npt.NDArray[np.int32]

Index = npt.NDArray[np.int64] | None
"""The indices of the bytes of a box that wraps around; None for one that does not."""


class Message:
    """Bytes handed over to a core at once, by the operation `writer` (`bsc.sim.core`)."""

    __slots__ = ("arrived", "end", "readers", "start", "tag", "used", "writer")

    def __init__(self, start: int, end: int, tag: Tag, writer: int):
        self.start = start
        self.end = end
        self.tag = tag
        self.writer = writer
        self.arrived = False
        self.used = False
        self.readers: set[int] = set()


@dataclass
class Reads:
    """What an operation has read so far.  `digest` is over the numbers that it saw."""

    number: int
    digest: int = 0
    _looks: list[tuple[Numbers, Box, Index, int]] = field(
        default_factory=list[tuple[Numbers, Box, "Index", int]]
    )
    _messages: list[Message] = field(default_factory=list[Message])

    def look(self, numbers: Numbers, box: Box, index: Index) -> None:
        """Read a box, or the bytes at `index` if it wraps around."""
        seen = _digest(numbers, box, index)
        self._looks.append((numbers, box, index, seen))
        self._add(seen)

    def take(self, message: Message) -> None:
        """Read a message in a core, and keep it from being overwritten."""
        message.readers.add(self.number)
        self._messages.append(message)
        self._add(message.writer)

    def _add(self, number: int) -> None:
        self.digest = zlib.crc32(number.to_bytes(8, "little", signed=True), self.digest)

    def unchanged(self) -> bool:
        """Whether all that was read is still there."""
        return all(_digest(n, box, index) == seen for n, box, index, seen in self._looks)

    def let_go(self) -> None:
        """The operation is done: what it has read may be overwritten."""
        for message in self._messages:
            message.readers.discard(self.number)


def _digest(numbers: Numbers, box: Box, index: Index) -> int:
    found = view(numbers, box) if index is None else numbers[index]
    return zlib.crc32(np.ascontiguousarray(found).data)


@dataclass
class Watch:
    """The operation that is at the memories now; None if nobody watches."""

    current: Reads | None = None

    @property
    def number(self) -> int:
        """Its number; 0 for the host, or if nobody watches."""
        return 0 if self.current is None else self.current.number
