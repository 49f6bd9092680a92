"""Which chains are worth computing in stripes, and how many stripes they take.

A tensor that does not fit in the memtiles beside what its maker or its readers need goes to
DDR and comes back: that traffic is what a chain saves.  It costs the rows at the stripes'
boundaries, computed again or copied, and weights that come in for each stripe anew.  Of all
ways to cut the network into chains the cheapest is found by dynamic programming over its
steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

from bsc.arch import Arch
from bsc.dialects.network import Network
from bsc.dialects.placement import Spread, SpreadAxis
from bsc.geometry import Window, cut
from bsc.storage import Storage
from bsc.stripes.chain import Chain, Chains, Stripe, stripes_of
from bsc.tiling.bounds import least_s
from bsc.tiling.fit import buffer_bytes, fits, footprint, parts_of_height, shrunk
from bsc.tiling.from_ir import element_bytes, hwc, layer_shape
from bsc.tiling.layer import LayerShape, Source

_LONGEST = 32
"""Steps of the longest chain that is looked at."""


class Choice(NamedTuple):
    """A chain, its stripes, and the seconds that they save."""

    chain: Chain
    stripes: list[Stripe]
    saved_s: float


Tiled = tuple[Chain, list[Stripe]]
"""A chain and its stripes."""


def longest(
    network: Network, chains: Chains, arch: Arch, modes: Sequence[bool], rows: int
) -> list[Tiled]:
    """The longest chains that there are, in stripes of `rows` rows of their outputs, whatever
    they cost.  Of `modes` (see `choose`) each chain has the one that costs less."""
    costs, found = Costs(network, chains, arch), list[Tiled]()
    last = len(chains.steps) - 1
    while last > 0:
        for first in reversed(list(chains.ending_at(last, len(chains.steps)))):
            chain = chains.chain(first, last)
            bounds = [*range(0, chain.height, rows), chain.height]
            ways = [stripes_of(chain, bounds, keep) for keep in modes]
            striped = [stripes for stripes in ways if stripes is not None and len(stripes) > 1]
            if striped:
                found.append((chain, min(striped, key=partial(costs.extra_s, chain, first))))
                last = first
                break
        last -= 1
    return found[::-1]


def choose(network: Network, chains: Chains, arch: Arch, modes: Sequence[bool]) -> list[Tiled]:
    """The chains that save most together, in the order of the network.

    `modes` say whether rows at the boundaries may be computed again (False) or kept (True).
    """
    costs = Costs(network, chains, arch)
    # The best that can be done with the steps before each one.
    best: list[tuple[float, list[Choice]]] = [(0.0, [])]
    for last in range(len(chains.steps)):
        alone = best[last]
        top: tuple[float, list[Choice]] | None = None
        least = dict.fromkeys(modes, 1)
        # The shortest first, which is taken of equals.
        for first in chains.ending_at(last, _LONGEST):
            saved, before = best[first]
            traffic = costs.traffic_s(first, last)
            # A chain costs something: it saves no more than its traffic.
            if saved + traffic < max(alone[0], top[0] if top else 0.0):
                continue
            choice = costs.choice(first, last, traffic, least)
            if choice is not None and (top is None or saved + choice.saved_s > top[0]):
                top = saved + choice.saved_s, [*before, choice]
        best.append(top if top is not None and top[0] > alone[0] else alone)
    return [(choice.chain, choice.stripes) for choice in best[-1][1]]


class Costs:
    """What chains cost and save on a machine."""

    def __init__(self, network: Network, chains: Chains, arch: Arch):
        self.chains, self.arch = chains, arch
        self.layers = [layer_shape(network, op, arch) for op in chains.steps]
        self.tight = {step for step, layer in enumerate(self.layers) if not fits(layer, arch)}
        self.least = cache(self._least_s)
        self.parts = cache(self._parts)
        self.weights_s = cache(self._weights_s)

    def _least_s(self, step: int) -> float:
        return least_s(self.layers[step], self.arch)

    def _parts(self, step: int) -> int:
        """Pieces of H of a layer by itself."""
        return parts_of_height(self.layers[step], self.arch)

    def choice(
        self, first: int, last: int, saved: float, least: dict[bool, int]
    ) -> Choice | None:
        """The steps as a chain, in as few stripes as fit; None if it saves nothing.  `saved`
        are the seconds of its traffic.

        `least` are by mode the stripes that the next shorter chain to the same last step
        takes, and becomes those of this one: a longer one holds more, and takes no fewer.
        """
        if not saved:
            return None
        chain, found = self.chains.chain(first, last), list[Choice]()
        for keep, count in least.items():
            if not keep and saved <= self._reloads_s(chain, first, count):
                continue
            stripes = self.fewest(chain, first, keep, count)
            least[keep] = chain.height + 1 if stripes is None else len(stripes)
            if stripes is not None:
                found.append(
                    Choice(chain, stripes, saved - self.extra_s(chain, first, stripes))
                )
        best = max(found, key=lambda choice: choice.saved_s, default=None)
        return best if best is not None and best.saved_s > 0 else None

    def traffic_s(self, first: int, last: int) -> float:
        """Seconds for the tensors inside to go to DDR and back, those that would."""
        inside = {self.chains.target[s] for s in range(first, last)} - {
            self.chains.target[last]
        }
        size = 0.0
        for tensor in inside:
            storage = self.chains.written[tensor]
            steps = [use.step for use in (*storage.writes, *storage.reads)]
            if not self.tight.isdisjoint(steps):
                channels = self.arch.ddr_write_channels, self.arch.ddr_read_channels
                size += _bytes(storage) * sum(1 / n for n in channels)
        return size / (self.arch.memtiles * self.arch.link_bytes_per_s)

    # How many stripes --------------------------------------------------------------------

    def fewest(
        self, chain: Chain, first: int, keep: bool, least: int = 1
    ) -> list[Stripe] | None:
        """The stripes of a chain, as few as fit but no fewer than `least`; None if not even
        single rows do."""
        low, high, most = least, chain.height, least
        best: list[Stripe] | None = None
        while low <= high:
            # A few are mostly enough, and soon tried; after that the middle.
            count = min(most, (low + high) // 2)
            tried, stripes = _next(chain, count, high, keep)
            if stripes is None or self.fit(chain, first, stripes):
                best, high = stripes or best, count - 1
            else:
                low, most = tried + 1, 2 * tried
        return best

    def fit(self, chain: Chain, first: int, stripes: list[Stripe]) -> bool:
        """Whether each step fits beside the other tensors of its stripe."""
        rows = [
            max((held.size for held in each if held), default=0)
            for each in zip(*(stripe.held for stripe in stripes), strict=True)
        ]
        held = [self._held(chain, tensor, rows[tensor]) for tensor in range(len(rows))]
        kept = {t for s in stripes for t, rows in enumerate(s.held) if rows != s.computed[t]}
        lives = self._lives(chain, kept)
        for index, (_, target, needs) in enumerate(chain.steps):
            layer = shrunk(self.layers[first + index], self.arch, max(1, rows[target]))
            read: dict[int | None, list[int]] = {None: []}
            for need, source in zip(needs, layer.sources, strict=True):
                size = buffer_bytes(source.bytes_per_memtile(self.arch.memtiles))
                read.setdefault(need.source, []).append(size)
            # The stripe of a source is there as a whole, even if only a part of it is read.
            own = sum(max(held[t], *sizes) for t, sizes in read.items() if t is not None)
            others = sum(
                held[tensor]
                for tensor, (start, end) in enumerate(lives)
                if tensor != target and tensor not in read and start <= index <= end
            )
            room = self.arch.memtile_bytes - others
            alone = footprint(layer, self.arch) - sum(map(sum, read.values()))
            if alone + own + sum(read[None]) > room:
                return False
            if target in kept and 2 * held[target] > room:
                return False  # A copy reads the stripe before.
        return True

    def _lives(self, chain: Chain, kept: set[int]) -> list[tuple[int, int]]:
        """The first and last step of the chain at which each tensor of a stripe is there; one
        whose rows are kept is there until the next stripe."""
        lives = [(len(chain.steps), -1)] * len(chain.storages)
        for index, (_, target, needs) in enumerate(chain.steps):
            for tensor in (target, *(need.source for need in needs)):
                if tensor is not None:
                    start, end = lives[tensor]
                    lives[tensor] = min(start, index), max(end, index)
        everywhere = (0, len(chain.steps))
        return [everywhere if t in kept else life for t, life in enumerate(lives)]

    def _held(self, chain: Chain, tensor: int, rows: int) -> int:
        """Bytes of some rows of a tensor in the fullest memtile."""
        storage = chain.storages[tensor]
        spread = self._maker(storage).columns
        _, width, channels = hwc(storage.root)
        if spread.axis is not SpreadAxis.W or spread.bounds[-1] != width:
            spread = Spread(SpreadAxis.ALL)
        whole = Source(
            (rows, width, channels), Window(), False, spread, element_bytes(storage.root)
        )
        return buffer_bytes(whole.bytes_per_memtile(self.arch.memtiles))

    def _maker(self, storage: Storage) -> LayerShape:
        return self.layers[storage.writes[0].step]

    # What stripes cost -------------------------------------------------------------------

    def _reloads_s(self, chain: Chain, first: int, count: int) -> float:
        """The least seconds for weights that come again, if `count` stripes compute all that
        they need."""
        return sum(
            max(0, count - self.parts(step)) * self.weights_s(step)
            for step in range(first, first + len(chain.steps))
        )

    def extra_s(self, chain: Chain, first: int, stripes: list[Stripe]) -> float:
        """Seconds for rows that are computed again or copied, and weights that come again."""
        total = 0.0
        for index, (_, target, _) in enumerate(chain.steps):
            step, layer = first + index, self.layers[first + index]
            rows = [stripe.computed[target] for stripe in stripes]
            again = sum(r.size for r in rows if r) - layer.out[0]
            total += max(0, again) / layer.out[0] * self.least(step)
            times = sum(r is not None for r in rows) - self.parts(step)
            total += max(0, times) * self.weights_s(step)
        return total + self._copies_s(chain, stripes)

    def _weights_s(self, step: int) -> float:
        """Seconds for the weights to come into the memtiles and the cores."""
        times = 1 / self.arch.ddr_read_channels + 1
        return self.layers[step].weight_bytes(self.arch) * times / self.arch.link_bytes_per_s

    def _copies_s(self, chain: Chain, stripes: list[Stripe]) -> float:
        """Seconds to load kept rows into the cores and to write them again."""
        size = 0.0
        for stripe in stripes:
            for tensor, (held, computed) in enumerate(zip(*stripe, strict=True)):
                if held is not None and computed is not None and held.lo < computed.lo:
                    rows = computed.lo - held.lo
                    storage = chain.storages[tensor]
                    size += 2 * _bytes(storage) * rows / hwc(storage.root)[0]
        return size / (self.arch.memtiles * self.arch.link_bytes_per_s)


def _next(chain: Chain, count: int, most: int, keep: bool) -> tuple[int, list[Stripe] | None]:
    """How many stripes, from `count` on, leave no operation that reads only padding, which
    depends on where they end, and the chain in so many.  None if no count up to `most` does."""
    for each in range(count, most + 1):
        stripes = stripes_of(chain, sorted(set(cut(chain.height, each))), keep)
        if stripes is not None:
            return each, stripes
    return most, None


def _bytes(storage: Storage) -> int:
    h, w, c = hwc(storage.root)
    return h * w * c * element_bytes(storage.root)
