"""Which write each read sees.

Every operation (a part of an iteration of an instruction) has a number.  A byte of DDR or
of a memtile carries the number of the operation that wrote it last, negative while that is
under way; a message in a core carries the number of its sender.  Text order says which
numbers an operation must read; in any other order it must read the same, and they must
stay the same until it is done, even if the values happened to agree.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.sim.box import Box, indices, view
from bsc.sim.tags import Tag

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


class Seen(NamedTuple):
    """What one read sees: the numbers of those who wrote it, and the addresses of that."""

    memory: str
    addresses: npt.NDArray[np.int64]
    writers: Numbers


class _Look(NamedTuple):
    """A box of a memory that was read, or the bytes at `places` if it wraps around."""

    memory: str
    numbers: Numbers
    box: Box
    places: Index

    def writers(self) -> Numbers:
        """Who wrote them."""
        return (
            view(self.numbers, self.box) if self.places is None else self.numbers[self.places]
        )

    def digest(self) -> int:
        """All of that in one number."""
        return zlib.crc32(np.ascontiguousarray(self.writers()).data)

    def seen(self) -> Seen:
        """Who wrote which byte."""
        addresses = indices(self.box) if self.places is None else self.places
        return Seen(self.memory, addresses.ravel(), self.writers().flatten())


@dataclass
class Reads:
    """What an operation has read so far.  `digest` is over the numbers that it saw."""

    number: int
    digest: int = 0
    _looks: list[tuple[_Look, int]] = field(default_factory=list[tuple[_Look, int]])
    _messages: list[Message] = field(default_factory=list[Message])

    def look(self, memory: str, numbers: Numbers, box: Box, index: Index) -> None:
        """Read a box of a memory, or the bytes at `index` if it wraps around."""
        look = _Look(memory, numbers, box, index)
        digest = look.digest()
        self._looks.append((look, digest))
        self._add(digest)

    def take(self, messages: list[Message]) -> None:
        """Read messages in a core, and keep them from being overwritten."""
        self._messages += messages
        for message in messages:
            message.readers.add(self.number)
            self._add(message.writer)

    def _add(self, number: int) -> None:
        self.digest = zlib.crc32(number.to_bytes(8, "little", signed=True), self.digest)

    def unchanged(self) -> bool:
        """Whether all that was read is still there."""
        return all(look.digest() == digest for look, digest in self._looks)

    def seen(self) -> list[Seen]:
        """Who wrote what was read, as it is now: in the core message by message, and then,
        read by read, byte by byte."""
        writers = [m.writer if m.arrived else -m.writer for m in self._messages]
        starts = np.array([m.start for m in self._messages], np.int64)
        in_core = Seen("core", starts, np.array(writers, np.int32))
        return [in_core, *(look.seen() for look, _ in self._looks)]

    def let_go(self) -> None:
        """The operation is done: what it has read may be overwritten."""
        for message in self._messages:
            message.readers.discard(self.number)


@dataclass
class Watch:
    """The operation that is at the memories now; None if nobody watches."""

    current: Reads | None = None

    @property
    def number(self) -> int:
        """Its number; 0 for the host, or if nobody watches."""
        return 0 if self.current is None else self.current.number
