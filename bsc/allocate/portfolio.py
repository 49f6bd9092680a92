"""The portfolio: quick orders of first fit, then orders mended, then the exact search.

Buffers that are never live together do not meet: each group of them is packed by itself.
Work is bounded by steps (placements that are tried), never by a clock, so that the same
problem has the same packing on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bsc.allocate.greedy import best_order, mended
from bsc.allocate.problem import Buffer, Packing, aligned, busiest, components, height
from bsc.allocate.skyline import search

Tell = Callable[[int], None]
"""Is told how many steps have been taken."""


def pack(
    buffers: Sequence[Buffer],
    capacity: int,
    align: int = 1,
    steps: int = 0,
    circular: bool = False,
    tell: Tell | None = None,
) -> Packing:
    """Offsets below `capacity`, multiples of `align`, for all buffers.

    Without `steps`, by first fit alone; with them, and at most so many for each group of
    buffers that meet, by the search too.  If no packing is found: what first fit placed, in
    the order that got furthest, with the first buffer that failed.  In a circular memory
    first fit lets a buffer wrap around; the search does not use that.
    """
    offsets: list[int | None] = [None] * len(buffers)
    for group in components(buffers):
        some = [buffers[index] for index in group]
        packing = _pack_group(some, capacity, align, steps, circular, tell)
        for index, offset in zip(group, packing.offsets, strict=True):
            offsets[index] = offset
        if packing.failed is not None:
            return Packing(offsets, group[packing.failed], packing.impossible)
    return Packing(offsets, None)


def _pack_group(
    buffers: Sequence[Buffer],
    capacity: int,
    align: int,
    steps: int,
    circular: bool,
    tell: Tell | None,
) -> Packing:
    packing = best_order(buffers, capacity, align, circular)
    if packing.failed is None:
        return packing
    if busiest(buffers, align).load > capacity:
        return packing._replace(impossible=True)
    if not steps:
        return packing
    better = mended(buffers, capacity, align, circular)
    if better is not None:
        return better
    # The search sets nothing on what hangs in the air, and works with whole multiples of
    # the alignment.
    if any(b.fixed is not None for b in buffers):
        return packing
    solid = [index for index, b in enumerate(buffers) if b.size]
    ranges = [(b.lower, b.upper, aligned(b.size, align) // align) for b in buffers if b.size]
    result = search(ranges, capacity // align, steps, tell)
    if result.offsets is not None:
        offsets: list[int | None] = [0] * len(buffers)
        for index, offset in zip(solid, result.offsets, strict=True):
            offsets[index] = offset * align
        return Packing(offsets, None)
    whole = all(b.size % align == 0 for b in buffers)
    return packing._replace(impossible=result.complete and whole and not circular)


def least(
    buffers: Sequence[Buffer], align: int = 1, steps: int = 0, tell: Tell | None = None
) -> Packing:
    """A packing as low as can be found: at the lower bound if possible, else by bisection
    between that and what first fit needs.  Each height that is tried may take half of the
    steps that are left."""
    room = sum(aligned(b.size, align) for b in buffers)
    top = max((b.fixed + b.size for b in buffers if b.fixed is not None), default=0)
    best = pack(buffers, room + top, align)
    low, high = max(busiest(buffers, align).load, top), height(buffers, found(best))
    capacity, taken = low, 0
    while low < high and steps:
        share = (steps - taken) // 2
        packing = pack(buffers, capacity, align, share, tell=_after(taken, tell))
        taken += share
        if packing.failed is None:
            best, high = packing, height(buffers, found(packing))
        else:
            low = capacity + 1
        if high - low < high // _PRECISION:
            break
        capacity = (low + high) // 2
    return best


_PRECISION = 200
"""Bisection stops where less than one part in this many could be won."""


def _after(taken: int, tell: Tell | None) -> Tell | None:
    return None if tell is None else lambda steps: tell(taken + steps)


def found(packing: Packing) -> list[int]:
    """The offsets of a packing in which every buffer found room."""
    return [offset for offset in packing.offsets if offset is not None]
