"""What fuzzing found: changes of a program that were neither accepted nor refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from honest_programs import subject
from text_bounds import bounded, refused

from bsc.pipelines import NAMED_PIPELINES
from bsc.tools import opt

HUGE = "9" * 5000


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        # Lists along rows or columns without end, memories that no computer has.
        ("chain", r"rows=\d+", "rows=1000000000"),
        ("chain", r"cols=\d+", "cols=1000000000"),
        ("chain", r"tile_pixels=\d+", "tile_pixels=9223372036854775808"),
        ("chain", r"memtile_bytes=\d+", "memtile_bytes=1152921504606846976"),
        ("chain", r"ddr=0x0\b", "ddr=1000000000"),
        # A tensor that is not where the LOAD looks for it.
        ("chain", r"ddr=0x0\b", "ddr=1000000"),
        # Powers of two beyond floating point.
        ("chain", r"type=i8 pos=\d+", "type=i8 pos=1000"),
        ("chain", r"type=i8 pos=\d+", "type=i8 pos=1000000000000"),
        # Iterations by the million, and those that the computation has not.
        ("chain", r"(?<=\nLOAD )(.*) iter \d+", r"\1 iter 1000000"),
        ("chain", r"(?<=\nLOADWDM)(.*) iter \d+", r"\1 iter 40"),
        # Nothing that is moved; blocks without channels.
        ("chain", r"(?<=\nLOAD )(.*) c=\S+", r"\1 c=0"),
        ("chain", r"blk=\[\d+,\d+\]", "blk=[0,8]"),
        # Kernels, blocks and padding that no core holds, none of which is stored.
        ("squeezed", r"k=\[\d+,", "k=[0x7fffffff,"),
        ("squeezed", r"blk=\[\d+,", "blk=[0x7fffffff,"),
        ("chain", r" pt=\d+", " pt=1000000000"),
        # More digits than Python converts.
        ("chain", r"acq=(\w+)\*\d+", rf"acq=\1*{HUGE}"),
        ("chain", r"acq=(\w+)\*\d+", rf"acq=\1*{2**64}"),
        ("chain", r"post=round\(-?\d+", f"post=round({HUGE}"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_was_found(name: str, old: str, new: str):
    given = subject(name)
    text, count = re.subn(old, new, given.text, count=1)
    assert count == 1
    with bounded():
        assert refused(text, given)


# MLIR ------------------------------------------------------------------------------------

BRANCH = """func.func @main() {
  cf.br ^other
^other:
  func.return
}"""


@pytest.mark.parametrize("body", [BRANCH, "func.func private @main() -> ()"], ids=["2", "0"])
def test_a_network_is_one_block(body: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "m.mlir").write_text(body)
    passes = NAMED_PIPELINES["bsc-compile"]
    told = 0
    for name in passes[: passes.index("chain-locks")]:
        code = opt.run([str(tmp_path / "m.mlir"), f"--{name}"])
        err = capsys.readouterr().err
        assert "--traceback" not in err
        told += code == 1 and "@main has" in err
    assert told > 5


def test_a_network_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It becomes a program of nothing."""
    (tmp_path / "m.mlir").write_text("func.func @main() {\n  func.return\n}")
    assert opt.run([str(tmp_path / "m.mlir"), "--bsc-compile", "-t", "bsc-asm"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith(".end\n")
    assert not err
