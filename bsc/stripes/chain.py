"""Chains of layers, and which rows of each a stripe needs.

A chain is a run of operations in the order of the network.  Only its last tensor is read by
others; all the tensors before it are read within the chain.  Branches are part of it if
both their ends are.

Neighbouring stripes need some of the same rows, as windows overlap.  These rows are computed
again, or *kept*: copied from what the stripe before has made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from xdsl.dialects.builtin import i32

from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import Axis
from bsc.splitting import H, splittable
from bsc.storage import Storage, Storages


class Rows(NamedTuple):
    """Rows [lo, hi) of a tensor."""

    lo: int
    hi: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.hi - self.lo


class Need(NamedTuple):
    """What an operation reads along H: a tensor of the chain by its number (None is one from
    outside), the window, and the rows that there are."""

    source: int | None
    axis: Axis
    height: int


class Step(NamedTuple):
    """An operation of a chain, the number of the tensor that it writes, and what it reads,
    operand by operand."""

    op: ComputeOp
    target: int
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Chain:
    """Operations in order, and the tensors that they write; `output` is the number of the
    tensor that others read."""

    steps: tuple[Step, ...]
    storages: tuple[Storage, ...]
    output: int

    @property
    def height(self) -> int:
        """Rows of the output."""
        return shape_of(self.storages[self.output].type)[H]

    @cached_property
    def keeps(self) -> tuple[bool, ...]:
        """Whether rows of each tensor can be copied from stripe to stripe."""
        return tuple(map(self._keeps, range(len(self.storages))))

    def _keeps(self, tensor: int) -> bool:
        """Int8 of the inside, whose makers share all of W over the columns."""
        storage = self.storages[tensor]
        if tensor == self.output or storage.type.element_type == i32:
            return False
        width = shape_of(storage.type)[2]
        return all(write.box.sizes[2] == width for write in storage.writes)


class Stripe(NamedTuple):
    """What a stripe has of each tensor, and the part of it that it computes; None for
    tensors of which it needs no (new) rows."""

    held: tuple[Rows | None, ...]
    computed: tuple[Rows | None, ...]


def stripes_of(chain: Chain, bounds: Sequence[int], keep: bool) -> list[Stripe] | None:
    """The stripes with these boundaries of rows of the output; None if some operation would
    read nothing but padding."""
    done = [0] * len(chain.storages)
    found: list[Stripe] = []
    for lo, hi in pairwise(bounds):
        stripe = _stripe(chain, Rows(lo, hi), done if keep else [0] * len(done))
        if stripe is None:
            return None
        found.append(stripe)
        done = [max(d, r.hi if r else 0) for d, r in zip(done, stripe.held, strict=True)]
    return found


def _stripe(chain: Chain, rows: Rows, done: list[int]) -> Stripe | None:
    held: list[Rows | None] = [None] * len(chain.storages)
    computed: list[Rows | None] = [None] * len(chain.storages)
    held[chain.output] = rows
    # Backwards, so that all readers of a tensor have said what they need.
    for _, target, needs in reversed(chain.steps):
        needed = held[target]
        if needed is None:
            continue
        again = done[target] <= needed.lo or not chain.keeps[target]
        first = needed.lo if again else done[target]
        if first >= needed.hi:
            continue
        computed[target] = Rows(first, needed.hi)
        for source, axis, height in needs:
            span = axis.source(first, needed.hi, height)
            if not span.size:
                return None
            if source is not None:
                held[source] = _hull(held[source], Rows(span.lo, span.hi))
    return Stripe(tuple(held), tuple(computed))


def _hull(a: Rows | None, b: Rows) -> Rows:
    return b if a is None else Rows(min(a.lo, b.lo), max(a.hi, b.hi))


class Chains:
    """Finds chains in a network."""

    def __init__(self, storages: Storages):
        self.storages = storages
        self.steps = storages.steps
        self.written: list[Storage] = [s for s in storages.by_root.values() if s.writes]
        self.target = {w.step: i for i, s in enumerate(self.written) for w in s.writes}
        number = {id(s): i for i, s in enumerate(self.written)}
        self.needs: list[tuple[Need, ...]] = []
        for op in self.steps:
            reads = [(storages.find(read.value)[0], read.window.h) for read in op.reads()]
            heights = [shape_of(s.type)[H] for s, _ in reads]
            self.needs.append(
                tuple(
                    Need(number.get(id(s)), axis, height)
                    for (s, axis), height in zip(reads, heights, strict=True)
                )
            )
        self.eligible = [self._is_eligible(step) for step in range(len(self.steps))]

    def _is_eligible(self, step: int) -> bool:
        """Whether an operation can be cut along H, and writes all rows of a tensor from all
        rows of others."""
        op, storage = self.steps[step], self.written[self.target[step]]
        (own,) = (w for w in storage.writes if w.step == step)
        if not splittable(op, H) or own.box.sizes[H] != shape_of(storage.type)[H]:
            return False
        if own.box.steps != (1, 1):
            return False
        boxes = (self.storages.find(read.value) for read in op.reads())
        return all(box.sizes[H] == shape_of(s.type)[H] for s, box in boxes)

    def ending_at(self, last: int, longest: int) -> Iterator[int]:
        """The first steps of all chains of two steps or more that end at a step."""
        output = self.target[last]
        if not self.eligible[last] or self.written[output].writes[-1].step != last:
            return
        begin = last
        for first in range(last, max(-1, last - longest), -1):
            tensor = self.target[first]
            if not self.eligible[first] or (tensor != output and self._leaves(tensor, last)):
                return
            begin = min(begin, self.written[tensor].writes[0].step)
            if begin >= first and first < last:
                yield first

    def _leaves(self, tensor: int, last: int) -> bool:
        """Whether somebody reads a tensor after a step."""
        storage = self.written[tensor]
        return storage.returned or any(read.step > last for read in storage.reads)

    def chain(self, first: int, last: int) -> Chain:
        """The chain of some steps, both ends included."""
        inside = range(first, last + 1)
        tensors = list(dict.fromkeys(self.target[step] for step in inside))
        number: dict[int | None, int] = {tensor: i for i, tensor in enumerate(tensors)}
        steps = tuple(
            Step(
                self.steps[step],
                number[self.target[step]],
                tuple(n._replace(source=number.get(n.source)) for n in self.needs[step]),
            )
            for step in inside
        )
        storages = tuple(self.written[tensor] for tensor in tensors)
        return Chain(steps, storages, number[self.target[last]])
