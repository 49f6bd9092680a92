"""A finer balance, once it is known what is computed at once.

With a subvolume, a layer is passes over COUT and chunks of CIN, and a pass takes for each
chunk as long as the row of cores with most stored blocks in it:

    cost = sum over passes p and chunks k of  max over rows r of  blocks[p, r, k]

The order of the output channels says which pass and row has which blocks, that of the input
channels which chunk.  Two units of channels at a time change places, always the two that
lower the cost most for the first of them, until a round over all units changes nothing.  No
chunk's fullest piece gets fuller, so that the subvolume still fits the cores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bsc.asm.program import IntArray

_ROUNDS = 12
"""Rounds over all units, at most."""

Cost = npt.NDArray[np.float64]


class Layer(Protocol):
    """A layer, seen from the units that change places."""

    def gains(self, a: int) -> Cost:
        """How much the cost falls if the unit at place `a` and each other one change places;
        negative infinity if something would get fuller than the fullest."""
        ...

    def swap(self, a: int, b: int) -> None:
        """Let two units change places."""
        ...


@dataclass
class Outputs:
    """A layer that computes the units: `blocks` (units, chunks) in the order in which the
    units lie now, the pass and the row of each place, what other channels have of them
    (passes, rows, chunks), and what a block costs."""

    blocks: IntArray
    passes: IntArray
    rows: IntArray
    others: IntArray
    factor: float

    def __post_init__(self) -> None:
        self.sums = self.others.copy()
        np.add.at(self.sums, (self.passes, self.rows), self.blocks)
        self.limit: IntArray = self.sums.max(axis=(0, 1))
        self.limit[1:] = self.limit.max()
        self._summed()

    def _summed(self) -> None:
        """What follows from the sums, which change much more rarely than they are asked for."""
        self.fullest: IntArray = self.sums.max(axis=1)
        without = _without_each(self.sums)
        self.without_own = without[self.passes, self.rows]
        self.fullest_own = self.fullest[self.passes]
        self.without = without
        self.left = self.sums[self.passes, self.rows] - self.blocks

    def gains(self, a: int) -> Cost:
        """See `Layer`."""
        p, r = self.passes[a], self.rows[a]
        new_a = self.sums[p, r] - self.blocks[a] + self.blocks
        new_b = self.left + self.blocks[a]
        there = self.fullest_own - np.maximum(new_b, self.without_own)
        here = self.fullest[p] - np.maximum(new_a, self.without[p, r])
        gain = (here + there).sum(axis=1).astype(np.float64)
        # Both in one pass: the two rows have to be looked at together.
        same = self.passes == p
        both = np.maximum(new_a[same], new_b[same])
        rest = _without_each(np.delete(self.sums[p], r, axis=0)[None])[0]
        place = self.rows[same] - (self.rows[same] > r)
        known = np.minimum(place, len(rest) - 1)
        both = np.maximum(both, rest[known]) if len(rest) else both
        gain[same] = (self.fullest[p] - both).sum(axis=1)
        worse = (new_a > self.limit).any(axis=1) | (new_b > self.limit).any(axis=1)
        gain[worse] = -np.inf
        gain[same & (self.rows == r)] = 0.0
        return gain * self.factor

    def swap(self, a: int, b: int) -> None:
        """See `Layer`."""
        change = self.blocks[b] - self.blocks[a]
        self.sums[self.passes[a], self.rows[a]] += change
        self.sums[self.passes[b], self.rows[b]] -= change
        self.blocks[[a, b]] = self.blocks[[b, a]]
        self._summed()


@dataclass
class Inputs:
    """A layer that reads the units: `blocks` (units, passes, rows) in the order in which the
    units lie now, the chunk of each place, what other channels have (chunks, passes, rows),
    and what a block costs.  Or several such layers: `starts` are the first passes of each."""

    blocks: IntArray
    chunks: IntArray
    others: IntArray
    factor: float
    starts: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        self.sums = self.others.copy()
        np.add.at(self.sums, self.chunks, self.blocks)
        fullest = np.maximum.reduceat(self.sums.max(axis=2), self.starts, axis=1)
        fullest[1:] = fullest.max(axis=0)
        passes = np.diff([*self.starts, self.sums.shape[1]])
        self.limit: IntArray = np.repeat(fullest, passes, axis=1)
        self._summed()

    def _summed(self) -> None:
        """What follows from the sums, which change much more rarely than they are asked for."""
        self.cost: IntArray = self.sums.max(axis=2).sum(axis=1)
        self.left = self.sums[self.chunks] - self.blocks

    def gains(self, a: int) -> Cost:
        """See `Layer`."""
        chunk = self.chunks[a]
        new_a = (self.sums[chunk] - self.blocks[a] + self.blocks).max(axis=2)
        new_b = (self.left + self.blocks[a]).max(axis=2)
        after = new_a.sum(axis=1) + new_b.sum(axis=1)
        gain = (self.cost[chunk] + self.cost[self.chunks] - after).astype(np.float64)
        worse = (new_a > self.limit[chunk]).any(axis=1)
        worse |= (new_b > self.limit[self.chunks]).any(axis=1)
        gain[worse] = -np.inf
        gain[self.chunks == chunk] = 0.0
        return gain * self.factor

    def swap(self, a: int, b: int) -> None:
        """See `Layer`."""
        change = self.blocks[b] - self.blocks[a]
        self.sums[self.chunks[a]] += change
        self.sums[self.chunks[b]] -= change
        self.blocks[[a, b]] = self.blocks[[b, a]]
        self._summed()


def together(layers: Iterable[Inputs]) -> list[Inputs]:
    """Layers that read the units in the same chunks as one, as the pieces of a large layer
    mostly do: each look at two units is then a look at all of them."""
    alike: dict[object, list[Inputs]] = {}
    for layer in layers:
        chunks, _, rows = layer.others.shape
        key = layer.chunks.tobytes(), chunks, rows, layer.factor
        alike.setdefault(key, []).append(layer)
    found: list[Inputs] = []
    for group in alike.values():
        ends = np.cumsum([layer.blocks.shape[1] for layer in group])
        blocks = np.concatenate([layer.blocks for layer in group], axis=1)
        others = np.concatenate([layer.others for layer in group], axis=1)
        starts = (0, *ends[:-1].tolist())
        found.append(Inputs(blocks, group[0].chunks, others, group[0].factor, starts))
    return found


def _without_each(sums: IntArray) -> IntArray:
    """The largest of all other rows, for each row: (passes, rows, chunks); 0 without any."""
    rows = sums.shape[1]
    if rows < 2:
        return np.zeros_like(sums)
    order = np.sort(sums, axis=1)
    first, second = order[:, -1:], order[:, -2:-1]
    # Where two share the largest, either is what is left without the other.
    return np.where(sums == first, second, first)


def refined(layers: Sequence[Layer], units: int) -> IntArray:
    """The unit for each place, such that all layers together cost little."""
    order = np.arange(units)
    for _ in range(_ROUNDS):
        changed = False
        for a in range(units):
            gains = np.sum([layer.gains(a) for layer in layers], axis=0)
            b = int(gains.argmax())
            if gains[b] > 0:
                for layer in layers:
                    layer.swap(a, b)
                order[[a, b]] = order[[b, a]]
                changed = True
        if not changed:
            break
    return order
