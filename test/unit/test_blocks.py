"""The blocks that weights show: found, chosen, told, and right in every shape."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import numpy_helper
from qdq_models import QdqBuilder, random_network
from small_models import saved

from bsc import Compiled, check
from bsc import compile as compile_model
from bsc.arch import load_arch
from bsc.asm.packed import PackedShape
from bsc.blocks import SHAPES, Block, block_peaks, find_blocks, parse_block
from bsc.dialects.bsw import WeightOp
from bsc.errors import BscError
from bsc.numerics import Int8

ARCH = load_arch("paper-4x4")
TEXTS = ("8x8", "16x4", "4x16", "4x4", "1x1", "auto")


def masked(shape: tuple[int, ...], block: Block, density: float, seed: int) -> Int8:
    """Random numbers in random blocks of output and input channels (the first two axes)."""
    rng = np.random.default_rng(seed)
    (cout, cin), (b0, b1) = shape[:2], block
    kept = rng.random((-(-cout // b0), -(-cin // b1))) < density
    mask = np.repeat(np.repeat(kept, b0, 0), b1, 1)[:cout, :cin]
    values = rng.integers(-128, 128, shape) * mask.reshape(*mask.shape, *[1] * (len(shape) - 2))
    return values.astype(np.int8)


def sparse_network(seed: int, block: Block, density: float) -> onnx.ModelProto:
    """A random network whose weights are zero in whole blocks."""
    model = random_network(seed, 4)
    for tensor in model.graph.initializer:
        shape = tuple(tensor.dims)
        if tensor.data_type == onnx.TensorProto.INT8 and len(shape) > 1:
            values = masked(shape, block, density, seed)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def weights_of(compiled: Compiled) -> list[WeightOp]:
    return [op for op in compiled.module.ops if isinstance(op, WeightOp)]


@pytest.mark.parametrize("seed", range(20))
def test_peaks_and_almost_zero_blocks_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch):
    """In any shape, however large the pieces are in which a weight is looked at."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr("bsc.blocks._CHUNK", int(rng.integers(1, 5000)))
    cout, cin = rng.integers(1, 40, 2)
    kh, kw = rng.integers(1, 4, 2)
    b0, b1 = (int(n) for n in rng.integers(1, 18, 2))
    scale = np.repeat(rng.integers(0, 3, (cout, 1, 1, 1)) * 63 + 1, cin, 3)
    weight = (rng.integers(-128, 128, (cout, kh, kw, cin)) // scale).astype(np.int8)
    weight[rng.random(weight.shape) < 0.7] = 0
    peaks = block_peaks(weight, (b0, b1))
    largest = int(np.abs(weight.astype(int)).max())
    stored = almost = 0
    for i, j in product(range(-(-cout // b0)), range(-(-cin // b1))):
        part = weight[i * b0 : (i + 1) * b0, :, :, j * b1 : (j + 1) * b1].astype(int)
        peak = int(np.abs(part).max())
        assert peaks[i, j] == peak
        stored += peak > 0
        almost += 0 < peak * 64 <= largest
    found = find_blocks(weight, (b0, b1), ARCH)
    assert (found.stored.sum(), found.almost_zero) == (stored, almost)


@pytest.mark.parametrize("seed", range(20))
def test_auto_packs_into_the_fewest_bytes(seed: int):
    rng = np.random.default_rng(seed)
    planted = SHAPES[seed % len(SHAPES)]
    cout, cin = (int(n) for n in rng.integers(1, 100, 2))
    values = masked((cout, cin, 1, 1), planted, float(rng.choice([0.01, 0.1, 0.4])), seed)
    weight = values.transpose(0, 2, 3, 1)
    sizes: dict[Block, int] = {}
    for block in SHAPES:
        found = find_blocks(weight, block, ARCH)
        if found.pays:
            shape = PackedShape(cout, 1, 1, cin, block, bias=True)
            sizes[block] = shape.size(int(found.stored.sum()))
            assert found.size == sizes[block]
    chosen = find_blocks(weight, None, ARCH)
    if not sizes:
        assert not chosen.pays
        assert chosen.block == (8, 8)
    elif chosen.pays:
        assert sizes[chosen.block] == min(sizes.values())
        assert chosen.block == min(sizes, key=lambda b: (sizes[b], SHAPES.index(b)))
    else:
        assert chosen.size <= min(sizes.values())


@pytest.mark.parametrize("planted", SHAPES)
def test_auto_finds_the_blocks_that_were_pruned(planted: Block):
    density = 0.01 if planted == (1, 1) else 0.15
    weight = masked((192, 160, 1, 1), planted, density, 3).transpose(0, 2, 3, 1)
    assert find_blocks(weight, None, ARCH).block == planted


@pytest.mark.parametrize(("text", "seed"), list(product(TEXTS, range(3))))
def test_every_shape_computes_the_same_bits(text: str, seed: int):
    """All shapes on networks pruned in the same shape, or in any for `auto`."""
    rng = np.random.default_rng(seed)
    planted = parse_block(text) or SHAPES[seed % len(SHAPES)]
    model = sparse_network(seed, planted, 0.01 if planted == (1, 1) else 0.2)
    arch = f"paper-{rng.integers(1, 5)}x{rng.integers(1, 5)}"
    compiled = compile_model(model, arch, block=text)
    assert check(model, compiled, every_tensor=True).ok
    sparse = [op for op in weights_of(compiled) if op.format and op.format.data == "bitmap"]
    assert all(op.block_shape in SHAPES for op in sparse)
    assert text == "auto" or all(op.block_shape == planted for op in sparse)


@pytest.mark.parametrize("text", TEXTS)
def test_a_model_that_is_not_sparse_compiles_as_dense(text: str):
    b = QdqBuilder(1)
    x = b.conv(b.input((1, 16, 6, 6)), 24, (3, 3))
    compiled = compile_model(b.model(b.conv(x, 16, (1, 1))), "paper-2x2", block=text)
    for op in weights_of(compiled):
        assert op.format is not None
        assert (op.format.data, op.block_shape) == ("dense", (8, 8))


def test_the_commands_tell_shapes_and_almost_zero_blocks(bsc: Bsc, tmp_path: Path):
    """A layer of 16x4 blocks, one of which holds only -1: told, and stored."""
    b = QdqBuilder(4)
    x = b.input((1, 32, 5, 5), stem="x")
    model = b.model(b.conv(x, 32, (1, 1), bias=None))
    (tensor,) = (t for t in model.graph.initializer if len(t.dims) == 4)
    values = np.zeros((32, 32, 1, 1), np.int8)
    values[:16, 4:8] = 100
    values[16:, 12:16] = -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    path = str(saved(model, tmp_path / "model.onnx"))
    told = "1 block almost zero, no number above 1/64 of the weight's largest: stored all"
    code, out, _ = bsc("explain", path, "--block", "auto")
    assert code == 0
    (row,) = (line for line in out.splitlines() if "qnn.conv2d" in line)
    assert "16x4 0.12" in row
    assert told in out
    assert "4 of 16 blocks of 8x8 channels are not zero: density 0.25" in out
    assert "16x4" not in bsc("explain", path)[1]
    code, out, _ = bsc("compile", path, "-o", "out", "--block", "auto", "--arch", "paper-2x2")
    assert code == 0
    assert told in out
    assert "blocks: 16x4 in 1 of 1 weight" in out
    assert bsc("check", path, "out", "--every-tensor")[0] == 0


@pytest.mark.parametrize("text", ["8", "0x8", "8x", "8x8x8", "AUTO", "", "1e9x1", "-8x8"])
def test_what_is_no_shape(bsc: Bsc, tmp_path: Path, text: str):
    path = str(saved(random_network(0), tmp_path / "model.onnx"))
    for command in (["compile", path, "-o", "out"], ["explain", path]):
        code, out, err = bsc(*command, f"--block={text}")
        assert (code, out) == (1, "")
        assert err == (
            "bsc: error: block must be COUTxCIN, two numbers of at least 1 as in 8x8 or 16x4, "
            f"or auto, not '{text}'\n"
        )
    with pytest.raises(BscError, match="block must be"):
        parse_block(text)
