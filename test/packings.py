"""Perfect packings, cut from one rectangle of time x memory at random: problems without slack.

Each cut divides a rectangle in two, by time or by address, or in five, as a pinwheel: four
around one in the middle, which no straight cut takes apart.  What is left in the end is
shuffled, and only the live ranges and the sizes are handed on.
"""

from __future__ import annotations

import random

from bsc.allocate import Buffer

Rectangle = tuple[int, int, int, int]
"""From and to in time, from and to in memory."""


def perfect_packing(
    seed: int, count: int, times: int, capacity: int, pinwheels: float = 0.0
) -> list[Buffer]:
    """At least `count` buffers (up to three more) that fill `times` x `capacity` to the brim.

    `pinwheels` is the share of the cuts that make one.  Larger rectangles are cut first, so
    that the areas differ by some powers of ten but are not a few giants and dust.
    """
    draw = random.Random(seed)
    pieces: list[Rectangle] = [(0, times, 0, capacity)]
    while len(pieces) < count:
        areas = [(t1 - t0) * (m1 - m0) * draw.random() for t0, t1, m0, m1 in pieces]
        chosen = areas.index(max(areas))
        pieces[chosen : chosen + 1] = _cut(pieces[chosen], draw, pinwheels)
    draw.shuffle(pieces)
    return [Buffer(f"b{i}", p[0], p[1], p[3] - p[2]) for i, p in enumerate(pieces)]


def _cut(piece: Rectangle, draw: random.Random, pinwheels: float) -> list[Rectangle]:
    t0, t1, m0, m1 = piece
    if draw.random() < pinwheels and t1 - t0 > 2 and m1 - m0 > 2:
        return _pinwheel(piece, draw)
    by_time = draw.random() < 0.5
    if by_time and t1 - t0 > 1:
        t = draw.randrange(t0 + 1, t1)
        return [(t0, t, m0, m1), (t, t1, m0, m1)]
    if not by_time and m1 - m0 > 1:
        m = draw.randrange(m0 + 1, m1)
        return [(t0, t1, m0, m), (t0, t1, m, m1)]
    return [piece]


def _pinwheel(piece: Rectangle, draw: random.Random) -> list[Rectangle]:
    t0, t1, m0, m1 = piece
    ta, tb = sorted(draw.sample(range(t0 + 1, t1), 2))
    ma, mb = sorted(draw.sample(range(m0 + 1, m1), 2))
    middle = (ta, tb, ma, mb)
    if draw.random() < 0.5:
        return [(t0, tb, m0, ma), (tb, t1, m0, mb), (ta, t1, mb, m1), (t0, ta, ma, m1), middle]
    return [(t0, ta, m0, mb), (t0, tb, mb, m1), (tb, t1, ma, m1), (ta, t1, m0, ma), middle]
