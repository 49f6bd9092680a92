"""The channels between DDR and memtiles, as activations and weights share them.

A memtile that takes activations and weights at the same time has one half of its channels
for each; one that takes one kind only has all of them for it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from bsc.arch import Arch
from bsc.asm.isa import Engine


@dataclass
class _Port:
    """The channels of one memtile, and how many kinds are on their way; `changed` tells
    those that are that this number is another now."""

    active: int
    changed: simpy.Event


class Ports:
    """All memtiles' channels from and to DDR."""

    def __init__(self, env: simpy.Environment, arch: Arch):
        self.env = env
        self.arch = arch
        self._ports = [_Port(0, env.event()) for _ in range(arch.memtiles)]

    def transfer(
        self, engine: Engine, part: int, seconds: float
    ) -> Generator[simpy.Event, Any, None]:
        """Let pass what takes `seconds` on one channel."""
        if engine in (Engine.LOAD, Engine.LOADW):
            yield from self._shared(self._ports[part], seconds)
        elif engine is Engine.WRITE:
            yield self.env.timeout(seconds / self.arch.ddr_write_channels)
        else:
            yield self.env.timeout(seconds)

    def _shared(self, port: _Port, left: float) -> Generator[simpy.Event, Any, None]:
        if left == 0:
            return
        self._change(port, 1)
        while True:
            channels = self.arch.ddr_read_channels
            share = channels if port.active == 1 else max(1, channels // 2)
            start = self.env.now
            done = self.env.timeout(left / share)
            if done in (yield done | port.changed):
                break
            # What rounding has left over, of either sign, is no work.
            left = max(0.0, left - (self.env.now - start) * share)
        self._change(port, -1)

    def _change(self, port: _Port, by: int) -> None:
        port.active += by
        changed, port.changed = port.changed, self.env.event()
        changed.succeed()
