"""Which channels must change their order together.

An *axis* is what channels are counted along: those of a tensor, COUT or CIN of a weight.
Operations link axes: a convolution links its input with CIN of the weight and COUT with its
output, everything that works channel by channel links its inputs with its output.  Slices
link parts.  All axes are cut where any link begins or ends, and the pieces that are linked
form a class: one order for all of them.

Channels are counted in granules of eight; what is left of one at the end of an axis stays
where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from bsc.arch import Arch
from bsc.dialects.bsw import Range, WeightOp
from bsc.dialects.network import Network
from bsc.dialects.qnn import Conv2dOp, WeightedOp
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import CHANNEL_GRANULE
from bsc.storage import Storage, Storages

Axis = tuple[str, str]
"""("tensor", number of the storage), ("cout", symbol) or ("cin", symbol)."""


class Part(NamedTuple):
    """Granules [lo, hi) of an axis."""

    axis: Axis
    lo: int
    hi: int


class Maker(NamedTuple):
    """An operation that computes the channels of a part of COUT of its weight, beginning with
    granule `first`; its shares of the rows of cores, in granules from there; and the input
    channels [lo, hi) that it reads."""

    op: WeightedOp
    first: int
    rows: tuple[int, ...]
    cin: Range


@dataclass
class Group:
    """Parts of axes that have one order."""

    parts: list[Part] = field(default_factory=list[Part])
    fixed: bool = False

    @property
    def size(self) -> int:
        """Granules of each part."""
        return self.parts[0].hi - self.parts[0].lo


class Links:
    """The axes of a network, and what links them."""

    def __init__(self, network: Network, arch: Arch):
        self.network, self.arch = network, arch
        self.storages = Storages(network)
        self.by_number: list[Storage] = list(self.storages.by_root.values())
        self.number = {id(s): i for i, s in enumerate(self.by_number)}
        self.size: dict[Axis, int] = {}
        self.bounds: dict[Axis, set[int]] = {}
        self.links: list[tuple[Axis, int, Axis, int, int]] = []
        self.fixed: list[Part] = []
        self.makers: dict[str, list[Maker]] = {}
        self.weights: dict[str, WeightOp] = {}
        for storage in self.by_number:
            axis = self._tensor(storage)
            if storage.is_input or storage.returned:
                self._fix(axis, 0, self.size[axis])
        for op in self.storages.steps:
            self._add(op)
        self._spread_bounds()

    # Axes --------------------------------------------------------------------------------

    def _axis(self, axis: Axis, channels: int) -> Axis:
        """An axis; what is left of a granule at its end stays where it is."""
        if axis not in self.size:
            whole = channels // CHANNEL_GRANULE
            self.size[axis] = -(-channels // CHANNEL_GRANULE)
            self.bounds[axis] = {0, whole, self.size[axis]}
            if whole < self.size[axis]:
                self._fix(axis, whole, self.size[axis])
        return axis

    def _tensor(self, storage: Storage) -> Axis:
        return self._axis(("tensor", str(self.number[id(storage)])), shape_of(storage.type)[3])

    def _fix(self, axis: Axis, lo: int, hi: int) -> None:
        self.bounds[axis] |= {lo, hi}
        self.fixed.append(Part(axis, lo, hi))

    def _link(self, a: Axis, first_a: int, b: Axis, first_b: int, channels: int) -> None:
        """Channels of one axis are channels of another."""
        if first_a % CHANNEL_GRANULE or first_b % CHANNEL_GRANULE:
            for axis, first in ((a, first_a), (b, first_b)):
                end = -(-(first + channels) // CHANNEL_GRANULE)
                self._fix(axis, first // CHANNEL_GRANULE, end)
            return
        lo_a, lo_b = first_a // CHANNEL_GRANULE, first_b // CHANNEL_GRANULE
        size = -(-channels // CHANNEL_GRANULE)
        self.bounds[a] |= {lo_a, lo_a + size}
        self.bounds[b] |= {lo_b, lo_b + size}
        self.links.append((a, lo_a, b, lo_b, size))
        # What is left of a granule at the end of a slice is not free to go elsewhere.
        if channels % CHANNEL_GRANULE:
            self._fix(a, lo_a + size - 1, lo_a + size)
            self._fix(b, lo_b + size - 1, lo_b + size)

    # Operations --------------------------------------------------------------------------

    def _add(self, op: ComputeOp) -> None:
        storage, first, channels = self._written(op)
        target = self._tensor(storage)
        if isinstance(op, WeightedOp):
            self._add_weight(op, target, first, channels)
        for read in op.reads():
            source, box = self.storages.find(read.value)
            if read.all_channels:
                self._add_input(op, self._tensor(source), box.offsets[3], box.sizes[3])
            else:
                # Fewer channels than the output has are all that there are.
                size = min(channels, box.sizes[3])
                self._link(self._tensor(source), box.offsets[3], target, first, size)

    def _written(self, op: ComputeOp) -> tuple[Storage, int, int]:
        """Where an operation's channels are in the tensor that it writes."""
        storage = self.storages.written_by(op)
        (write,) = (w for w in storage.writes if w.op is op)
        return storage, write.box.offsets[3], write.box.sizes[3]

    def _add_weight(self, op: WeightedOp, target: Axis, first: int, channels: int) -> None:
        weight = self.network.weight(op.weight_value)
        name = weight.op.sym_name.data
        self.weights[name] = weight.op
        cout = self._axis(("cout", name), weight.op.type.shape[0])
        self._axis(("cin", name), weight.op.type.shape[3])
        self._link(target, first, cout, weight.cout[0], channels)
        groups = op.group_count if isinstance(op, Conv2dOp) else 1
        if groups > 1:
            self._fix(cout, 0, self.size[cout])
            self._fix(("cin", name), 0, self.size["cin", name])
        elif op.rows is not None and weight.cout[0] % CHANNEL_GRANULE == 0:
            rows = tuple(-(-b // CHANNEL_GRANULE) for b in op.rows.data.bounds)
            maker = Maker(op, weight.cout[0] // CHANNEL_GRANULE, rows, weight.cin)
            self.makers.setdefault(name, []).append(maker)

    def _add_input(self, op: ComputeOp, source: Axis, first: int, channels: int) -> None:
        """What a convolution reads, all channels of it for each of its outputs."""
        groups = op.group_count if isinstance(op, Conv2dOp) else 1
        if not isinstance(op, WeightedOp) or groups > 1:
            self._fix(source, 0, self.size[source])
            return
        weight = self.network.weight(op.weight_value)
        axis = self._axis(("cin", weight.op.sym_name.data), weight.op.type.shape[3])
        self._link(source, first, axis, weight.cin[0], channels)

    # Classes -----------------------------------------------------------------------------

    def _spread_bounds(self) -> None:
        """A boundary on one side of a link is one on the other."""
        changed = True
        while changed:
            changed = False
            for a, lo_a, b, lo_b, size in self.links:
                for x, lo_x, y, lo_y in ((a, lo_a, b, lo_b), (b, lo_b, a, lo_a)):
                    inside = {
                        p - lo_x + lo_y for p in self.bounds[x] if lo_x <= p <= lo_x + size
                    }
                    if not inside <= self.bounds[y]:
                        self.bounds[y] |= inside
                        changed = True

    def groups(self) -> list[Group]:
        """The classes of parts, in the order of the network."""
        parts = [
            Part(axis, lo, hi)
            for axis, bounds in self.bounds.items()
            for lo, hi in pairwise(sorted(bounds))
        ]
        leader = {part: part for part in parts}

        def find(part: Part) -> Part:
            while leader[part] != part:
                leader[part] = leader[leader[part]]
                part = leader[part]
            return part

        for a, lo_a, b, lo_b, size in self.links:
            for part in self._inside(a, lo_a, lo_a + size):
                other = Part(b, part.lo - lo_a + lo_b, part.hi - lo_a + lo_b)
                leader[find(part)] = find(other)
        groups: dict[Part, Group] = {}
        for part in parts:
            groups.setdefault(find(part), Group()).parts.append(part)
        for fixed in self.fixed:
            for part in self._inside(*fixed):
                groups[find(part)].fixed = True
        return list(groups.values())

    def _inside(self, axis: Axis, lo: int, hi: int) -> Iterator[Part]:
        inside = sorted(p for p in self.bounds[axis] if lo <= p <= hi)
        return (Part(axis, a, b) for a, b in pairwise(inside))
