"""Buffers with live ranges in one memory: the problem, its bound, and what a solution must be.

Two buffers that are live at the same time must not share a byte.  Times are whole numbers
without unit; only their order matters.  Known as dynamic storage allocation, or as strip
packing of rectangles that can move up and down only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bsc.errors import BscError


class Buffer(NamedTuple):
    """`size` bytes that are live from time `lower` until just before time `upper`.

    `fixed` is the offset of a buffer that somebody has placed already.
    """

    name: str
    lower: int
    upper: int
    size: int
    fixed: int | None = None


class Packing(NamedTuple):
    """Offsets in the order of the buffers; `failed` is the index of a buffer that found no
    room (its offset and those of others are then missing: None), and `impossible` tells
    whether it is certain that no packing exists."""

    offsets: list[int | None]
    failed: int | None
    impossible: bool = False


class Section(NamedTuple):
    """Times `lower` to `upper` at which the same buffers are live, `load` bytes together."""

    lower: int
    upper: int
    load: int


def busiest(buffers: Sequence[Buffer], align: int = 1) -> Section:
    """The first of the sections with the most bytes: no packing is lower than its load.

    With an alignment, every buffer but the topmost takes whole multiples of it.
    """
    changes: dict[int, int] = {}
    for b in buffers:
        changes[b.lower] = changes.get(b.lower, 0) + aligned(b.size, align)
        changes[b.upper] = changes.get(b.upper, 0) - aligned(b.size, align)
    times = sorted(changes)
    loads = itertools.accumulate(changes[time] for time in times[:-1])
    spans = itertools.pairwise(times)
    sections = [Section(*span, load) for span, load in zip(spans, loads, strict=True)]
    best = Section(0, 0, 0)
    for section in sorted(sections, key=lambda section: -section.load):
        if section.load <= best.load:
            break
        live = (b.size for b in buffers if b.lower <= section.lower < b.upper)
        load = section.load - max((aligned(size, align) - size for size in live), default=0)
        if load > best.load:
            best = section._replace(load=load)
    return best


def aligned(size: int, align: int) -> int:
    """The least multiple of `align` that is not below `size`."""
    return -(-size // align) * align


def components(buffers: Sequence[Buffer]) -> Iterator[list[int]]:
    """The indices of buffers in groups, so that no two groups are live at the same time."""
    group: list[int] = []
    end: int | None = None
    for index in sorted(range(len(buffers)), key=lambda i: (buffers[i].lower, i)):
        if end is not None and buffers[index].lower >= end:
            yield group
            group, end = [], None
        group.append(index)
        end = max(buffers[index].upper, end or buffers[index].upper)
    if group:
        yield group


def height(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    """The bytes of memory that a packing uses."""
    return max((o + b.size for b, o in zip(buffers, offsets, strict=True)), default=0)


def check(
    buffers: Sequence[Buffer], offsets: Sequence[int], capacity: int, circular: bool = False
) -> None:
    """Verify a packing, independently of how it was found.  Raises BscError.

    In a circular memory a buffer may go on at 0 where the memory ends.
    """
    pieces: list[tuple[int, int, Buffer]] = []
    for offset, b in sorted(zip(offsets, buffers, strict=True)):
        end = offset + b.size
        if offset < 0 or (end > capacity and not circular):
            raise BscError(f"{b.name} ends at {end}, the memory at {capacity}")
        if circular and b.size > 0 and (offset >= capacity or b.size > capacity):
            raise BscError(f"{b.name} of {b.size} bytes at {offset}: the memory has {capacity}")
        pieces.append((offset, min(end, capacity), b))
        if end > capacity:
            pieces.append((0, end - capacity, b))
    pieces.sort(key=lambda piece: piece[:2])
    for i, (_, end, b) in enumerate(pieces):
        for start, _, other in pieces[i + 1 :]:
            if start >= end:
                break
            if b.lower < other.upper and other.lower < b.upper:
                raise BscError(f"{b.name} and {other.name} overlap at 0x{start:x}")


def memory_map(buffers: Sequence[Buffer], offsets: Sequence[int | None], time: int) -> str:
    """The buffers that are live at `time`, by address: name, addresses, bytes."""
    live = [
        (offset, b)
        for b, offset in zip(buffers, offsets, strict=True)
        if b.lower <= time < b.upper
    ]
    live.sort(key=lambda pair: (pair[0] is None, pair[0] or 0))
    lines: list[str] = []
    for offset, b in live:
        where = "no room" if offset is None else f"0x{offset:05x}-0x{offset + b.size:05x}"
        lines.append(f"  {where:<17}  {b.size:>9} bytes  {b.name}")
    return "\n".join(lines)
