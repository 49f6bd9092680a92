"""An exact search for packings with little slack or none: a skyline that grows upwards.

Time is cut into *sections* at every begin and end of a buffer.  All that is placed lies
below the *skyline*, which has one height for each section.  A *valley* is a run of sections
of the same height between higher walls.  What lies at the left corner of its floor is a
buffer that begins there and ends within the valley, or a hole; at the right corner
likewise.  So the corner with the fewest candidates is branched on, and where a corner has
none, all that was placed so far is wrong.  The search sees it early:

- Holes are bounded.  What a section has of capacity beyond the sizes of its buffers is all
  that can be lost in it; in a packing without slack no hole is possible at all.
- Next to a new wall, the buffers that fit inside the valley must fill it up to the lower of
  its walls, in each section.
- What is placed counts, not how: where no hole is possible, two partial packings of the
  same buffers have the same skyline, and one is dropped.

Sections, canonical solutions (every buffer rests on another one or on the floor) and the
bound on what is lost in a section are those of MiniMalloc (Moffitt, ASPLOS 2024); corners
instead of offsets, and sides that compete by their number of candidates, are ours.

The search goes breadth first and keeps the best `width` partial packings of each length
(a beam): those with the smoothest skyline, as each step in it is a corner that some
buffer must match.  A dash of chance in that order keeps them from being all alike.  It is
run again and again, wider and wider; one that has dropped nothing and found nothing is a
proof that there is no packing.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_FIRST_WIDTH = 30
_RESTARTS = 12
"""Runs of one width before the next, which is twice as wide."""
_WIDE_FIRST = (0.1, 0.3, 0.0)
"""What it counts, in turn, that long-lived buffers have been placed, in steps of skyline."""
_CHANCE = 0.5
_MANY = 30
"""Buffers that fill a valley surely: beyond that, counting costs more than it tells."""

Chain = tuple[int, int, "Chain"] | None
"""What is placed: a buffer, its offset, and what was placed before it."""


class _Corner(NamedTuple):
    """The corner to branch on: its valley, the side, and the candidates as a mask."""

    valley: int
    right: int
    candidates: int


class _Partial(NamedTuple):
    """A partial packing.

    `left` is the mask of the buffers to be placed.  Segment i of the skyline goes from
    section `starts[i]` to `starts[i + 1]` at `heights[i]`.  `lost` has the bytes under the
    skyline that are holes, for each section.
    """

    left: int
    starts: list[int]
    heights: list[int]
    placed: Chain
    lost: tuple[int, ...]
    corner: _Corner | None
    rank: float
    gain: float


class Result(NamedTuple):
    """The offsets, if a packing was found; `complete`: if none was, there is none."""

    offsets: list[int] | None
    complete: bool
    steps: int


def search(
    ranges: Sequence[tuple[int, int, int]],
    capacity: int,
    steps: int,
    tell: Callable[[int], None] | None = None,
) -> Result:
    """Offsets for buffers (lower, upper, size) in a memory of `capacity`, with at most so
    many steps: placements that are tried.  The same input gives the same result."""
    problem = _Problem(ranges, capacity)
    if min(problem.slack, default=0) < 0:
        return Result(None, True, 0)
    width, used = _FIRST_WIDTH, 0
    for run in itertools.count():
        beam = _Beam(problem, width, run, steps - used)
        offsets = beam.run()
        used += beam.steps
        if tell is not None:
            tell(min(used, steps))
        if offsets is not None or not beam.dropped:
            return Result(offsets, offsets is None, used)
        if used >= steps:
            return Result(None, False, used)
        if run % _RESTARTS == _RESTARTS - 1:
            width *= 2
    raise AssertionError("not reached")


class _Problem:
    """Buffers in sections, and masks of buffers by where they begin and end."""

    def __init__(self, ranges: Sequence[tuple[int, int, int]], capacity: int):
        times = sorted({time for lower, upper, _ in ranges for time in (lower, upper)})
        number = {time: index for index, time in enumerate(times)}
        self.buffers = [(number[lo], number[up], size) for lo, up, size in ranges]
        self.capacity = capacity
        self.sections = max(len(times) - 1, 0)
        self.all = (1 << len(ranges)) - 1
        self.begins = [0] * (self.sections + 2)
        self.ends = [0] * (self.sections + 2)
        self.slack = [capacity] * self.sections
        for index, (lower, upper, size) in enumerate(self.buffers):
            self.begins[lower] |= 1 << index
            self.ends[upper] |= 1 << index
            for section in range(lower, upper):
                self.slack[section] -= size
        self.tight = not any(self.slack)
        reversed_begins = itertools.accumulate(reversed(self.begins), int.__or__)
        self.from_on = list(reversed_begins)[::-1]
        self.until = list(itertools.accumulate(self.ends, int.__or__))
        total = sum(upper - lower for lower, upper, _ in self.buffers) or 1
        count = len(self.buffers)
        self.share = [count * (upper - lower) / total for lower, upper, _ in self.buffers]

    def candidates(self, lower: int, upper: int) -> tuple[int, int]:
        """What may lie at the left and the right corner of a valley, placed or not."""
        inside = self.from_on[lower] & self.until[upper]
        return inside & self.begins[lower], inside & self.ends[upper]


class _Beam:
    """One run: breadth first, `width` partial packings at a time."""

    def __init__(self, problem: _Problem, width: int, seed: int, budget: int):
        self.problem = problem
        self.width = width
        self.random = random.Random(seed)
        self.wide_first = _WIDE_FIRST[seed % len(_WIDE_FIRST)]
        self.budget = budget
        self.steps = 0
        self.dropped = False
        self.corners: dict[tuple[int, int], tuple[int, int]] = {}

    def run(self) -> list[int] | None:
        """The offsets, if a packing was found."""
        problem = self.problem
        if not problem.all:
            return []
        lost = () if problem.tight else (0,) * problem.sections
        starts = [0, problem.sections]
        corner = self._corner(problem.all, starts, [0], lost)
        level = [_Partial(problem.all, starts, [0], None, lost, corner, 0.0, 0.0)]
        while level:
            found: dict[object, _Partial] = {}
            for partial in level:
                for child in self._children(partial, found):
                    if not child.left:
                        return _offsets(child.placed, len(problem.buffers))
            if self.steps >= self.budget:
                self.dropped = True
                return None
            level = list(found.values())
            if len(level) > self.width:
                self.dropped = True
                level.sort(key=lambda partial: partial.rank)
                del level[self.width :]
        return None

    # What a partial packing can become ------------------------------------------------

    def _children(self, partial: _Partial, found: dict[object, _Partial]) -> Iterator[_Partial]:
        """One more buffer, or one more hole, at the corner; adds those that are new."""
        left, starts, heights, placed, lost, corner, _, gain = partial
        assert corner is not None
        floor = heights[corner.valley]
        for index in self._fitting(partial, corner):
            rest = left & ~(1 << index)
            lower, upper, size = self.problem.buffers[index]
            new = _raised(starts, heights, corner, lower, upper, floor + size)
            more = gain + self.problem.share[index] * self.wide_first
            yield from self._add(found, rest, *new, (index, floor, placed), lost, more)
        if not self.problem.tight:
            yield from self._with_hole(partial, corner, found)

    def _add(
        self,
        found: dict[object, _Partial],
        left: int,
        starts: list[int],
        heights: list[int],
        placed: Chain,
        lost: tuple[int, ...],
        gain: float,
    ) -> Iterator[_Partial]:
        self.steps += 1
        key = left if self.problem.tight else (left, tuple(starts), tuple(heights))
        if key in found:
            return
        corner = self._corner(left, starts, heights, lost)
        if corner is None and left:
            return
        rank = len(heights) - gain + self.random.random() * _CHANCE
        if not self.problem.tight:
            rank += left.bit_count()
        child = _Partial(left, starts, heights, placed, lost, corner, rank, gain)
        found[key] = child
        yield child

    def _corner(
        self, left: int, starts: list[int], heights: list[int], lost: tuple[int, ...]
    ) -> _Corner | None:
        """The corner with the fewest ways to go on; None if one has none."""
        problem, known = self.problem, self.corners
        best, fewest = None, 1 << 30
        before, height, capacity = problem.capacity + 1, heights[0], problem.capacity
        for i, after in enumerate([*heights[1:], capacity + 1]):
            if before > height < after and height < capacity:
                place = starts[i], starts[i + 1]
                masks = known.get(place)
                if masks is None:
                    masks = known[place] = problem.candidates(*place)
                for right in (0, 1):
                    candidates = left & masks[right]
                    count = candidates.bit_count()
                    if lost:
                        section = place[1] - 1 if right else place[0]
                        count += problem.slack[section] > lost[section]
                    if count < fewest:
                        if not count:
                            return None
                        best, fewest = (i, right, candidates), count
            before, height = height, after
        return None if best is None else _Corner(*best)

    def _fitting(self, partial: _Partial, corner: _Corner) -> Iterator[int]:
        """The candidates after which the rest of the valley can still be filled; of equal
        ones the first."""
        left, starts, heights = partial.left, partial.starts, partial.heights
        i, candidates = corner.valley, corner.candidates
        floor, begin, end = heights[i], starts[i], starts[i + 1]
        # The wall on the far side; on the near side, the buffer itself becomes one.
        far = self._wall(heights, i - 1 if corner.right else i + 1)
        seen: set[tuple[int, int, int]] = set()
        while candidates:
            bit = candidates & -candidates
            candidates ^= bit
            buffer = lower, upper, size = self.problem.buffers[bit.bit_length() - 1]
            if buffer in seen or floor + size > self.problem.capacity:
                continue
            seen.add(buffer)
            need = min(size, far - floor)
            first, last = (begin, lower) if corner.right else (upper, end)
            if first == last or self._can_fill(left & ~bit, first, last, need, partial.lost):
                yield bit.bit_length() - 1

    def _wall(self, heights: list[int], i: int) -> int:
        return heights[i] if 0 <= i < len(heights) else self.problem.capacity

    def _can_fill(
        self, left: int, first: int, last: int, need: int, lost: tuple[int, ...]
    ) -> bool:
        """Whether what fits between two walls has `need` bytes for each section, holes
        included."""
        problem = self.problem
        inside = left & problem.from_on[first] & problem.until[last]
        if inside.bit_count() > _MANY:
            return True
        change = [0] * (last - first + 1)
        while inside:
            bit = inside & -inside
            inside ^= bit
            lower, upper, size = problem.buffers[bit.bit_length() - 1]
            change[lower - first] += size
            change[upper - first] -= size
        room = 0
        for section in range(first, last):
            room += change[section - first]
            if room < need:
                if not lost:
                    return False
                if room + problem.slack[section] - lost[section] < need:
                    return False
        return True

    def _with_hole(
        self, partial: _Partial, corner: _Corner, found: dict[object, _Partial]
    ) -> Iterator[_Partial]:
        """Leave a hole at the corner.

        The sections up to where the next buffer inside the valley could begin are then
        empty up to what the lowest buffer over them can rest on: one that lies inside the
        valley beside the hole, or a wall.
        """
        left, starts, heights, placed, lost, _, _, gain = partial
        problem, i = self.problem, corner.valley
        begin, end, floor = starts[i], starts[i + 1], heights[i]
        inside = left & problem.from_on[begin] & problem.until[end]
        if corner.right:
            edge = problem.ends
            inside &= ~edge[end]
            first, last = end - 1, end
            while first > begin and not inside & edge[first]:
                first -= 1
        else:
            edge = problem.begins
            inside &= ~edge[begin]
            first, last = begin, begin + 1
            while last < end and not inside & edge[last]:
                last += 1
        top = min(self._wall(heights, i - 1), self._wall(heights, i + 1))
        while inside:
            bit = inside & -inside
            inside ^= bit
            top = min(top, floor + problem.buffers[bit.bit_length() - 1][2])
        spent = list(lost)
        for section in range(first, last):
            spent[section] += top - floor
            if spent[section] > problem.slack[section]:
                return
        new = _raised(starts, heights, corner, first, last, top)
        yield from self._add(found, left, *new, placed, tuple(spent), gain)


def _raised(
    starts: list[int], heights: list[int], corner: _Corner, lower: int, upper: int, top: int
) -> tuple[list[int], list[int]]:
    """The skyline after the sections `lower` to `upper`, at a corner, have come to `top`."""
    i = corner.valley
    begin, end, floor = starts[i], starts[i + 1], heights[i]
    if upper - lower == end - begin:
        middle, levels = [begin], [top]
    elif corner.right:
        middle, levels = [begin, lower], [floor, top]
    else:
        middle, levels = [begin, upper], [top, floor]
    # Neighbours of one height are one segment.
    if i and heights[i - 1] == levels[0]:
        del middle[0], levels[0]
    after = i + 1
    before = levels[-1] if levels else heights[i - 1]
    if after < len(heights) and heights[after] == before:
        after += 1
    return starts[:i] + middle + starts[after:], heights[:i] + levels + heights[after:]


def _offsets(placed: Chain, count: int) -> list[int]:
    offsets = [0] * count
    while placed is not None:
        index, offset, placed = placed
        offsets[index] = offset
    return offsets
