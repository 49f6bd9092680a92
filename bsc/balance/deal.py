"""The order of channels that shares the stored blocks of their weights evenly.

The units of channels (granules, or larger blocks) are sorted by the work that they are, and
dealt to the rows of cores in turns, there and back.  So the rows have about the same work,
and as each row has its heaviest units first, they also have it in each pass over COUT,
whatever the passes turn out to be.  Where they are known, the order is refined (`refine`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bsc.asm.program import IntArray
from bsc.balance.links import Group, Links, Maker, Part
from bsc.balance.refine import Inputs, Outputs, refined, together
from bsc.geometry import CHANNEL_GRANULE, ceil_div
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.from_ir import layer_shape

Made = tuple[Part, Maker]
"""A part of an axis of a weight, and an operation that computes or reads it."""


@dataclass(frozen=True)
class Order:
    """A class of parts, and for each of their granules the one that comes there."""

    group: Group
    granules: IntArray


def orders(links: Links) -> Iterator[Order]:
    """The orders that change anything, each made with Γ as it is when it is asked for."""
    for group in links.groups():
        if not group.fixed and (found := _order(links, group)) is not None:
            yield found


def _order(links: Links, group: Group) -> Order | None:
    unit = _unit(links, group)
    made = [m for part in group.parts for m in _makers(links, part)]
    if not made or group.size < 2 * unit or any(part.lo % unit for part in group.parts):
        return None
    units = group.size // unit
    read = [m for part in group.parts for m in _readers(links, part)]
    if all(maker.op.subvolume is not None for _, maker in (*made, *read)):
        places = _refined(links, made, read, unit, units)
    else:
        places = _dealt(links, made, unit, units)
    if places is None or not (places != np.arange(units)).any():
        return None
    granules = np.arange(group.size)
    granules[: units * unit] = (places[:, None] * unit + np.arange(unit)).reshape(-1)
    return Order(group, granules)


def _refined(
    links: Links, made: Sequence[Made], read: Sequence[Made], unit: int, units: int
) -> IntArray | None:
    """The unit for each place, where passes and chunks are known."""
    if links.arch.rows == 1:
        # Whatever the order, the only row has all blocks.
        return None
    outputs = [_outputs(links, *each, unit, units) for each in made]
    inputs = [_inputs(links, *each, unit, units) for each in read]
    makers = [layer for layer in outputs if layer is not None]
    readers = [layer for layer in inputs if layer is not None]
    # A unit that is in two pieces at once has no place that another one could take.
    if len(makers) < len(outputs) or len(readers) < len(inputs):
        return None
    layers = [*makers, *together(readers)]
    if not any(np.ptp(layer.blocks, axis=0).any() for layer in layers):
        return None
    return refined(layers, units)


def _dealt(links: Links, made: Sequence[Made], unit: int, units: int) -> IntArray | None:
    """The unit for each place, such that the rows have about the same work."""
    works = [_work(links, *each, unit)[:units] for each in made]
    work = np.sum(works, axis=0)
    if not np.ptp(work):
        return None
    # All layers of a class share its order; the rows are those of the one with most to do.
    part, maker = made[int(np.argmax([w.sum() for w in works]))]
    return _deal(work, _rows_of(part, maker, unit, units))


def _split(links: Links, maker: Maker) -> ChannelSplit:
    """Passes and chunks of an operation."""
    assert maker.op.subvolume is not None
    layer = layer_shape(links.network, maker.op, links.arch)
    return ChannelSplit(layer, maker.op.subvolume.data.cout, maker.op.subvolume.data.cin)


def _factor(split: ChannelSplit) -> float:
    """How often a block is used: pixels times taps."""
    layer = split.layer
    return float(layer.sources[0].window.taps * layer.out[0] * layer.out[1])


def _outputs(links: Links, part: Part, maker: Maker, unit: int, units: int) -> Outputs | None:
    """A layer that computes a part: stored blocks by unit and chunk, and where units are; None
    if some unit is not all in one place."""
    split = _split(links, maker)
    weight = split.layer.weight
    assert weight is not None
    b0, b1 = weight.block
    starts = [bound // b1 for bound in split.chunk_bounds[:-1]]
    chunks = np.add.reduceat(weight.gamma.astype(np.int64), starts, axis=1)
    per_unit = unit * CHANNEL_GRANULE // b0
    first = (part.lo - maker.first) * CHANNEL_GRANULE // b0
    own = chunks[first : first + units * per_unit]
    blocks = own.reshape(units, per_unit, -1).sum(axis=1)
    lo, _ = split.cout_ranges
    starts_of_units = (first + np.arange(units) * per_unit) * b0
    passes, rows = _place_of(lo[:, :, 0], starts_of_units)
    last = _place_of(lo[:, :, 0], starts_of_units + unit * CHANNEL_GRANULE - 1)
    if (passes != last[0]).any() or (rows != last[1]).any():
        return None
    others = split.stored_blocks.transpose(0, 2, 1).copy()
    np.subtract.at(others, (passes, rows), blocks)
    return Outputs(blocks, passes, rows, others, _factor(split))


def _inputs(links: Links, part: Part, maker: Maker, unit: int, units: int) -> Inputs | None:
    """A layer that reads a part: stored blocks by unit, pass and row, and chunks of units; None
    if some unit is not all in one chunk."""
    split = _split(links, maker)
    weight = split.layer.weight
    assert weight is not None
    b0, b1 = weight.block
    per_unit = unit * CHANNEL_GRANULE // b1
    channel = part.lo * CHANNEL_GRANULE - links.network.weight(maker.op.weight_value).cin[0]
    own = weight.gamma[:, channel // b1 :][:, : units * per_unit].astype(np.int64)
    by_row = own.reshape(len(own), units, per_unit).sum(axis=2)
    before = np.vstack([np.zeros((1, units), np.int64), by_row.cumsum(axis=0)])
    lo, hi = (np.minimum(bound[:, :, 0], len(own) * b0) for bound in split.cout_ranges)
    blocks = (before[-(-hi // b0)] - before[lo // b0]).transpose(2, 0, 1).copy()
    places = channel + np.arange(units) * per_unit * b1
    chunks = np.searchsorted(split.chunk_bounds, places, side="right") - 1
    last = places + unit * CHANNEL_GRANULE - 1
    if (chunks != np.searchsorted(split.chunk_bounds, last, side="right") - 1).any():
        return None
    others = split.stored_blocks.transpose(1, 0, 2).copy()
    np.subtract.at(others, chunks, blocks)
    return Inputs(blocks, chunks.astype(np.int64), others, _factor(split))


def _place_of(first: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
    """The pass and the row that compute some channels; `first` are those that each pass of
    each row begins with, (passes, rows)."""
    order = np.argsort(first.reshape(-1), kind="stable")
    # Empty pieces begin where others do, and come before them.
    found = order[np.searchsorted(first.reshape(-1)[order], channels, side="right") - 1]
    passes, rows = np.unravel_index(found, first.shape)
    return passes.astype(np.int64), rows.astype(np.int64)


def _unit(links: Links, group: Group) -> int:
    """Granules that stay together: the blocks of all weights of the class."""
    size = CHANNEL_GRANULE
    for (kind, name), _, _ in group.parts:
        if kind != "tensor":
            b0, b1 = links.weights[name].block_shape
            size = math.lcm(size, b0 if kind == "cout" else b1)
    return size // CHANNEL_GRANULE


def _makers(links: Links, part: Part) -> list[tuple[Part, Maker]]:
    """The operations that compute a part of a weight's COUT."""
    kind, name = part.axis
    if kind != "cout":
        return []
    found = links.makers.get(name, [])
    return [(part, m) for m in found if m.first <= part.lo and part.hi <= m.first + m.rows[-1]]


def _readers(links: Links, part: Part) -> list[tuple[Part, Maker]]:
    """The operations that read a part of a weight's CIN."""
    kind, name = part.axis
    if kind != "cin":
        return []
    found: list[tuple[Part, Maker]] = []
    for maker in links.makers.get(name, []):
        lo, hi = maker.cin
        if lo <= part.lo * CHANNEL_GRANULE and part.hi * CHANNEL_GRANULE <= hi:
            found.append((part, maker))
    return found


def _work(links: Links, part: Part, maker: Maker, unit: int) -> IntArray:
    """Stored blocks of each unit of a part, times the pixels and taps that they are used
    for."""
    weight = links.network.weight(maker.op.weight_value)
    gamma = weight.op.gamma
    (b0, b1), (i0, i1) = weight.op.block_shape, weight.cin
    _, kh, kw, _ = weight.op.type.shape
    _, height, width, _ = maker.op.shape
    units = (part.hi - part.lo) // unit
    if gamma is None:
        return np.zeros(units, np.int64)
    stored = gamma.data.bits[:, i0 // b1 : ceil_div(i1, b1)].sum(axis=1)
    per_unit = unit * CHANNEL_GRANULE // b0
    first = part.lo * CHANNEL_GRANULE // b0
    own = stored[first : first + units * per_unit]
    own = np.pad(own, (0, units * per_unit - len(own)))
    return own.reshape(units, per_unit).sum(axis=1) * (kh * kw * height * width)


def _rows_of(part: Part, maker: Maker, unit: int, units: int) -> list[int]:
    """The row of cores that each place of a part belongs to."""
    granules = part.lo - maker.first + np.arange(units) * unit
    return (np.searchsorted(maker.rows, granules, side="right") - 1).tolist()


def _deal(work: IntArray, rows: list[int]) -> IntArray:
    """The units for the places, whose rows are given: the heaviest first, to each row in
    turn, there and back."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row, []).append(place)
    turns: list[int] = []
    for turn in range(max(len(p) for p in places.values())):
        level = [p[turn] for p in places.values() if turn < len(p)]
        turns += level[::-1] if turn % 2 else level
    dealt = np.empty(len(rows), np.int64)
    dealt[turns] = np.argsort(-np.asarray(work), kind="stable")
    return dealt
