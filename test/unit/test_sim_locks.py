"""Locks: underflow, overflow, the value at the end, and which tiles they are on."""

from __future__ import annotations

import numpy as np
import pytest
from asm_machine import instr_of, locks_of, small_arch
from hypothesis import given
from hypothesis import strategies as st

from bsc.asm.program import Lock
from bsc.errors import BscError

_COPY = "COPY iteration {n} in=0x0 out=0x40 h=1 w=1 c=8 xpos=3 post=round(3)"
_LOADFM = "LOADFM memtile 0 core 0 iter 1 h=1 w=1 c=1 row=0 pix=0"
_WRITEFM = "WRITEFM memtile 0 core 0 iter 1 h=1 w=1 c=1 coff=0 row=0 pix=0"


@given(st.integers(0, 9), st.integers(1, 9))
def test_an_acquire_needs_the_amount(value: int, amount: int) -> None:
    bank = locks_of(small_arch(2, 2), Lock("k", "core", value))
    instr = instr_of(_COPY.format(n=1) + f" acq=k*{amount}")
    if amount <= value:
        bank.acquire(instr, 0)
        assert (bank.values["k"] == value - amount).all()
    else:
        with pytest.raises(BscError, match=f"lock k is {value}, {amount} needed"):
            bank.acquire(instr, 0)


@given(st.integers(0, 63), st.integers(1, 63))
def test_a_release_stays_below_the_limit(value: int, amount: int) -> None:
    bank = locks_of(small_arch(), Lock("k", "core", value))
    instr = instr_of(_COPY.format(n=1) + f" rel=k*{amount}")
    if value + amount <= 63:
        bank.release(instr, 0)
        assert (bank.values["k"] == value + amount).all()
    else:
        with pytest.raises(BscError, match="lock k rises above 63"):
            bank.release(instr, 0)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 2))
def test_periods_and_turns(period: int, times: int, families: int) -> None:
    """In `period` iterations an acquire comes first, a release last; families take turns."""
    names = ["a", "b"][:families]
    bank = locks_of(small_arch(), *(Lock(name, "core", 0) for name in names))
    instr = instr_of(_COPY.format(n=period * times) + f" rel={'|'.join(names)}/{period}")
    changes: list[tuple[int, str]] = []
    for iteration in range(period * times):
        before = {name: int(bank.values[name].max()) for name in names}
        bank.release(instr, iteration)
        changes += [(iteration, n) for n in names if bank.values[n].max() != before[n]]
    turns = [(period * (i + 1) - 1, names[i % families]) for i in range(times)]
    assert changes == turns
    taker = instr_of(_COPY.format(n=period * times) + f" acq={'|'.join(names)}/{period}")
    for iteration in range(period * times):
        bank.acquire(taker, iteration)
        taken = times - sum(int(bank.values[name].max()) for name in names)
        assert taken == iteration // period + 1


@given(st.integers(1, 6), st.sampled_from("lr"))
def test_halo_locks_are_those_of_the_memtile_that_is_read(cols: int, side: str) -> None:
    """All columns but the outermost have a neighbour on a side; reader and owner agree."""
    bank = locks_of(small_arch(1, cols), Lock("m", "memtile", 0))
    other = "l" if side == "r" else "r"
    bank.release(instr_of(_WRITEFM + f" rel=m@{other}"), 0)
    owners = [c for c in range(cols) if 0 <= c + (1 if other == "r" else -1) < cols]
    assert np.flatnonzero(bank.values["m"]).tolist() == owners
    bank.acquire(instr_of(_LOADFM + f" acq=m@{side}"), 0)
    assert not bank.values["m"].any()


@pytest.mark.parametrize(
    ("text", "tile"),
    [
        (_COPY.format(n=1) + " rel=k", "memtile"),
        (_COPY.format(n=1) + " rel=k", "ddr"),
        ("LOADW blob 0 memtile 0 iter 1 bytes=4 rel=k", "core"),
        (_LOADFM + " rel=k@l", "core"),
        (_LOADFM + " rel=k@all", "memtile"),
        (_LOADFM + " rel=k@l", "ddr"),
        ("LOADWDM memtile 0 core 0 iter 1 bytes=4 off=0 rel=k@l", "memtile"),
    ],
)
def test_an_instruction_reaches_only_some_tiles(text: str, tile: str) -> None:
    bank = locks_of(small_arch(2, 2), Lock("k", tile, 0))
    with pytest.raises(BscError, match=r"does not reach|is for|reaches the locks of its core"):
        bank.release(instr_of(text), 0)


@given(st.integers(0, 5), st.integers(0, 5))
def test_all_locks_come_back(init: int, released: int) -> None:
    bank = locks_of(small_arch(), Lock("k", "core", init), Lock("j", "memtile", init))
    for _ in range(released):
        bank.release(instr_of(_COPY.format(n=1) + " rel=k"), 0)
    if released:
        with pytest.raises(BscError, match="lock k ends at"):
            bank.check_end()
    else:
        bank.check_end()


@pytest.mark.parametrize(("tile", "limit"), [("core", 16), ("memtile", 64), ("ddr", 16)])
def test_a_tile_has_so_many_locks(tile: str, limit: int) -> None:
    locks = [Lock(f"k{i}", tile, 0) for i in range(limit + 1)]
    locks_of(small_arch(), *locks[:-1])
    with pytest.raises(BscError, match=f"{limit + 1} locks on each {tile} tile"):
        locks_of(small_arch(), *locks)
