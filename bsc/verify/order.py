"""Whether the locks keep text order wherever it matters.

It matters to two operations on different channels that touch a byte of the same tile, if one
of them writes it: the later in the text must start when the earlier is over, under any
timing (`bsc.verify.clocks` tells).  Only the last of the earlier ones on a channel need be
looked at, because a channel is in order by itself.

First instructions are compared as a whole, all iterations together, which settles nearly
all pairs.  The others are compared iteration by iteration, all of them, and at last as
boxes of bytes.  So what is found is exact but in two things: the bytes of a pixel that the
rows of cores move are taken as one run, and the buffers of cores are as large as their
largest iteration needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from bsc.asm.footprint import Extent, Flags, Turn
from bsc.asm.isa import Engine
from bsc.asm.program import Instr, IntArray
from bsc.errors import BscError
from bsc.verify.chains import Clock
from bsc.verify.clocks import CORE_COLUMN, Clocks, Runs

_ROWS = 256
"""How many entries of a table are compared with all others at once."""


class Touch(NamedTuple):
    """One entry of an extent: what one channel does to one tile, or one engine to cores."""

    instr: int
    extent: Extent
    entry: int


class Pair(NamedTuple):
    """Two operations that are not in order: the touches, their iterations, and the tile."""

    early: Touch
    late: Touch
    iterations: tuple[int, int]
    tile: int


@dataclass(frozen=True)
class Table:
    """Touches of the same memory, and what is needed to compare all with all."""

    touches: list[Touch]
    lo: IntArray
    hi: IntArray
    writes: Flags
    tile: IntArray
    channel: IntArray
    """Whoever is equal here is in order by itself."""
    before: IntArray
    """What a touch knows, when its instruction starts, of each channel."""
    last: IntArray
    """How many steps its channel has done when its instruction is over."""


class Order:
    """Checks a program whose clocks are known."""

    def __init__(
        self,
        clocks: Clocks,
        runs: Sequence[Runs],
        extents: Sequence[Sequence[Extent]],
    ):
        self.clocks = clocks
        self.channels = clocks.channels
        self.instrs: Sequence[Instr] = clocks.instrs
        self.runs = runs
        self.extents = extents
        self.memtile_bytes = self.channels.arch.memtile_bytes
        self._in_turn = cache(_in_turn)

    def check(self) -> None:
        """Raises BscError for the first operation in the text that may start too early."""
        if pair := next(self.unordered(), None):
            raise BscError(self._message(pair))

    def unordered(self) -> Iterator[Pair]:
        """The operations that are not in order; of each two touches the first ones."""
        for memory in ("core", "memtile", "ddr"):
            table = self._table(memory)
            for i, j in _doubtful(table, self.memtile_bytes if memory == "memtile" else 0):
                if pair := self._compare(table.touches[i], table.touches[j]):
                    yield pair

    # Tables ------------------------------------------------------------------------------

    def _table(self, memory: str) -> Table:
        touches, lows, highs = list[Touch](), list[int](), list[int]()
        for index, found in enumerate(self.extents):
            for extent in found:
                if extent.memory != memory:
                    continue
                # Most have the same bytes in all iterations.
                low = extent.lo[0] if len(extent.lo) == 1 else extent.lo.min(axis=0)
                high = extent.hi[0] if len(extent.hi) == 1 else extent.hi.max(axis=0)
                bounds = low.tolist(), high.tolist()
                for entry, (lo, hi) in enumerate(zip(*bounds, strict=True)):
                    if hi >= 0:
                        touches.append(Touch(index, extent, entry))
                        lows.append(lo)
                        highs.append(hi)
        at_cores = memory == "core"
        return Table(
            touches,
            np.array(lows, np.int64),
            np.array(highs, np.int64),
            np.array([t.extent.writes for t in touches], np.bool_),
            np.array([t.extent.tiles[t.entry] for t in touches], np.int64),
            np.array([self._channel(t) for t in touches], np.int64),
            np.array([self._knows(t, at_cores) for t in touches], np.int64),
            np.array([self.runs[t.instr].number[-1] for t in touches], np.int64),
        )

    def _engine(self, touch: Touch) -> Engine:
        return self.instrs[touch.instr].spec.engine

    def _channel(self, touch: Touch) -> int:
        """The channel of a touch; on cores the engine, as each has one for a core."""
        engine = self._engine(touch)
        if touch.extent.memory == "core":
            return CORE_COLUMN[engine]
        return self.channels.first[engine] + int(touch.extent.parts[touch.entry])

    def _knows(self, touch: Touch, at_cores: bool) -> Clock:
        run = self.runs[touch.instr]
        if at_cores:
            return run.at_all_cores[0]
        assert run.start is not None
        return run.start[0, touch.extent.parts[touch.entry]]

    # Iteration by iteration --------------------------------------------------------------

    def _compare(self, one: Touch, other: Touch) -> Pair | None:
        """The first iterations of two touches that are not in order."""
        a, b = self._iterations(one), self._iterations(other)
        behind = self._known_to(other, one)[b][None, :] >= self._numbers(one)[a][:, None]
        ahead = self._known_to(one, other)[a][:, None] >= self._numbers(other)[b][None, :]
        text_a, text_b = self.runs[one.instr].text[a], self.runs[other.instr].text[b]
        first = text_a[:, None] <= text_b[None, :]
        wrong = ~np.where(first, behind, ahead)
        if not wrong.any():
            return None
        wrong &= self._meet(one, other, a, b)
        for i, j in np.argwhere(wrong).tolist():
            pair = (one, other) if first[i, j] else (other, one)
            at = (int(a[i]), int(b[j])) if first[i, j] else (int(b[j]), int(a[i]))
            if self._share_bytes(*pair, at):
                return Pair(*pair, at, self._tile(*pair, at))
        return None

    def _iterations(self, touch: Touch) -> IntArray:
        return self._in_turn(touch.extent.turn, len(self.runs[touch.instr].number))

    def _numbers(self, touch: Touch) -> IntArray:
        return self.runs[touch.instr].number

    def _known_to(self, touch: Touch, other: Touch) -> Clock:
        """What each iteration of a touch knows of the channel of the other."""
        run = self.runs[touch.instr]
        channel = self._channel(other)
        if touch.extent.memory == "core":
            return run.at_all_cores[:, channel]
        assert run.start is not None
        return run.start[:, touch.extent.parts[touch.entry], channel]

    def _meet(self, one: Touch, other: Touch, a: IntArray, b: IntArray) -> Flags:
        """Whether the hulls of iterations have a byte in common."""
        lo, hi = _hulls(one, a)
        other_lo, other_hi = _hulls(other, b)
        size = self.memtile_bytes if one.extent.memory == "memtile" else 0
        found = np.zeros((len(a), len(b)), np.bool_)
        for shift in _shifts(np.concatenate([hi, other_hi]), size):
            low, high = other_lo + shift, other_hi + shift
            found |= (lo[:, None] < high[None, :]) & (low[None, :] < hi[:, None])
        return found

    def _share_bytes(self, one: Touch, other: Touch, at: tuple[int, int]) -> bool:
        """Whether two boxes really have a byte in common."""
        starts, length = _pieces(one, at[0])
        others, other_length = _pieces(other, at[1])
        size = self.memtile_bytes if one.extent.memory == "memtile" else 0
        ends = np.array([starts[-1] + length, others[-1] + other_length])
        for shift in _shifts(ends, size):
            moved = others + shift
            # The last piece that begins before the end of the other is the one to reach it.
            index = np.searchsorted(starts, moved + other_length) - 1
            if ((index >= 0) & (starts[index] + length > moved)).any():
                return True
        return False

    # Messages ----------------------------------------------------------------------------

    def _tile(self, early: Touch, late: Touch, at: tuple[int, int]) -> int:
        if early.extent.memory != "core":
            return int(early.extent.tiles[early.entry])
        known = self.runs[late.instr].at_cores
        assert known is not None
        number = self._numbers(early)[at[0]]
        return int(np.argmax(known[at[1], :, self._channel(early)] < number))

    def _message(self, pair: Pair) -> str:
        early, late, (i, j), tile = pair
        memory = early.extent.memory
        places = {
            "core": f"core {tile // self.channels.arch.cols},{tile % self.channels.arch.cols}",
            "memtile": f"memtile {tile}",
            "ddr": "DDR",
        }
        lo, hi = _hulls(late, np.array([j]))
        does = "writes" if late.extent.writes else "reads"
        did = "written" if early.extent.writes else "read"
        giver, taker = self._engine(early).upper(), self._engine(late).upper()
        return (
            f"{self._who(late, j)} {does} 0x{int(lo[0]):x} .. 0x{int(hi[0]):x} of "
            f"{places[memory]}, which {self._who(early, i)} may not have {did} yet: no chain "
            f"of locks leads from one to the other; let {giver} release a lock that {taker} "
            "acquires"
        )

    def _who(self, touch: Touch, iteration: int) -> str:
        name = self.clocks.names[touch.instr]
        part = touch.extent.parts[touch.entry]
        if part >= 0:
            name += f" ({self.channels.place(self._engine(touch), int(part))})"
        many = len(self.runs[touch.instr].number) > 1
        return f"{name} in iteration {iteration}" if many else name


def _in_turn(turn: Turn, count: int) -> IntArray:
    """Which of `count` iterations use a buffer."""
    slot, slots, period = turn
    return np.flatnonzero(np.arange(count) // period % slots == slot)


def _doubtful(table: Table, size: int) -> Iterator[tuple[int, int]]:
    """Touches that meet and are not in order as a whole, in the order of the text."""
    count = len(table.touches)
    shifts = _shifts(table.hi, size)
    for start in range(0, count, _ROWS):
        stop = min(count, start + _ROWS)
        late = np.arange(start, stop)
        # What all of these know to be over is most of the program, and is left out.
        known = table.before[late].min(axis=0)
        early = np.flatnonzero(table.last[:stop] > known[table.channel[:stop]])
        # Those of one instruction, and of one stage, meet both ways; each two once.
        found = early[None, :] < late[:, None]
        found &= table.writes[late, None] | table.writes[None, early]
        found &= table.channel[late, None] != table.channel[None, early]
        found &= table.tile[late, None] == table.tile[None, early]
        meet = np.zeros_like(found)
        for shift in shifts:
            lo, hi = table.lo[None, early] + shift, table.hi[None, early] + shift
            meet |= (table.lo[late, None] < hi) & (lo < table.hi[late, None])
        found &= meet
        found &= table.before[late][:, table.channel[early]] < table.last[None, early]
        for j, i in np.argwhere(found).tolist():
            yield int(early[i]), start + j


def _shifts(ends: IntArray, size: int) -> list[int]:
    """By how much addresses must be shifted to see all that are equal modulo `size`."""
    if not size or not len(ends):
        return [0]
    turns = max(0, (int(ends.max()) - 1) // size)
    return [turn * size for turn in range(-turns, turns + 1)]


def _hulls(touch: Touch, iterations: IntArray) -> tuple[IntArray, IntArray]:
    lo, hi = touch.extent.lo[:, touch.entry], touch.extent.hi[:, touch.entry]
    rows = iterations if len(lo) > 1 else np.zeros_like(iterations)
    return lo[rows], hi[rows]


def _pieces(touch: Touch, iteration: int) -> tuple[IntArray, int]:
    """The runs of bytes of a box: where they start, in order, and how long all are."""
    lo, hi = (int(v[0]) for v in _hulls(touch, np.array([iteration])))
    shape = touch.extent.shape
    if shape is None:
        return np.array([lo]), hi - lo
    h, w, row, pix = (_element(array, iteration, touch.entry) for array in shape)
    length = hi - lo - (h - 1) * row - (w - 1) * pix
    if w == 1 or length >= pix:
        w, length = 1, (w - 1) * pix + length
    starts = lo + np.arange(h)[:, None] * row + np.arange(w)[None, :] * pix
    return np.sort(starts, axis=None), length


def _element(array: IntArray, iteration: int, entry: int) -> int:
    rows, columns = array.shape
    return int(array[iteration if rows > 1 else 0, entry if columns > 1 else 0])
