"""The order of the text, against nested loops."""

from __future__ import annotations

from itertools import groupby

import pytest
from asm_machine import instr_of
from honest_programs import NAMES, subject
from hypothesis import given
from hypothesis import strategies as st

from bsc.asm.isa import DDR_ENGINES
from bsc.asm.order import stage_order, units
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Ready
from bsc.errors import BscError


def _copy(count: str) -> Instr:
    return instr_of(f"COPY iteration {count} in=0 out=64 h=1 w=1 c=8 xpos=3 post=round(3)")


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.booleans(), min_size=1, max_size=6))
def test_runs_of_inner_iterations_go_in_turn(outer: int, inner: int, deep: list[bool]) -> None:
    instrs = [_copy(f"{outer}x{inner}" if d else str(outer)) for d in deep]
    expected: list[tuple[int, int]] = []
    for i in range(outer):
        for nested, run in groupby(range(len(deep)), deep.__getitem__):
            members = list(run)
            if not nested:
                expected += [(index, i) for index in members]
                continue
            for j in range(inner):
                expected += [(index, i * inner + j) for index in members]
    assert list(stage_order(instrs)) == expected


@pytest.mark.parametrize("counts", [("2", "3"), ("2x3", "2x4"), ("2", "3x2")])
def test_a_stage_iterates_together(counts: tuple[str, str]) -> None:
    with pytest.raises(BscError, match="iterate together"):
        list(stage_order([_copy(count) for count in counts]))


@pytest.mark.parametrize("name", NAMES)
def test_units_are_all_of_the_text_in_order(name: str) -> None:
    """Transfers from and to DDR alone; stages end where anything else begins."""
    program = parse_program(subject(name).text)
    lines: list[int] = []
    for layer, unit in units(program):
        if isinstance(unit, Ready):
            lines.append(unit.line)
            continue
        assert unit
        assert layer.line < unit[0].line
        assert len(unit) == 1 or all(i.spec.engine not in DDR_ENGINES for i in unit)
        assert [i.line for i in unit] == list(range(unit[0].line, unit[0].line + len(unit)))
        lines += [instr.line for instr in unit]
    body = [item.line for item in program.body if isinstance(item, Instr | Ready)]
    assert lines == body
