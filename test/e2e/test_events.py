"""Programs as events: the values do not depend on how the machine's timing falls."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from honest_programs import subject
from lock_text import memtile_locks, without_lock

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


_WRONG_WRITE = re.compile(
    r"line (?P<reader>\d+): (?P<reads>\w+), .* must see at (?:memtile|DDR|core) 0x[0-9a-f]+ "
    r"the write of line (?P<must>\d+): (?P<writes>\w+), iteration \d+, \w+( \w+)? \d+"
    r"(?:, and sees that of (?:nobody|line (?P<sees>\d+): (?P<other>\w+), iteration .*))?"
    r"(?:, which is still under way)?"
)


def test_a_wrong_read_is_told_with_the_lines_of_both_writes() -> None:
    """Each lock of the memtiles is left out in turn."""
    told: Counter[str] = Counter()
    for name in PROGRAMS:
        s = subject(name)
        heads = [line.split(" ")[0] for line in s.text.splitlines()]
        for family in memtile_locks(s.text):
            declared = heads.index(".lock")
            text = without_lock(s.text, family)
            # As long as the whole one: a comment for the declaration that is gone.
            lines = text.splitlines()
            lines.insert(declared, "## one lock less")
            simulator = EventSimulator(parse_program("\n".join(lines)), s.blob, s.inputs)
            for seed in range(2):
                told += _told(simulator, seed, heads)
    assert told["of the right one"] > 5
    assert told["of another one"] > 5


def _told(simulator: EventSimulator, seed: int, heads: list[str]) -> Counter[str]:
    """What the message of a run says of the writes; the lines in it must be those meant."""
    message = _message(simulator, seed)
    assert "\n" not in message
    if "must see" not in message:
        return Counter()
    found = _WRONG_WRITE.fullmatch(message)
    assert found is not None, message
    reader, must = int(found["reader"]), int(found["must"])
    assert (heads[reader - 1], heads[must - 1]) == (found["reads"], found["writes"])
    assert must < reader
    if found["sees"] is None:
        return Counter({"of the right one": 1})
    sees = int(found["sees"])
    assert heads[sees - 1] == found["other"]
    # Text order has it before the right one, or after the read.
    assert not must < sees < reader
    return Counter({"of another one": 1})


def _message(simulator: EventSimulator, seed: int) -> str:
    try:
        simulator.run(seed)
    except BscError as e:
        return str(e)
    return ""


def test_weights_that_are_not_there_yet() -> None:
    s = subject("chain")
    heads = [line.split(" ")[0] for line in s.text.splitlines()]
    reader = heads.index("LOADWDM")
    writer = max(i for i in range(reader) if heads[i] == "LOADW")
    (family,) = re.findall(r" rel=(m_\d+)", s.text.splitlines()[writer])
    lines = without_lock(s.text, family).splitlines()
    lines.insert(heads.index(".lock"), "")
    simulator = EventSimulator(parse_program("\n".join(lines)), s.blob, s.inputs)
    message = (
        rf"^line {reader + 1}: LOADWDM, iteration 0, row channel \d: .*; it must see at "
        rf"memtile 0x\w+ the write of line {writer + 1}: LOADW, iteration 0, column \d, "
        r"(and sees that of nobody|which is still under way)$"
    )
    with pytest.raises(BscError, match=message):
        _run_all(simulator)


def test_a_computation_that_does_not_wait_for_its_input() -> None:
    s = subject("chain")
    lines = s.text.splitlines()
    reader = next(i for i, line in enumerate(lines) if line.startswith("CONV"))
    writer = max(i for i in range(reader) if lines[i].startswith("LOADFM"))
    assert "acq=k_0," in lines[reader]
    lines[reader] = lines[reader].replace("acq=k_0,", "acq=")
    simulator = EventSimulator(parse_program("\n".join(lines)), s.blob, s.inputs)
    message = (
        rf"^line {reader + 1}: CONV, iteration 0, core \d+: reads core .*; it must see at core "
        rf"0x\w+ the write of line {writer + 1}: LOADFM, iteration 0, column \d, "
        r"(and sees that of nobody|which is still under way)$"
    )
    with pytest.raises(BscError, match=message):
        _run_all(simulator)


def _run_all(simulator: EventSimulator) -> None:
    for seed in range(SEEDS):
        simulator.run(seed)
