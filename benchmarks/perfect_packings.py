"""How often the allocator finds perfect packings that were cut at random, and how fast.

    python benchmarks/perfect_packings.py --count 100

For each kind: packings of 150 to 450 buffers, drawn.  Printed are how many were found, the
seconds that the longest and the median one took, and by how much first fit alone is over.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from packings import perfect_packing

from bsc.allocate import check, height, least, pack
from bsc.allocate.portfolio import found

STEPS = 4_000_000


class Kind(NamedTuple):
    """How packings are cut."""

    name: str
    times: tuple[int, int]
    capacities: tuple[int, int]
    pinwheels: float


KINDS = (
    Kind("guillotine, fine", (1000, 10**6), (2**16, 2**20), 0.0),
    Kind("pinwheels, fine", (1000, 10**6), (2**16, 2**20), 0.3),
    Kind("guillotine, coarse", (200, 1000), (1000, 10000), 0.0),
    Kind("pinwheels, coarse", (200, 1000), (1000, 10000), 0.3),
    Kind("guillotine, very coarse", (60, 200), (200, 1000), 0.0),
    Kind("pinwheels, very coarse", (60, 200), (200, 1000), 0.3),
)


class Outcome(NamedTuple):
    """Of one packing: whether it was found, in how long, what first fit needs."""

    solved: bool
    seconds: float
    over: float


def one(kind: Kind, seed: int, steps: int) -> Outcome:
    """Cut a packing and find it again."""
    draw = random.Random(seed)
    count = draw.randint(150, 447)
    times, capacity = draw.randint(*kind.times), draw.randint(*kind.capacities)
    buffers = perfect_packing(seed, count, times, capacity, kind.pinwheels)
    greedy = height(buffers, found(least(buffers)))
    start = time.perf_counter()
    packing = pack(buffers, capacity, steps=steps)
    spent = time.perf_counter() - start
    if packing.failed is None:
        check(buffers, found(packing), capacity)
    return Outcome(packing.failed is None, spent, greedy / capacity - 1)


def table(kind: Kind, outcomes: Sequence[Outcome]) -> str:
    """A line of the table."""
    solved = [o.seconds for o in outcomes if o.solved] or [0.0]
    over = [o.over for o in outcomes]
    return (
        f"| {kind.name} | {sum(o.solved for o in outcomes)} of {len(outcomes)} "
        f"| {statistics.median(solved):.1f} s | {max(solved):.1f} s "
        f"| {100 * min(over):.0f}–{100 * max(over):.0f}% |"
    )


def main() -> None:
    """All kinds, one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="packings of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the search")
    parser.add_argument("--kinds", default="", help="only those with this in their name")
    args = parser.parse_args()
    print("| cut | found | median | longest | first fit alone is over by |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        if args.kinds in kind.name:
            seeds = range(args.first, args.first + args.count)
            outcomes = [one(kind, seed, args.steps) for seed in seeds]
            print(table(kind, outcomes), flush=True)
            missed = [s for s, o in zip(seeds, outcomes, strict=True) if not o.solved]
            if missed:
                print(f"  not found: {missed}", file=sys.stderr)


if __name__ == "__main__":
    main()
