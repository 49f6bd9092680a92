"""MLIR and programs with random mistakes are accepted or refused, whatever the mistake is.

`BSC_FUZZ=10000 pytest test/unit/test_text_fuzz.py` tries as many of each.  No text may take
more than 20 s, or more than 1 GB beyond what the tests have.
"""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest
from honest_programs import NAMES, Subject, subject
from qdq_models import QdqBuilder, random_input, random_network
from text_bounds import bounded, refused
from text_mutations import mutated
from varied_networks import compiled

from bsc.arch import Arch
from bsc.frontend import import_onnx
from bsc.pipelines import NAMED_PIPELINES, pipeline, run_passes
from bsc.tools import opt

PARTS = 4
COUNT = int(os.environ.get("BSC_FUZZ", "160"))
PASSES = NAMED_PIPELINES["bsc-compile"]
FILECHECK = Path(__file__).resolve().parents[1] / "filecheck"


@cache
def programs() -> tuple[Subject, ...]:
    """The programs of all instructions, and small ones of a layer or two, which are quicker."""
    found = [subject(name) for name in NAMES]
    for seed in range(12):
        b = QdqBuilder(seed)
        x = b.input((1, int(b.rng.integers(1, 17)), int(b.rng.integers(2, 7)), 5))
        match seed % 4:
            case 0:
                y = b.conv(x, 9, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
            case 1:
                y = b.pool("MaxPool" if seed % 8 == 1 else "AveragePool", x, (2, 2))
            case 2:
                y = b.binary("Add", x, b.conv(x, x.dims[1], (1, 1)))
            case _:
                y = b.conv(x, x.dims[1], (2, 3), groups=x.dims[1])
        model = b.model(y)
        rows, cols = 1 + seed % 2, 1 + seed // 2 % 2
        text, blob = compiled(model, Arch("small", rows=rows, cols=cols, memtile_bytes=8192))
        found.append(Subject(model, text, blob, random_input(model, 0)))
    return tuple(found)


@pytest.mark.parametrize("part", range(PARTS))
def test_any_program_is_accepted_or_refused(part: int):
    texts = [given.text for given in programs()]
    count = 0
    for seed in range(part, COUNT, PARTS):
        rng = random.Random(seed)
        given = rng.choice(programs())
        with bounded():
            count += refused(mutated(rng, given.text, texts), given, seed // PARTS)
    assert 0 < count


# MLIR ------------------------------------------------------------------------------------


@cache
def modules() -> tuple[tuple[str, int], ...]:
    """Modules, and which pass of the pipeline they are for: what the tests of the passes
    have, and what each pass makes of small networks."""
    found: list[tuple[str, int]] = []
    for path in sorted(FILECHECK.rglob("*.mlir")):
        name = path.stem.removesuffix("-edge")
        after = PASSES.index(name) if name in PASSES else 0
        found += [(text, after) for text in path.read_text().split("// -----")]
    for seed in range(4):
        module = import_onnx(random_network(seed)).module
        for index, one in enumerate(pipeline("bsc-compile")):
            found.append((str(module), index))
            run_passes(module, [one])
        found.append((str(module), len(PASSES)))
    return tuple(found)


def arguments(rng: random.Random, after: int) -> list[str]:
    """Passes for a module that has those before `after` behind it, and what to print."""
    first = after if rng.random() < 0.6 else rng.randrange(len(PASSES) + 1)
    names = PASSES[first : first + rng.choice((0, 1, 1, 2, 4, 30))]
    if rng.random() < 0.1:
        names = ("bsc-compile",)
    target = rng.choice(([], [], ["--print-op-generic"], ["-t", "bsc-asm"]))
    return [*(f"--{name}" for name in names), *target]


@pytest.mark.parametrize("part", range(PARTS))
def test_any_module_is_accepted_or_refused(
    part: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    texts = [text for text, _ in modules()]
    path, output, refused = tmp_path / "module.mlir", tmp_path / "output.mlir", 0
    for seed in range(part, COUNT, PARTS):
        rng = random.Random(seed)
        text, after = rng.choice(modules())
        path.write_text(mutated(rng, text, texts), encoding="utf-8", errors="replace")
        output.unlink(missing_ok=True)
        with bounded():
            code = opt.run([str(path), "-o", str(output), *arguments(rng, after)])
        out, err = capsys.readouterr()
        assert not out
        if code == 0:
            assert output.exists()
            continue
        assert code == 1
        refused += 1
        assert ": error: " in err.splitlines()[0], (seed, err)
        # What our code does not foresee, and what no file of this size may need.
        assert "--traceback" not in err, (seed, err)
        assert "not enough memory" not in err, (seed, err)
        assert not output.exists()
    assert 0 < refused <= COUNT // PARTS
