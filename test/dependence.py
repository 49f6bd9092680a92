"""What depends on what in a program, found without the static check.

Conflicts come from the simulator, byte for byte: every operation's reads and writes are
recorded as it runs in text order.  The order that the locks keep is a closure over all
operations, as sets of numbers; the order that a random timing gives comes from events.
Nothing is shared with `bsc.verify` but the program.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bsc.asm.program import Instr, LockUse, Program
from bsc.errors import BscError
from bsc.sim import events
from bsc.sim.box import Box, indices, view
from bsc.sim.channels import Channel, Operation, TextOrder, text_order
from bsc.sim.core import Core
from bsc.sim.locks import reached, tiles_of_kind
from bsc.sim.memory import Ddr, Memtile
from bsc.sim.put import Put
from bsc.sim.timeline import run_timeline
from bsc.sim.transfers import parts

Conflict = tuple[int, int]
"""The numbers of two operations, the earlier in the text first."""

Numbers = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64] | None
"""The indices of the bytes of a box that wraps around; None for one that does not."""


class _Shadow:
    """Beside a memory: who wrote each byte last, and who on which channel read it since."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.writers = np.zeros(size, np.int32)
        self.readers: dict[Channel, Numbers] = {}

    def touch(self, box: Box, number: int, channel: Channel, writes: bool) -> set[int]:
        """An operation reads or writes a box; returns those that must be over by then."""
        start = box.address % self.size
        wraps = start + box.extent > self.size
        box = box._replace(address=start)
        places = indices(box) % self.size if wraps else None
        found = _numbers(self.writers, box, places)
        if writes:
            for readers in self.readers.values():
                found |= _numbers(readers, box, places)
                _fill(readers, box, places, 0)
            _fill(self.writers, box, places, number)
        else:
            if channel not in self.readers:
                self.readers[channel] = np.zeros(self.size, np.int32)
            _fill(self.readers[channel], box, places, number)
        return found - {0, number}


def _numbers(array: Numbers, box: Box, places: Places) -> set[int]:
    """The different numbers in a box, of which most neighbours are equal."""
    flat = (view(array, box) if places is None else array[places]).ravel()
    return {*flat[:1].tolist(), *flat[1:][flat[1:] != flat[:-1]].tolist()}


def _fill(array: Numbers, box: Box, places: Places, number: int) -> None:
    if places is None:
        view(array, box)[:] = number
    else:
        array[places] = number


class _Recorder:
    """The conflicts of operations, as they run in text order."""

    def __init__(self, order: TextOrder) -> None:
        self.order = order
        self.shadows: dict[int, tuple[Any, _Shadow]] = {}
        self.found: set[Conflict] = set()

    def add(self, memory: Any, box: Box, writes: bool) -> None:
        """A box that the operation at the memory touches."""
        current = memory.watch.current
        if current is None:
            return
        if id(memory) not in self.shadows:
            self.shadows[id(memory)] = memory, _Shadow(memory.memory.size)
        op = self.order.operation(current.number)
        channel = Channel(op.instr.spec.engine, op.part)
        _, shadow = self.shadows[id(memory)]
        for early in shadow.touch(box, op.number, channel, writes):
            self.found.add((early, op.number))


def conflicts(
    program: Program, blob: np.ndarray[Any, np.dtype[np.uint8]], inputs: dict[str, Any]
) -> set[Conflict]:
    """The conflicts of a program, as it runs in text order: operations that touch a byte, one
    of them writing, and nobody writing it in between.  All others follow from these."""
    recorder = _Recorder(text_order(program))
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Ddr, Memtile, Core):
            _watch(patch, recorder, kind)
        events.EventSimulator(program, blob, inputs)
    return recorder.found


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


# Timing ----------------------------------------------------------------------------------


class _Clock:
    """Counts starts and ends as they happen."""

    def __init__(self, operations: int) -> None:
        self.now = 0
        self.begun = np.zeros(operations, np.int64)
        self.ended = np.zeros(operations, np.int64)

    def begin(self, op: Operation) -> None:
        """An operation starts."""
        self.begun[op.number] = self.now = self.now + 1

    def finish(self, op: Operation) -> None:
        """It ends."""
        self.ended[op.number] = self.now = self.now + 1


class TimingJudge:
    """Says of a changed program whether a random timing breaks it: an error, a deadlock, or
    two operations in the wrong order; in the order of the text too, which `bsc.sim.events`
    runs first.

    It moves no values, and so is a good deal faster: an operation that sees another write
    than the right one has started before that was over, or after the next.
    """

    def __init__(self, program: Program, pairs: set[Conflict]):
        self.early, self.late = np.array(sorted(pairs), np.int64).T
        self.known = program, text_order(program)
        self.first = {(s.instr.line, s.iteration): s.first for s in self.known[1].steps}

    def finds(self, changed: Program, seed: int) -> bool:
        """Whether the timing of a seed does."""
        try:
            if self.known[0] is not changed:
                self.known = changed, text_order(changed)
            order = self.known[1]
            clock = _Clock(order.operations)
            run_timeline(changed, seed, clock, order)
        except BscError:
            return True
        # Where lines are swapped, operations have other numbers than in the right program.
        numbers = np.zeros(order.operations, np.int64)
        for step in order.steps:
            first = self.first[step.instr.line, step.iteration]
            count = parts(step.instr.spec.engine, changed.arch)
            numbers[first : first + count] = range(step.first, step.first + count)
        early, late = numbers[self.early], numbers[self.late]
        wrong = (early > late) | (clock.ended[early] > clock.begun[late])
        return bool(wrong.any())
