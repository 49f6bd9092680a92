"""One text for one meaning: elements that nothing depends on are fixed, the others stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asm_machine import instr_of, small_arch
from honest_programs import NAMES, subject
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from bsc.arch import Arch
from bsc.asm.canonical import Canonical, canonical, check_canonical, trimmed
from bsc.asm.footprint import accesses
from bsc.asm.instr_parser import check_fields
from bsc.asm.isa import SPECS, Kind
from bsc.asm.parser import parse_program
from bsc.asm.program import FieldValue, Instr, Post, Slots, axis_size, compact_iterations
from bsc.errors import BscError
from bsc.numerics import Requant


@st.composite
def _instructions(draw: DrawFn) -> tuple[Instr, Arch]:
    """Any instruction for a grid, with many zeros and ones among its numbers."""
    arch = small_arch(draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    spec = draw(st.sampled_from(list(SPECS.values())))
    iters = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    count = int(np.prod(iters))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fields: dict[str, FieldValue] = {}
    for field in spec.fields:
        if field.optional and rng.random() < 0.3:
            continue
        match field.kind:
            case Kind.SLOTS:
                fields[field.name] = Slots((0, 64)[: int(rng.integers(1, 3))])
            case Kind.POST:
                fields[field.name] = Post((Requant(3),))
            case Kind.WORD:
                fields[field.name] = "window" if field.name == "count" else "floor"
            case Kind.TABLE:
                fields[field.name] = rng.bytes(256).hex()
            case _:
                sizes = [axis_size(axis, arch) for axis in field.axes]
                outer = count if field.varies and rng.random() < 0.5 else 1
                least = 1 if field.name in ("k", "s", "d", "blk", "hin") else 0
                values = rng.integers(least, 4, (outer, *sizes))
                fields[field.name] = compact_iterations(values)
    if spec.mnemonic == "LOADFM" and "coff" not in fields:
        # One multicast for all rows.
        fields["c"] = int(rng.integers(0, 4))
    return Instr(spec.mnemonic, iters, fields), arch


@settings(max_examples=300)
@given(_instructions())
def test_canonical_once_is_canonical_for_ever(given_: tuple[Instr, Arch]) -> None:
    instr, arch = given_
    once = canonical(instr, arch)
    assert canonical(once, arch) == once
    once = trimmed(once)
    assert trimmed(once) == once
    check_canonical(once, check_fields(once, arch))


@settings(max_examples=200)
@given(_instructions(), st.integers(0, 2**20), st.integers(1, 3))
def test_what_differs_in_buffers_only_is_worked_out_once(
    given_: tuple[Instr, Arch], address: int, period: int
) -> None:
    instr, arch = given_
    other = {
        name: Slots((address, *value.addresses[1:]), period)
        if isinstance(value, Slots)
        else value
        for name, value in instr.fields.items()
    }
    moved = replace(instr, fields=other)
    many = Canonical(arch)
    for one in (instr, moved, instr):
        alone = canonical(replace(one), arch)
        found = many(one)
        assert found == alone
        assert list(found.fields) == list(alone.fields)
        assert accesses(found, arch) == accesses(replace(alone), arch)
    # They share their arrays.
    assert many(instr).arrays(arch) is many(moved).arrays(arch)


@settings(max_examples=300)
@given(_instructions())
def test_the_meaning_stays(given_: tuple[Instr, Arch]) -> None:
    """What is touched where, as far as it moves anything."""
    instr, arch = given_
    before, after = (
        [a for a in accesses(i, arch) if a.hi > a.lo and a.memory != "core"]
        for i in (instr, canonical(instr, arch))
    )
    assert before == after


@pytest.mark.parametrize("name", NAMES)
def test_programs_of_the_compiler_are_canonical(name: str) -> None:
    program = parse_program(subject(name).text)
    for instr in program.instructions():
        assert trimmed(canonical(instr, program.arch)) == instr


_REFUSED = [
    ("LOADW blob [0,8] memtile 0 iter 1 bytes=[8,0]", "blob: write 0"),
    ("LOADW blob 0 memtile [16,8] iter 1 bytes=[0,8]", "memtile: write 8"),
    ("LOAD ddr 0 memtile 0 iter 1 h=1 w=2 c=8 drow=8 dpix=8 row=0 pix=8", "drow: write 0"),
    ("LOAD ddr 0 memtile 0 iter 1 h=2 w=1 c=8 drow=8 dpix=8 row=8 pix=0", "dpix: write 0"),
    (
        "LOAD ddr 0 memtile 0 iter 1 h=1 w=[2,1] c=8 drow=0 dpix=8 row=0 pix=[8,0]",
        "pix: write 8",
    ),
    (
        "LOAD ddr 0 memtile 0 iter 1 h=1 w=1 c=[8,0] drow=0 dpix=0 row=0 pix=0",
        r"w: write \[1,0\]",
    ),
    ("LOADFM memtile 0 core 0 iter 1 h=1 w=1 c=[8,4] row=0 pix=0", "c: write 8"),
    ("LOADFM memtile 0 core 0 iter 1 h=1 w=1 c=8 row=0 pix=0 hstep=8", "hstep is of no use"),
    ("LOADFM memtile 0 core 0|64 iter 1 h=1 w=1 c=8 row=0 pix=0", "use all of core"),
    ("LOADWDM memtile 0 core 0 iter 1 bytes=[8,0] off=[0,8]", "off: write 0"),
    ("COPY iteration 2 in=0/2 out=64 h=1 w=1 c=8 xpos=3 post=round(3)", "use all of in"),
    (
        "COPY iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=3 post=round(3) rounding=half_even",
        "rounding is of no use",
    ),
    (
        "AVGPOOL iteration 1 in=0 out=64 h=1 w=1 c=8 hin=2 win=2 k=[2,2] s=[1,1] d=[1,1] "
        "pt=0 pb=0 pl=0 pr=0 xpos=3 post=round(3) count=inside",
        "count: write window",
    ),
    (
        "MAXPOOL iteration 1 in=0 out=64 h=1 w=1 c=8 hin=2 win=2 k=[2,2] s=[2,1] d=[1,1] "
        "pt=0 pb=0 pl=0 pr=0 xpos=3 post=round(3)",
        r"s: write \[1,1\]",
    ),
    (
        "MUL iteration 1 in=0 in2=32 out=64 h=1 w=3 c=8 s2=[0,0] xpos=3 ypos=3 post=round(3)",
        r"s2: write \[1,0\]",
    ),
    (
        "ADD iteration 1 in=0 in2=32 out=64 h=2 w=3 c=8 s2=[1,1] xpos=3 ypos=3 post=round(3)",
        "s2 is of no use",
    ),
]


@pytest.mark.parametrize(("text", "message"), _REFUSED)
def test_numbers_for_show_are_refused(text: str, message: str) -> None:
    arch, instr = small_arch(2, 2), instr_of(text)
    with pytest.raises(BscError, match=message):
        check_canonical(instr, check_fields(instr, arch))
    fixed = trimmed(canonical(instr, arch))
    check_canonical(fixed, check_fields(fixed, arch))
    assert replace(fixed, fields=instr.fields) == instr
