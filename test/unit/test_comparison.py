"""Dense and sparse side by side, and the counts in the text beside those of the report."""

from __future__ import annotations

import dataclasses
import re

import pytest
from qdq_models import random_network
from rich.console import Console
from small_models import residual_network

import bsc
from bsc.arch import load_arch
from bsc.asm.tally import tally
from bsc.report.comparison import comparison_table
from bsc.report.record import sums
from bsc.report.units import ratio, scaled


@pytest.fixture(scope="module")
def pair() -> tuple[bsc.Compiled, bsc.Compiled]:
    dense, sparse = (residual_network(sparse=sparse) for sparse in (False, True))
    return bsc.compile(dense, "paper-2x2"), bsc.compile(sparse, "paper-2x2")


def test_the_table(pair: tuple[bsc.Compiled, bsc.Compiled]):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(comparison_table(*pair))
    lines = captured.get().splitlines()
    rows = {
        re.split(r"\s{2,}", line)[0]: re.split(r"\s{2,}", line.rstrip())[1:] for line in lines
    }
    assert rows["paper-2x2, serial timing"] == ["dense", "sparse", "sparse/dense"]
    sizes = [compiled.weights.size for compiled in pair]
    assert sizes[1] < sizes[0]
    expected = [*map(scaled, sizes), ratio(sizes[1], sizes[0])]
    assert rows["weights.bin, bytes"] == expected
    figures = [name for name in rows if f"in the text: {name}" in rows]
    assert len(figures) == 4
    for name in figures:
        assert rows[name] == rows[f"in the text: {name}"]


@pytest.mark.parametrize("seed", range(4))
def test_the_text_adds_up_to_what_the_report_says(seed: int):
    small = dataclasses.replace(load_arch("paper-2x3"), memtile_bytes=16384)
    compiled = bsc.compile(random_network(seed), small)
    found = dataclasses.asdict(tally(compiled.program))
    assert found.pop("instructions") > 0
    reported = sums(compiled.cost.layers)
    assert found == {name: reported[name] for name in found}
