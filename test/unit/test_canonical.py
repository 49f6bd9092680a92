"""Numbers of an instruction that nothing depends on are written in one way."""

from __future__ import annotations

import pytest
from varied_networks import random_arch, varied_network

from bsc.arch import Arch
from bsc.asm.canonical import canonical, check_canonical, trimmed
from bsc.asm.instr_parser import check_fields
from bsc.asm.program import FieldValue, Instr, Slots
from bsc.codegen import build_program
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.frontend import import_onnx
from bsc.pipelines import pipeline, run_passes

ONE_ROW = Arch("row", rows=1, cols=4)


def test_a_column_without_channels_leaves_nothing_behind():
    """Its width is 0, and then its channels are those of the other columns."""
    fields: dict[str, FieldValue] = {
        "memtile": (0, 0, 0, 64),
        "core": Slots((0,)),
        "h": 1,
        "w": 16,
        "c": ((8, 8, 8, 0),),
        "coff": 0,
        "row": (8, 8, 8, 4),
        "pix": 8,
    }
    found = canonical(Instr("LOADFM", (1,), fields), ONE_ROW)
    assert found.fields["w"] == (16, 16, 16, 0)
    assert found.fields["c"] == 8
    assert (found.fields["memtile"], found.fields["row"]) == (0, 0)
    check_canonical(found, check_fields(found, ONE_ROW))


@pytest.mark.parametrize("seed", range(900, 906))
def test_lowered_instructions_are_canonical(seed: int):
    arch = random_arch(seed)
    module = import_onnx(varied_network(seed)).module
    module.attributes[ARCH] = ArchAttr(arch)
    run_passes(module, pipeline("bsc-compile"))
    for instr in build_program(module).instructions():
        assert canonical(instr, arch) == instr == trimmed(instr)
