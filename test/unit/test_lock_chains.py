"""Lock chains where two engines meet on several tiles at once.

A family of locks is a first-in first-out line, so an instruction is behind another if it
has acquired as often as that one, and all before it, have released.
"""

from __future__ import annotations

import onnx
import pytest
import qdq_models
from varied_networks import compiled, specs_with
from xdsl.context import Context

from bsc.arch import Arch
from bsc.asm.footprint import Access, accesses
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Program
from bsc.codegen import build_program
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.frontend import import_onnx
from bsc.pipelines import pipeline

_SMALL = {"memtile_bytes": 4096, "core_data_bytes": 16384, "core_scratch_bytes": 16384}


def _program(seed: int, rows: int, cols: int) -> Program:
    """A random network, on memtiles so small that much of it is spilled."""
    module = import_onnx(qdq_models.random_network(seed)).module
    module.attributes[ARCH] = ArchAttr(Arch("small", rows=rows, cols=cols, **_SMALL))
    for step in pipeline("bsc-compile"):
        step.apply(Context(), module)
    return build_program(module)


def _meet(giver: list[Access], taker: list[Access]) -> bool:
    """Whether the one writes what the other reads, or the other way round."""
    return any(
        a.memory == b.memory and a.writes != b.writes and a.lo < b.hi and b.lo < a.hi
        for a in giver
        for b in taker
        if a.memory != "core"
    )


def _is_behind(instrs: list[Instr], giver: int, taker: int, where: str) -> bool:
    """Whether a lock released at `where` makes one instruction wait for another."""
    families = {
        use.names[0] for i in instrs for use in i.releases if use.where == where and use.names
    }
    return any(_waits(instrs, giver, taker, family) for family in families)


def _waits(instrs: list[Instr], giver: int, taker: int, family: str) -> bool:
    """Whether the taker's engine has acquired the giver's next release."""
    ends = {instrs[giver].mnemonic, instrs[taker].mnemonic}
    given = [i for i, n in enumerate(instrs) if any(family in u.names for u in n.releases)]
    taken = [i for i, n in enumerate(instrs) if any(family in u.names for u in n.acquires)]
    joined = [instrs[i].mnemonic for i in given + taken]
    before = sum(i < giver for i in given)
    return (
        set(joined) == ends
        and any(giver <= i < taker for i in given)
        and sum(i <= taker for i in taken) > before
    )


@pytest.mark.parametrize(
    ("pair", "where"),
    [(("WRITE", "LOAD"), "all"), (("LOADW", "LOADWDM"), "")],
    ids=["spill", "weights"],
)
def test_meeting_on_several_tiles_takes_a_lock_of_its_own(
    pair: tuple[str, str], where: str
) -> None:
    """What a column knows of its own tiles says nothing of those of other columns."""
    met = 0
    for seed, rows, cols in ((61, 4, 4), (136, 2, 4), (75, 3, 5), (77, 2, 2), (80, 4, 4)):
        program = _program(seed, rows, cols)
        instrs = program.instructions()
        touched = [accesses(instr, program.arch) for instr in instrs]
        for giver, taker in _pairs(instrs, pair):
            if _meet(touched[giver], touched[taker]):
                met += 1
                assert _is_behind(instrs, giver, taker, where), (seed, giver, taker)
    assert met > 5


def _pairs(instrs: list[Instr], pair: tuple[str, str]) -> list[tuple[int, int]]:
    givers = [i for i, instr in enumerate(instrs) if instr.mnemonic == pair[0]]
    takers = [i for i, instr in enumerate(instrs) if instr.mnemonic == pair[1]]
    return [(g, t) for t in takers for g in givers if g < t]


def test_what_a_neighbour_reads_is_not_overwritten_early() -> None:
    """A column waits for the neighbours that read its memtile, not only for itself, even
    where its own latest reads came after theirs."""
    met = 0
    for seed, rows, cols in ((443, 3, 3), (523, 2, 3), (599, 3, 4), (61, 4, 4)):
        program = _program(seed, rows, cols)
        instrs = program.instructions()
        touched = [accesses(instr, program.arch) for instr in instrs]
        for overwriter in ("LOAD", "LOADW", "WRITEFM"):
            for giver, taker in _pairs(instrs, ("LOADFM", overwriter)):
                for where in _sides(touched[giver], touched[taker]):
                    met += 1
                    assert _in_turn(instrs, giver, taker, where), (seed, giver, taker)
    assert met > 20


def _in_turn(instrs: list[Instr], giver: int, taker: int, where: str) -> bool:
    """Whether one waits for the other, or for one that does."""
    return _is_behind(instrs, giver, taker, where) or any(
        _is_behind(instrs, giver, between, where)
        and (
            instrs[between].spec.engine is instrs[taker].spec.engine
            or _is_behind(instrs, between, taker, "")
        )
        for between in range(giver + 1, taker)
    )


def _sides(reader: list[Access], writer: list[Access]) -> set[str]:
    """The sides from which one reads what the other overwrites."""
    return {
        "l" if read.neighbour < 0 else "r"
        for read in reader
        for write in writer
        if read.neighbour and write.writes and _meet([read], [write])
    }


def _spilled() -> onnx.ModelProto:
    """A residual network that goes through DDR if memtiles are small."""
    b = qdq_models.QdqBuilder(1)
    x = b.conv(b.input((1, 8, 12, 9)), 24, (1, 1))
    y = b.conv(x, 8, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    return b.model(b.binary("Add", b.conv(y, 24, (1, 1)), x))


@pytest.mark.parametrize(("most", "families"), [(63, 1), (3, 2)])
def test_a_lock_that_cannot_count_so_far_gets_help(most: int, families: int):
    """Many WRITEs before the first LOAD that waits for one of them."""
    memories = {"memtile_bytes": 1536, "core_data_bytes": 2048, "core_scratch_bytes": 1024}
    arch = Arch("s", rows=1, cols=2, lock_max=most, **memories)
    pieces = specs_with({"split-width": "factor=3", "split-height": "factor=6"})
    text, _ = compiled(_spilled(), arch, pieces)
    locks = [name for name in parse_program(text).locks if name.startswith("d_")]
    assert len(locks) == families
