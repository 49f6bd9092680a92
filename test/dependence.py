"""What depends on what in a small program, found without the static check.

Conflicts come from the simulator, byte for byte: every operation's reads and writes are
recorded as it runs in text order.  The order that the locks keep is a closure over all
operations, as sets of numbers.  Nothing is shared with `bsc.verify` but the program.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from bsc.asm.program import Instr, LockUse, Program
from bsc.errors import BscError
from bsc.sim import events
from bsc.sim.box import Box, indices
from bsc.sim.channels import Operation, TextOrder, text_order
from bsc.sim.core import Core
from bsc.sim.locks import reached, tiles_of_kind
from bsc.sim.memory import Ddr, Memtile
from bsc.sim.put import Put
from bsc.sim.transfers import parts

Conflict = tuple[int, int]
"""The numbers of two operations, the earlier in the text first."""


class _Recorder:
    """The bytes that each operation touches, as bits of a number, memory by memory."""

    def __init__(self) -> None:
        self.touched: dict[int, list[tuple[int, int, bool]]] = {}
        self.alive: list[Any] = []

    def add(self, memory: Any, box: Box, writes: bool) -> None:
        """A box that the operation at the memory touches."""
        current = memory.watch.current
        if current is None:
            return
        size = memory.memory.size
        flags = np.zeros(size, np.uint8)
        flags[indices(box) % size] = 1
        bits = int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")
        if id(memory) not in self.touched:
            self.alive.append(memory)
        self.touched.setdefault(id(memory), []).append((current.number, bits, writes))

    def conflicts(self, channel: list[Any]) -> set[Conflict]:
        """All operations on different channels that touch a byte, one of them writing."""
        found: set[Conflict] = set()
        for touches in self.touched.values():
            for index, (late, bits, writes) in enumerate(touches):
                for early, others, wrote in touches[:index]:
                    if (writes or wrote) and bits & others and channel[early] != channel[late]:
                        found.add((early, late))
        return found


def conflicts(
    program: Program, blob: np.ndarray[Any, np.dtype[np.uint8]], inputs: dict[str, Any]
) -> set[Conflict]:
    """The conflicts of a program, as it runs in text order."""
    recorder = _Recorder()
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Ddr, Memtile, Core):
            _watch(patch, recorder, kind)
        order = events.EventSimulator(program, blob, inputs).order
    channel: list[Any] = [None] * order.operations
    for op in _operations(program, order):
        channel[op.number] = op.instr.spec.engine, op.part
    return recorder.conflicts(channel)


def _watch(patch: pytest.MonkeyPatch, recorder: _Recorder, kind: type[Any]) -> None:
    read, claim = kind.read, kind.claim

    def reading(self: Any, place: Box | int, *args: Any) -> Any:
        box = place if isinstance(place, Box) else Box(place, 1, 1, args[0], 0, 0)
        recorder.add(self, box, False)
        return read(self, place, *args)

    def claiming(self: Any, put: Put) -> None:
        recorder.add(self, put.box, True)
        claim(self, put)

    patch.setattr(kind, "read", reading)
    patch.setattr(kind, "claim", claiming)
    if kind is Memtile:
        weights = kind.read_weights

        def taking(self: Any, address: int, size: int) -> Any:
            recorder.add(self, Box(address, 1, 1, size, 0, 0), False)
            return weights(self, address, size)

        patch.setattr(kind, "read_weights", taking)


def _operations(program: Program, order: TextOrder) -> list[Operation]:
    return [
        step.operation(part)
        for step in order.steps
        for part in range(parts(step.instr.spec.engine, program.arch))
    ]


# Order -----------------------------------------------------------------------------------


class _Locks:
    """The units in every semaphore, each with the set of operations behind it."""

    def __init__(self, program: Program):
        self.program = program
        self.units: dict[tuple[str, int], deque[int]] = {
            (name, tile): deque([0] * lock.init)
            for name, lock in program.locks.items()
            for tile in range(tiles_of_kind(lock.tile, program.arch))
        }
        self.arrived: dict[tuple[int, LockUse, int], list[int]] = {}

    def _tiles(self, instr: Instr, use: LockUse, name: str, part: int) -> tuple[int, ...]:
        kind = self.program.locks[name].tile
        arch = self.program.arch
        return reached(instr.spec.engine, kind, use.where, name, part, arch)

    def take(self, op: Operation) -> int | None:
        """What is behind an operation by its acquires; None if it would wait."""
        behind = 0
        for use in op.instr.acquires:
            if not use.acquires_at(op.iteration):
                continue
            name = use.at(op.iteration)
            for tile in self._tiles(op.instr, use, name, op.part):
                units = self.units[name, tile]
                if len(units) < use.amount:
                    return None
                for _ in range(use.amount):
                    behind |= units.popleft()
        return behind

    def give(self, op: Operation, behind: int) -> None:
        """Release what an operation releases."""
        for use in op.instr.releases:
            if not use.releases_at(op.iteration):
                continue
            name = use.at(op.iteration)
            if use.where == "all":
                all_here = self.arrived.setdefault((op.instr.line, use, op.iteration), [])
                all_here.append(behind)
                if len(all_here) < self.program.arch.cols:
                    continue
                behind = int(np.bitwise_or.reduce(np.array(all_here, object)))
            for tile in self._tiles(op.instr, use, name, op.part):
                self.units[name, tile].extend([behind] * use.amount)

    def even(self) -> bool:
        """Whether all are back at their initial values."""
        return all(
            len(u) == self.program.locks[name].init for (name, _), u in self.units.items()
        )


def past(program: Program) -> list[int] | None:
    """For each operation the set of those that are over when it starts, as bits; None if
    text order cannot be run to its end, or not with all locks as they were."""
    order = text_order(program)
    locks = _Locks(program)
    found = [0] * order.operations
    last: dict[Any, int] = {}
    for op in _operations(program, order):
        channel = op.instr.spec.engine, op.part
        known = locks.take(op)
        if known is None:
            return None
        found[op.number] = known | last.get(channel, 0)
        last[channel] = found[op.number] | 1 << op.number
        locks.give(op, last[channel])
    return found if locks.even() else None


def keeps(program: Program, pairs: set[Conflict]) -> bool:
    """Whether the locks keep all conflicts in order, and nothing waits for ever."""
    try:
        behind = past(program)
    except BscError:
        return False
    return behind is not None and all(behind[late] >> early & 1 for early, late in pairs)
