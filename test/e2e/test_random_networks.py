"""Random networks on random machines, from ONNX to the simulator, bit for bit.

Every tensor that a program makes equals onnxruntime's, the others are listed as elided.
A network may be refused for one reason only: a layer needs more memory than there is, which
the message shows in bytes.  In event order, under nominal and random timing, the outputs are
the same and every read sees the write that text order gives it; under 20 random timings all
that depends on each other keeps its order, and where it says so the values move as well.
`benchmarks/random_networks.py` runs as many seeds as one likes.
"""

from __future__ import annotations

import dataclasses
import re

import pytest
from varied_networks import Outcome, outcome_of, random_arch, random_specs, varied_network

from bsc.arch import preset

SEEDS = 48
GROUP = 8
"""Seeds of one test: a handful, so that tests can run beside each other."""

TIMINGS = range(20)
"""Random timings of each program."""

WITH_VALUES = range(1)
"""Those for which the values are computed as well, where time is short."""

_REFUSAL = re.compile(
    r".+?: .*?(?:needs (?P<needs>\d+) bytes of .*; it has (?P<has>\d+)\b"
    r"|no hole of (?P<hole>\d+) bytes in \d+ bytes of each memtile$)"
)


def groups() -> list[range]:
    """The seeds in groups."""
    return [range(first, first + GROUP) for first in range(0, SEEDS, GROUP)]


def check_refusal(seed: int, outcome: Outcome, specs: str) -> None:
    """The message is about memory, and with enough of it there is nothing to refuse."""
    first, *memory_map = outcome.reason.split("\n")
    found = _REFUSAL.match(first)
    assert found is not None, outcome.reason
    assert (found["hole"] is not None) == bool(memory_map)
    if found["needs"] is not None:
        assert int(found["needs"]) > int(found["has"])
    ample = preset("paper-4x4")
    arch = dataclasses.replace(
        random_arch(seed),
        memtile_bytes=ample.memtile_bytes,
        core_data_bytes=ample.core_data_bytes,
    )
    assert outcome_of(varied_network(seed), arch, specs).kind == "ok"


@pytest.mark.parametrize("seeds", groups(), ids=str)
def test_every_tensor_of_random_networks(seeds: range):
    refused = 0
    for seed in seeds:
        outcome = outcome_of(
            varied_network(seed),
            random_arch(seed),
            timing_seeds=WITH_VALUES,
            order_seeds=TIMINGS,
        )
        assert outcome.kind != "wrong", f"seed {seed}: {outcome.reason}"
        if outcome.kind == "refused":
            check_refusal(seed, outcome, "bsc-compile")
            refused += 1
    assert refused <= len(seeds) // 4


TALL = ((3, 2), (5, 1), (4, 3))
"""Rows and columns of machines whose memtiles serve several rows of cores."""


@pytest.mark.parametrize("first", [1000, 1006])
def test_random_networks_under_any_timing(first: int):
    """With all values each time."""
    done = 0
    for seed in range(first, first + 6):
        arch = random_arch(seed)
        if seed % 2:
            rows, cols = TALL[seed // 2 % len(TALL)]
            arch = dataclasses.replace(arch, rows=rows, cols=cols)
        outcome = outcome_of(varied_network(seed), arch, timing_seeds=TIMINGS)
        assert outcome.kind != "wrong", f"seed {seed}: {outcome.reason}"
        done += outcome.kind == "ok"
    assert done >= 4


@pytest.mark.parametrize("seeds", groups()[: SEEDS // GROUP // 2], ids=str)
def test_blocks_and_splits_of_any_size(seeds: range):
    for seed in seeds:
        specs = random_specs(seed)
        outcome = outcome_of(
            varied_network(seed),
            random_arch(seed),
            specs,
            timing_seeds=WITH_VALUES,
            order_seeds=TIMINGS,
        )
        assert outcome.kind != "wrong", f"seed {seed}, {specs}: {outcome.reason}"
        if outcome.kind == "refused":
            check_refusal(seed, outcome, specs)
