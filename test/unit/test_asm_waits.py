"""Who gives what an instruction takes, against queues that are filled and emptied in turn."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from honest_programs import NAMES, subject

from bsc.asm.order import stage_order, units
from bsc.asm.parser import parse_program
from bsc.asm.program import Program, Ready
from bsc.asm.waits import Waits
from bsc.errors import BscError


def queued(program: Program) -> dict[str, list[tuple[int, int]]]:
    """For each family the (step that takes, step that gives the last of its units or -1)."""
    queues = {name: deque([-1] * lock.init) for name, lock in program.locks.items()}
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in program.locks}
    step = 0
    for _, unit in units(program):
        if isinstance(unit, Ready):
            continue
        for member, iteration in stage_order(unit):
            for use in unit[member].acquires:
                if use.acquires_at(iteration):
                    name = use.at(iteration)
                    taken = [queues[name].popleft() for _ in range(use.amount)]
                    found[name].append((step, taken[-1]))
            for use in unit[member].releases:
                if use.releases_at(iteration):
                    queues[use.at(iteration)].extend([step] * use.amount)
            step += 1
    return found


def waited(waits: Waits) -> dict[str, list[tuple[int, int]]]:
    """The same by `Waits`."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name in waits.program.locks:
        sources = waits.sources(name)
        given = np.append(waits.given[name].steps, -1)
        pairs = zip(waits.taken[name].steps.tolist(), given[sources].tolist(), strict=True)
        found[name] = list(pairs)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_units_are_taken_in_the_order_in_which_they_are_given(name: str) -> None:
    program = parse_program(subject(name).text)
    waits = Waits(program)
    assert waited(waits) == queued(program)
    assert waits.count == len(waits.instrs) == len(waits.iterations)
    for index, places in enumerate(waits.places):
        assert (waits.instrs[places] == index).all()
        assert waits.iterations[places].tolist() == list(range(len(places)))


def test_a_stage_that_does_not_iterate_together_is_told_by_its_layer() -> None:
    lines = subject("chain").text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("WRITEFM "))
    words = lines[at].partition("##")[0].split()
    where = next(i for i, word in enumerate(words) if word in ("iter", "iteration"))
    words[where + 1] = "99"
    lines[at] = " ".join(words)
    with pytest.raises(BscError, match=r"^\w+.*: the instructions of a stage iterate together"):
        Waits(parse_program("\n".join(lines) + "\n"))
