"""Every mistake in the locks of a small program is found, or changes nothing.

Three judges, each by itself: the static check; events under up to 20 random timings, with
the static check off; and a byte by byte account of what depends on what
(`dependence`), which says whether the change has left the dependence graph as it was.

    pytest -s test/e2e/test_lock_mutations.py
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from lock_judges import SEEDS_UNCHANGED, Judges
from lock_mutations import KINDS, Mutant, mutants
from qdq_models import Array, QdqBuilder, random_input

import bsc
from bsc.api import load
from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program
from bsc.asm.program import Program, Stage
from bsc.errors import BscError
from bsc.sim.events import EventSimulator

SEEDS = 20

Inputs = dict[str, Array]


class Subject(NamedTuple):
    """A program, its weights, and what it is run on."""

    program: Program
    blob: Bytes
    inputs: Inputs


@cache
def _subject(name: str) -> Subject:
    """`chain`: convolutions with a halo in head, body and tail, and a residual; `spilled`:
    the residual and more goes through DDR."""
    b = QdqBuilder(1)
    if name == "chain":
        x = b.conv(b.input((1, 8, 9, 5)), 8, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
        model = b.model(b.binary("Add", x, b.conv(x, 8, (3, 3), pads=(1, 1, 1, 1))))
        memories = {"memtile_bytes": 16384, "core_data_bytes": 1024, "core_scratch_bytes": 512}
    else:
        x = b.conv(b.input((1, 8, 6, 4)), 24, (1, 1))
        y = b.conv(x, 8, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
        model = b.model(b.binary("Add", b.conv(y, 24, (1, 1)), x))
        memories = {"memtile_bytes": 1152, "core_data_bytes": 2048, "core_scratch_bytes": 1024}
    rows = 2 if name == "chain" else 1
    compiled = bsc.compile(model, Arch(name, rows=rows, cols=2, **memories))
    _, blob = load(compiled)
    return Subject(parse_program(compiled.program), blob, random_input(model, 0))


def test_the_subjects_have_what_they_are_for() -> None:
    chain, spilled = (_subject(name).program for name in ("chain", "spilled"))
    labels = {item.label for item in chain.body if isinstance(item, Stage)}
    assert labels >= {"head", "body", "tail"}
    assert any(use.where in ("l", "r") for i in chain.instructions() for use in i.acquires)
    assert any(use.where == "all" for i in spilled.instructions() for use in i.releases)


@pytest.mark.parametrize("name", ["chain", "spilled"])
def test_every_mistake_is_found(name: str) -> None:
    s = _subject(name)
    judges = Judges(s.program, s.blob, s.inputs)
    wanted = EventSimulator(s.program, s.blob, s.inputs).run().outputs
    assert not any(judges.timing.finds(s.program, seed) for seed in range(SEEDS))
    counts = {kind: Counter[str]() for kind in KINDS}
    unchanged: list[str] = []
    for mutant in mutants(s.program):
        same, static, timing = judges.verdict(mutant, SEEDS)
        assert static != same, mutant.change
        assert not (same and timing), mutant.change
        # The judge that moves no values, for larger programs, says what the values say.
        seeds = SEEDS_UNCHANGED if same else SEEDS
        assert timing == _values_find(mutant, s, wanted, seeds), mutant.change
        unchanged += [f"{mutant.kind}: {mutant.change}"] * same
        found = {"tried": True, "unchanged": same, "static": static, "timing": timing}
        counts[mutant.kind].update([what for what, is_so in found.items() if is_so])
    _report(name, counts, unchanged)
    for kind in KINDS:
        assert counts[kind]["tried"] > counts[kind]["unchanged"]
        assert counts[kind]["static"] + counts[kind]["unchanged"] == counts[kind]["tried"]
        assert counts[kind]["timing"] > 0.8 * counts[kind]["static"]


def _values_find(mutant: Mutant, s: Subject, wanted: Inputs, seeds: int) -> bool:
    """Whether any timing gives an error, a read of the wrong write, or other values."""
    try:
        simulator = EventSimulator(mutant.program, s.blob, s.inputs)
        for seed in range(seeds):
            found = simulator.run(seed).outputs
            if any(not np.array_equal(found[name], wanted[name]) for name in wanted):
                return True
    except BscError:
        return True
    return False


def _report(name: str, counts: dict[str, Counter[str]], unchanged: list[str]) -> None:
    """The table of docs/validation.md, with `pytest -s`."""
    print(f"\n| `{name}` | tried | graph unchanged | static check | timing |")
    for kind, count in counts.items():
        shown = [count[what] for what in ("tried", "unchanged", "static", "timing")]
        print(f"| {kind} | {' | '.join(map(str, shown))} |")
    print("graph unchanged:", *unchanged, sep="\n  ")
