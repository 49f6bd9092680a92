"""Packing buffers with live ranges into one memory: coloring with intervals of addresses.

Two buffers that are live at the same step must not share a byte.  First fit in one order
after another (by size, by area, by start, by length of life); the first order that fits
is taken.  The core stands alone: buffers in, offsets out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bsc.errors import BscError


class Buffer(NamedTuple):
    """`size` bytes that are live in the steps `lower` to `upper`, both included.

    `fixed` is the offset of a buffer that somebody has placed already.
    """

    name: str
    lower: int
    upper: int
    size: int
    fixed: int | None = None


class Packing(NamedTuple):
    """Offsets in the order of the buffers; `failed` is the index of a buffer that found no
    room (its offset and those of others are then missing: None)."""

    offsets: list[int | None]
    failed: int | None


_ORDERS: tuple[Callable[[Buffer], tuple[int, int]], ...] = (
    lambda b: (-b.size, b.lower),
    lambda b: (-b.size * (b.upper - b.lower + 1), b.lower),
    lambda b: (b.lower, -b.size),
    lambda b: (b.lower - b.upper, -b.size),
)


def pack(buffers: Sequence[Buffer], capacity: int, align: int = 1) -> Packing:
    """Offsets below `capacity` for all buffers, if some order of first fit finds them.

    Otherwise the packing of the order that got furthest, with the buffer that failed.
    """
    best: Packing | None = None
    for order in _ORDERS:
        packing = _first_fit(buffers, capacity, align, order)
        if packing.failed is None:
            return packing
        if best is None or _placed(packing) > _placed(best):
            best = packing
    assert best is not None
    return best


def _placed(packing: Packing) -> int:
    return sum(offset is not None for offset in packing.offsets)


def _first_fit(
    buffers: Sequence[Buffer],
    capacity: int,
    align: int,
    order: Callable[[Buffer], tuple[int, int]],
) -> Packing:
    offsets: list[int | None] = [b.fixed for b in buffers]
    placed = sorted(
        (b.fixed, b.fixed + b.size, b.lower, b.upper) for b in buffers if b.fixed is not None
    )
    for index in sorted(range(len(buffers)), key=lambda i: (*order(buffers[i]), i)):
        b = buffers[index]
        if b.fixed is not None:
            continue
        offset = 0
        # Placed buffers by address: the first gap that is long enough is taken.
        for start, end, lower, upper in placed:
            if lower <= b.upper and b.lower <= upper:
                if start - offset >= b.size:
                    break
                offset = max(offset, -(-end // align) * align)
        if offset + b.size > capacity:
            return Packing(offsets, index)
        offsets[index] = offset
        placed.append((offset, offset + b.size, b.lower, b.upper))
        placed.sort()
    return Packing(offsets, None)


def check(buffers: Sequence[Buffer], offsets: Sequence[int], capacity: int) -> None:
    """Verify a packing, independently of how it was found.  Raises BscError."""
    placed = sorted(zip(offsets, buffers, strict=True))
    for i, (offset, b) in enumerate(placed):
        if offset < 0 or offset + b.size > capacity:
            raise BscError(f"{b.name} ends at {offset + b.size}, the memory at {capacity}")
        for other_offset, other in placed[i + 1 :]:
            if other_offset >= offset + b.size:
                break
            if b.lower <= other.upper and other.lower <= b.upper:
                raise BscError(f"{b.name} and {other.name} overlap at 0x{other_offset:x}")


def memory_map(buffers: Sequence[Buffer], offsets: Sequence[int | None], step: int) -> str:
    """The buffers that are live at `step`, by address: name, addresses, bytes."""
    live = [
        (offset, b)
        for b, offset in zip(buffers, offsets, strict=True)
        if b.lower <= step <= b.upper
    ]
    live.sort(key=lambda pair: (pair[0] is None, pair[0] or 0))
    lines: list[str] = []
    for offset, b in live:
        where = "no room" if offset is None else f"0x{offset:05x}-0x{offset + b.size:05x}"
        lines.append(f"  {where:<17}  {b.size:>9} bytes  {b.name}")
    return "\n".join(lines)
