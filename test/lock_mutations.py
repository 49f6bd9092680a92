"""Programs with one mistake in their locks, or with two lines swapped.

*Removed*: one lock operation.  *Pair*: an acquire and the release that it waits for; of the
families that a line uses in turn both at once.  *Swapped locks*: two of a line, acquired or
released, change names.  *Swapped lines*: neighbours that touch the same bytes, one of them
writing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from typing import NamedTuple

from bsc.asm.footprint import Access, accesses
from bsc.asm.program import Instr, LockUse, Program

KINDS = ("removed", "pair", "swapped locks", "swapped lines")


class Mutant(NamedTuple):
    """A changed program, and what was changed."""

    kind: str
    change: str
    program: Program


class Spot(NamedTuple):
    """One use of a lock: the instruction, the list that it stands in, and where there."""

    instr: int
    side: str
    at: int


def mutants(program: Program) -> Iterator[Mutant]:
    """All of them."""
    instrs = program.instructions()
    spots = [spot for index, instr in enumerate(instrs) for spot in _spots(index, instr)]
    for spot in spots:
        change = f"{_named(instrs, spot)}"
        yield Mutant("removed", change, _changed(program, {spot: None}))
    for giver, taker in _pairs(instrs, spots):
        change = f"{_named(instrs, giver)}, {_named(instrs, taker)}"
        yield Mutant("pair", change, _changed(program, {giver: None, taker: None}))
    for one, other in combinations(spots, 2):
        a, b = _use(instrs, one), _use(instrs, other)
        if one.instr == other.instr and a.names != b.names:
            swapped = {one: a._replace(names=b.names), other: b._replace(names=a.names)}
            change = f"{_named(instrs, one)}, {_named(instrs, other)}"
            yield Mutant("swapped locks", change, _changed(program, swapped))
    touched = [accesses(instr, program.arch) for instr in instrs]
    for early, late in pairwise(range(len(instrs))):
        if _meet(touched[early], touched[late]):
            change = f"{_line(instrs[early])}, {_line(instrs[late])}"
            yield Mutant("swapped lines", change, _swapped(program, early, late))


def _spots(index: int, instr: Instr) -> Iterator[Spot]:
    if instr.lock is not None:
        yield Spot(index, "lock", 0)
    yield from (Spot(index, "acquire", at) for at in range(len(instr.acquire)))
    yield from (Spot(index, "release", at) for at in range(len(instr.release)))


def _use(instrs: list[Instr], spot: Spot) -> LockUse:
    instr = instrs[spot.instr]
    if spot.side == "lock":
        assert instr.lock is not None
        return instr.lock
    return (instr.acquire if spot.side == "acquire" else instr.release)[spot.at]


def _acquires(instrs: list[Instr], spot: Spot) -> bool:
    if spot.side == "lock":
        return instrs[spot.instr].mnemonic == "WRITEFM"
    return spot.side == "acquire"


def _pairs(instrs: list[Instr], spots: list[Spot]) -> Iterator[tuple[Spot, Spot]]:
    """Of each family the n-th use that releases and the n-th that acquires."""
    families: dict[tuple[str, ...], tuple[list[Spot], list[Spot]]] = {}
    for spot in spots:
        both = families.setdefault(_use(instrs, spot).names, ([], []))
        both[_acquires(instrs, spot)].append(spot)
    for givers, takers in families.values():
        yield from zip(givers, takers, strict=False)


def _changed(program: Program, uses: Mapping[Spot, LockUse | None]) -> Program:
    """The program with other uses of locks, or without those that are None."""
    instrs = program.instructions()
    new: dict[int, Instr] = {}
    for index in {spot.instr for spot in uses}:
        instr = instrs[index]
        lists: dict[str, tuple[LockUse, ...]] = {}
        for side, old in (
            ("lock", () if instr.lock is None else (instr.lock,)),
            ("acquire", instr.acquire),
            ("release", instr.release),
        ):
            kept = [uses.get(Spot(index, side, at), use) for at, use in enumerate(old)]
            lists[side] = tuple(use for use in kept if use is not None)
        lock = lists["lock"][0] if lists["lock"] else None
        new[index] = dataclasses.replace(
            instr, lock=lock, acquire=lists["acquire"], release=lists["release"]
        )
    return _with(program, new)


def _swapped(program: Program, one: int, other: int) -> Program:
    instrs = program.instructions()
    return _with(program, {one: instrs[other], other: instrs[one]})


def _with(program: Program, new: dict[int, Instr]) -> Program:
    places = [at for at, item in enumerate(program.body) if isinstance(item, Instr)]
    body = list(program.body)
    for index, instr in new.items():
        body[places[index]] = instr
    return dataclasses.replace(program, body=body)


def _meet(early: list[Access], late: list[Access]) -> bool:
    return any(
        a.memory == b.memory and (a.writes or b.writes) and a.lo < b.hi and b.lo < a.hi
        for a in early
        for b in late
    )


def _line(instr: Instr) -> str:
    return f"line {instr.line} {instr.mnemonic}"


def _named(instrs: list[Instr], spot: Spot) -> str:
    use = _use(instrs, spot)
    does = "acquires" if _acquires(instrs, spot) else "releases"
    where = f"@{use.where}" if use.where else ""
    return f"{_line(instrs[spot.instr])} {does} {'|'.join(use.names)}{where}"
