"""Depth-wise tiling from ONNX to the simulator: the same values, and less traffic with DDR.

A block as VGG16 begins with (two convolutions and a pool) is compiled for machines whose
memtiles hold a part of its tensors.  Stripe by stripe, the program reads the input and writes
the output, and nothing in between goes to DDR.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from qdq_models import QdqBuilder
from varied_networks import (
    PIPELINE,
    compiled,
    outcome_of,
    random_arch,
    random_stripes,
    varied_network,
)

from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.program import Program
from bsc.cost.work import work_of
from bsc.pipelines import NAMED_PIPELINES

TIMINGS = range(6)
PASSES = NAMED_PIPELINES[PIPELINE]
WITHOUT = ",".join(name for name in PASSES if name != "tile-depthwise")


def tiled_by(stripes: str) -> str:
    """The pipeline, with options for the pass."""
    return ",".join(stripes if name == "tile-depthwise" else name for name in PASSES)


@pytest.mark.parametrize("seeds", [range(n, n + 6) for n in (300, 306)], ids=str)
def test_forced_stripes_of_random_networks(seeds: range):
    """Every tensor in text order; in event order the outputs with one random timing, and the
    order of what touches the same bytes under 6."""
    tiled = refused = 0
    for seed in seeds:
        specs = tiled_by(random_stripes(seed, forced=1))
        model, arch = varied_network(seed), random_arch(seed)
        outcome = outcome_of(model, arch, specs, timing_seeds=[seed], order_seeds=TIMINGS)
        assert outcome.kind != "wrong", f"seed {seed}, {specs}: {outcome.reason}"
        refused += outcome.kind == "refused"
        if outcome.kind == "ok":
            text, _ = compiled(model, arch, specs)
            tiled += "made stripe by stripe" in text
    assert tiled >= 1
    assert refused <= len(seeds) // 4


def vgg_block(seed: int) -> tuple[onnx.ModelProto, tuple[int, int]]:
    """3 -> 16 -> 16 channels and a pool that halves; rows and columns from a range, with
    primes."""
    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(29, 62, 2))
    b = QdqBuilder(seed)
    x = b.input((1, 3, height, width))
    for _ in range(2):
        x = b.conv(x, 16, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    return b.model(b.pool("MaxPool", x, (2, 2), (2, 2)), name="block"), (height, width)


def small_machine(seed: int, size: tuple[int, int]) -> Arch:
    """Memtiles that hold between a third and three quarters of one tensor of 16 channels."""
    rng = np.random.default_rng((seed, 1))
    rows, cols = (int(n) for n in rng.integers(1, 5, 2))
    height, width = size
    part = height * -(-width // cols) * 16
    memtile = max(4096, int(part * rng.uniform(0.35, 0.75)))
    return Arch("small", rows=rows, cols=cols, memtile_bytes=memtile)


def traffic(program: Program) -> Counter[str]:
    """Bytes of activations between DDR and the memtiles, by direction."""
    found: Counter[str] = Counter()
    for instruction in program.instructions():
        if instruction.mnemonic in ("LOAD", "WRITE"):
            found[instruction.mnemonic] += work_of(instruction, program.arch).bytes
    return found


def recomputed(lo: int, hi: int, height: int) -> int:
    """Rows of the input that rows [lo, hi) of the pool need: one more on each side for each
    convolution."""
    return min(height, 2 * hi + 2) - max(0, 2 * lo - 2)


def kept(lo: int, hi: int, height: int) -> int:
    """The same, where what the first convolution made for the stripe before is kept: it
    goes on at row 2 lo + 1."""
    return min(height, 2 * hi + 2) - max(0, 2 * lo if lo else 0)


@pytest.mark.parametrize("rows", [recomputed, kept])
@pytest.mark.parametrize("seed", range(6))
def test_a_block_reads_its_input_and_writes_its_output(
    seed: int, rows: Callable[[int, int, int], int]
):
    model, (height, width) = vgg_block(seed)
    arch = small_machine(seed, (height, width))
    specs = tiled_by(f"tile-depthwise{{halo={rows.__name__}}}")
    assert outcome_of(model, arch, specs).kind == "ok"
    text, _ = compiled(model, arch, specs)
    program = parse_program(text)
    parts = re.findall(r'op=max_pool part="h (\d+):(\d+)"', text)
    stripes = [(int(lo), int(hi)) for lo, hi in parts]
    assert len(stripes) > 1
    assert [row for lo, hi in stripes for row in range(lo, hi)] == [*range(height // 2)]
    # Channels are stored in eights: 3 as 8.
    loaded = sum(rows(lo, hi, height) for lo, hi in stripes) * width * 8
    written = (height // 2) * (width // 2) * 16
    assert traffic(program) == {"LOAD": loaded, "WRITE": written}
    # Without the pass, both tensors in between are written and read.
    plain = traffic(parse_program(compiled(model, arch, WITHOUT)[0]))
    assert plain["WRITE"] == written + 2 * height * width * 16
    pooled = (height // 2 * 2) * (width // 2 * 2) * 16
    assert plain["LOAD"] >= height * width * (8 + 16) + pooled
