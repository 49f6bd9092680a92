"""First fit: buffers in some order, each at the lowest offset that is free while it lives.

Four orders are tried: by size, by area, by start, by length of life.  Where all of them
fail, the order that got furthest is *mended*: what found no room goes to the front, and so
on for some rounds.  An order that was bad for a buffer is soon one that is good for it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from bsc.allocate.problem import Buffer, Packing, aligned

_ORDERS: tuple[Callable[[Buffer], tuple[int, int]], ...] = (
    lambda b: (-b.size, b.lower),
    lambda b: (-b.size * (b.upper - b.lower), b.lower),
    lambda b: (b.lower, -b.size),
    lambda b: (b.lower - b.upper, -b.size),
)
_ROUNDS = 24


def orders(buffers: Sequence[Buffer]) -> list[list[int]]:
    """The indices of the buffers in each of the orders."""
    numbers = range(len(buffers))
    return [sorted(numbers, key=lambda i: (*key(buffers[i]), i)) for key in _ORDERS]


def best_order(
    buffers: Sequence[Buffer], capacity: int, align: int, circular: bool = False
) -> Packing:
    """The packing of the first order that fits, else that of the one that got furthest."""
    best: Packing | None = None
    for order in orders(buffers):
        packing = first_fit(buffers, capacity, align, order, circular)
        if packing.failed is None:
            return packing
        if best is None or _placed(packing) > _placed(best):
            best = packing
    assert best is not None
    return best


def mended(
    buffers: Sequence[Buffer], capacity: int, align: int, circular: bool = False
) -> Packing | None:
    """A packing in an order that was mended, if that finds one."""
    for order in orders(buffers):
        for _ in range(_ROUNDS):
            packing = first_fit(buffers, capacity, align, order, circular)
            if packing.failed is None:
                return packing
            order.remove(packing.failed)
            order.insert(0, packing.failed)
    return None


def _placed(packing: Packing) -> int:
    return sum(offset is not None for offset in packing.offsets)


def first_fit(
    buffers: Sequence[Buffer],
    capacity: int,
    align: int,
    order: Sequence[int],
    circular: bool = False,
) -> Packing:
    """First fit in one order, up to the first buffer that finds no room.

    In a circular memory a buffer that starts below `capacity` may end beyond it, which is
    from 0 on.
    """
    offsets: list[int | None] = [b.fixed for b in buffers]
    placed: list[tuple[int, int, int, int]] = []
    for b in buffers:
        if b.fixed is not None:
            _occupy(placed, b.fixed, b, capacity if circular else 0)
    for index in order:
        b = buffers[index]
        if b.fixed is not None:
            continue
        offset = _lowest(placed, b, align)
        end = offset + b.size
        fits = offset < capacity and b.size <= capacity if circular else end <= capacity
        if not fits:
            return Packing(offsets, index)
        offsets[index] = offset
        _occupy(placed, offset, b, capacity if circular else 0)
    return Packing(offsets, None)


def _lowest(placed: Sequence[tuple[int, int, int, int]], b: Buffer, align: int) -> int:
    """The first gap that is long enough; `placed` is sorted by address."""
    offset = 0
    for start, end, lower, upper in placed:
        if lower < b.upper and b.lower < upper:
            if start - offset >= b.size:
                break
            offset = max(offset, aligned(end, align))
    return offset


def _occupy(
    placed: list[tuple[int, int, int, int]], offset: int, b: Buffer, around: int
) -> None:
    """Enter a buffer; in a circular memory of `around` bytes, one turn lower and higher too,
    so that what crosses the end is met at both ends."""
    for turn in (-around, 0, around) if around else (0,):
        start = offset + turn
        bisect.insort(placed, (start, start + b.size, b.lower, b.upper))
