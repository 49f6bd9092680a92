"""What the static check says of chains of locks: one line, with both ends.

Each test changes the locks of a correct program so that they still come out even.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from honest_programs import NAMES, subject
from hypothesis import given
from hypothesis import strategies as st

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.asm.parser import parse_program
from bsc.errors import BscError
from bsc.sim.locks import reached
from bsc.sim.transfers import parts
from bsc.verify import verify_program
from bsc.verify.reach import Channels


def chain() -> list[str]:
    """The lines of a program with a halo, in head, body and tail."""
    return subject("chain").text.splitlines()


def line_of(lines: list[str], mnemonic: str, number: int = 0) -> int:
    """The index of an instruction."""
    return [i for i, line in enumerate(lines) if line.startswith(f"{mnemonic} ")][number]


def without(line: str, use: str) -> str:
    """A line without one lock; `use` says everything of it."""
    words = line.partition("##")[0].split()
    for index, word in enumerate(words):
        key, _, uses = word.partition("=")
        if key in ("acq", "rel") and use in uses.split(","):
            kept = [u for u in uses.split(",") if u != use]
            words[index] = f"{key}={','.join(kept)}" if kept else ""
            return " ".join(words)
    raise AssertionError(f"{use} is not in: {line}")


def with_lock(line: str, key: str, use: str) -> str:
    """A line with one lock more."""
    line = line.partition("##")[0].rstrip()
    if f" {key}=" in line:
        return re.sub(rf" {key}=(\S+)", rf" {key}=\1,{use}", line)
    return f"{line} {key}={use}"


def declare(lines: list[str], name: str, tile: str, init: int = 0) -> None:
    """Declare a family."""
    at = next(i for i, line in enumerate(lines) if line.startswith(".lock"))
    lines.insert(at, f".lock {name} {tile} init={init}")


def refused(lines: list[str]) -> str:
    """What the check says."""
    with pytest.raises(BscError) as caught:
        verify_program(parse_program("\n".join(lines) + "\n"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_programs_are_in_order(name: str) -> None:
    verify_program(parse_program(subject(name).text))


def test_a_chain_that_is_missing_on_a_memtile() -> None:
    lines = chain()
    giver, taker = line_of(lines, "LOADW"), line_of(lines, "LOADWDM")
    lines[giver] = without(lines[giver], "m_0")
    lines[taker] = without(lines[taker], "m_0")
    assert re.fullmatch(
        rf"line {taker + 1}: LOADWDM of \w+ \(weights\) \(row \d\) reads 0x\w+ \.\. 0x\w+ of "
        rf"memtile \d, which line {giver + 1}: LOADW of \w+ \(column \d\) may not have written "
        "yet: no chain of locks leads from one to the other; let LOADW release a lock that "
        "LOADWDM acquires",
        refused(lines),
    )


def test_a_pong_that_is_overwritten_early() -> None:
    """Three iterations for two slots, and nobody waits for a free one."""
    lines = [re.sub(r"(?<=[=,])f_out(,|(?= |$))", "", line) for line in chain()]
    message = refused([re.sub(r" (acq|rel)=(?= |$)", "", line) for line in lines])
    assert re.match(r"line \d+: CONV of \w+ \(\w+\)( in iteration \d)? writes ", message)
    assert re.search(
        r" of core \d,\d, which line \d+: WRITEFM of .* may not have read yet", message
    )


def test_a_neighbours_memtile_is_another() -> None:
    """The halo of the column on the right may not be there yet."""
    lines = chain()
    giver, taker = line_of(lines, "LOAD"), line_of(lines, "LOADFM")
    lines[giver] = without(lines[giver], "m_3@l")
    lines[taker] = without(lines[taker], "m_3@r")
    message = refused(lines)
    assert f"line {taker + 1}: LOADFM" in message
    column = int(re.findall(r"LOADFM of \w+ \(head\) \(column (\d)\)", message)[0])
    assert f"of memtile {column + 1}, which line {giver + 1}: LOAD of" in message


def test_what_other_columns_write_to_ddr() -> None:
    text = subject("squeezed").text
    assert "@all" in text
    message = refused(text.replace("@all", "").splitlines())
    column = r" of [^()]+ \(column (\d)\)"
    found = re.search(rf"LOAD{column} reads .* of DDR, which line \d+: WRITE{column} ", message)
    assert found is not None
    assert found[1] != found[2]


def test_a_lock_with_two_givers() -> None:
    lines = chain()
    declare(lines, "spare", "memtile")
    load, weights = line_of(lines, "LOAD"), line_of(lines, "LOADW")
    fetch = line_of(lines, "LOADFM")
    lines[load] = with_lock(lines[load], "rel", "spare")
    lines[weights] = with_lock(lines[weights], "rel", "spare")
    lines[fetch] = with_lock(lines[fetch], "acq", "spare*2")
    assert re.fullmatch(
        rf"lock spare is released by line {load + 1}: LOAD of \w+ and by line {weights + 1}: "
        r"LOADW of \w+: a lock is released by one engine only, in one way; give one of them a "
        "lock of its own",
        refused(lines),
    )


def test_a_lock_with_ends_on_other_tiles() -> None:
    lines = chain()
    giver = line_of(lines, "LOAD")
    lines[giver] = re.sub(r"\bm_3@l", "m_3", lines[giver])
    message = refused(lines)
    assert message.startswith(f"lock m_3 is released by line {giver + 1}: LOAD of ")
    assert re.search(
        r"on the memtile tiles \[0, 1, 2, 3\] and acquired by .* at '@r' on \[1, 2, 3\]: let "
        "both ends name the same tiles$",
        message,
    )


@pytest.mark.parametrize(
    ("tile", "use", "words"),
    [
        ("core", "spare", "does not reach core lock spare"),
        ("memtile", "spare@all", "uses '@all', which is for locks of DDR, not memtile lock"),
        ("ddr", "spare@l", "uses '@l', which is for memtile locks of activations, not ddr"),
    ],
)
def test_locks_out_of_reach(tile: str, use: str, words: str) -> None:
    lines = chain()
    declare(lines, "spare", tile)
    giver, taker = line_of(lines, "LOAD"), line_of(lines, "LOADFM")
    lines[giver] = with_lock(lines[giver], "rel", use)
    lines[taker] = with_lock(lines[taker], "acq", "spare")
    message = refused(lines)
    assert message.startswith(f"line {giver + 1}: LOAD of ")
    assert words in message


def test_only_releases_are_of_all_columns() -> None:
    lines = chain()
    declare(lines, "spare", "ddr")
    giver, taker = line_of(lines, "LOAD"), line_of(lines, "WRITE")
    lines[giver] = with_lock(lines[giver], "rel", "spare")
    lines[taker] = with_lock(lines[taker], "acq", "spare@all")
    assert refused(lines).endswith("acquires spare '@all': only releases can be of all columns")


def test_a_lock_that_some_timing_raises_too_high() -> None:
    """In text order it never has more than 40; LOADW may run ahead of WRITEFM."""
    lines = chain()
    declare(lines, "spare", "memtile")
    givers = [line_of(lines, "LOADW", number) for number in range(3)]
    for giver, following in zip(givers, [*givers[1:], len(lines)], strict=True):
        once = re.compile("WRITEFM .* iter 1 ")
        writes = [i for i in range(giver, following) if once.match(lines[i])]
        lines[giver] = with_lock(lines[giver], "rel", "spare*40")
        lines[writes[-1]] = with_lock(lines[writes[-1]], "acq", "spare*40")
    message = refused(lines)
    assert re.fullmatch(
        r"line \d+: LOADW of \w+ may raise spare to \d+ before line \d+: WRITEFM of .* takes "
        r"any of it; a lock goes up to 63: make it wait for a free slot",
        message,
    )


def test_descriptors_of_the_ddr_interface() -> None:
    lines = [line.replace("ddr_descriptors=0", "ddr_descriptors=2") for line in chain()]
    assert refused(lines) == "3 descriptors on a ddr tile, for LOAD, LOADW, WRITE; it has 2"


def test_locks_that_do_not_come_out_even_name_both_ends() -> None:
    lines = chain()
    giver = line_of(lines, "WRITEFM", -1)
    lines[giver] = without(lines[giver], "f_out")
    assert re.search(
        r"^lock f_out ends at \d, .* do not balance; line \d+: CONV of \w+ \(\w+\) and \d+ "
        r"more acquires it, line \d+: WRITEFM of \w+ \(\w+\) and \d+ more releases it$",
        refused(lines),
    )


def test_waiting_for_ever_names_who_releases_too_late() -> None:
    lines = chain()
    first, second = line_of(lines, "LOADW"), line_of(lines, "LOADW", 1)
    lines[first] = without(lines[first], "m_0")
    lines[second] = with_lock(lines[second], "rel", "m_0")
    assert re.search(
        r": LOADWDM acquires m_0 when it is 0, 1 needed: in text order this waits for ever; "
        rf"line {second + 1}: LOADW of \w+ releases it, but not before it in the text$",
        refused(lines),
    )


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([*Engine]),
    st.sampled_from(["core", "memtile", "ddr"]),
    st.sampled_from(["", "l", "r", "all"]),
)
def test_checker_and_simulator_agree_on_tiles(
    rows: int, cols: int, engine: Engine, kind: str, where: str
) -> None:
    """Two accounts of one rule, written apart from each other."""
    arch = Arch("any", rows=rows, cols=cols)
    channels = Channels(arch)
    count = parts(engine, arch)
    assert channels.parts[engine] == count
    try:
        wanted = [list(reached(engine, kind, where, "k", part, arch)) for part in range(count)]
    except BscError:
        with pytest.raises(BscError):
            channels.reached(engine, kind, where)
        return
    assert channels.reached(engine, kind, where) == wanted
    assert np.sum(list(channels.parts.values())) == channels.count
