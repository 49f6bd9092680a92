"""Bytes on their way into a memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bsc.sim.box import Box
from bsc.sim.tags import Data


class Memory(Protocol):
    """What bytes can be put into."""

    def claim(self, put: Put) -> None:
        """From now on the bytes are being written."""
        ...

    def fill(self, put: Put) -> None:
        """The bytes are there."""
        ...


@dataclass(frozen=True, slots=True)
class Put:
    """Data for a box of a memory: claimed when the transfer starts, filled when it ends."""

    memory: Memory
    box: Box
    data: Data

    def start(self) -> None:
        """The transfer starts."""
        self.memory.claim(self)

    def end(self) -> None:
        """The transfer is done."""
        self.memory.fill(self)

    def do(self) -> None:
        """Start and end at once."""
        self.start()
        self.end()
