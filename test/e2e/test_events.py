"""Programs as events: the values do not depend on how the machine's timing falls."""

from __future__ import annotations

import numpy as np
import pytest
from honest_programs import subject

from bsc.asm.parser import parse_program
from bsc.errors import BscError
from bsc.sim import run_program
from bsc.sim.events import EventSimulator
from bsc.sim.timeline import run_timeline

PROGRAMS = ("chain", "squeezed", "mixed")
SEEDS = 20


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_timing_gives_the_values_of_text_order(name: str) -> None:
    s = subject(name)
    program = parse_program(s.text)
    wanted = run_program(program, s.blob, s.inputs).outputs
    simulator = EventSimulator(program, s.blob, s.inputs)
    for seed in (None, *range(SEEDS)):
        found = simulator.run(seed).outputs
        assert found.keys() == wanted.keys()
        for output, values in wanted.items():
            np.testing.assert_array_equal(found[output], values, err_msg=f"seed {seed}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_times_do_not_depend_on_values(name: str) -> None:
    s = subject(name)
    program = parse_program(s.text)
    with_values = EventSimulator(program, s.blob, s.inputs).run().times
    alone = run_timeline(program)
    assert alone.total_s == with_values.total_s > 0
    np.testing.assert_array_equal(alone.end_s, with_values.end_s)
    assert (alone.end_s >= alone.start_s).all()


def test_a_deadlock_is_told_as_a_cycle_of_waits() -> None:
    s = subject("chain")
    lines = s.text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("CONV"))
    acquires = next(word for word in lines[at].split() if word.startswith("acq="))
    # It waits for its output to be written before it computes it.
    lines[at] = lines[at].replace(acquires, acquires + ",k_1")
    program = parse_program("\n".join(lines) + "\n")
    with pytest.raises(BscError, match=r"^deadlock: line \d+: .* waits for 1 of lock k_1"):
        run_timeline(program)


def test_a_lock_that_is_missing_is_found() -> None:
    s = subject("chain")
    lines = s.text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("LOADFM"))
    word = next(w for w in lines[at].split() if w.startswith("acq="))
    family = next(use for use in word[4:].split(",") if use.startswith("m_"))
    giver = next(i for i, line in enumerate(lines) if f"{family}" in line and "rel=" in line)
    kept = [use for use in word[4:].split(",") if use != family]
    lines[at] = lines[at].replace(word, "acq=" + ",".join(kept))
    given = next(w for w in lines[giver].split() if w.startswith("rel="))
    left = [use for use in given[4:].split(",") if use != family]
    lines[giver] = lines[giver].replace(f" {given}", " rel=" + ",".join(left) if left else "")
    simulator = EventSimulator(parse_program("\n".join(lines) + "\n"), s.blob, s.inputs)
    with pytest.raises(BscError, match=r"line \d+: LOADFM, .*"):
        _run_all(simulator)


def _run_all(simulator: EventSimulator) -> None:
    for seed in range(SEEDS):
        simulator.run(seed)
