"""Zeros around a graph input that is not quantized yet: the host quantizes, the array pads."""

from __future__ import annotations

import numpy as np
import pytest
from exactness import assert_exact
from onnx import ModelProto, TensorProto, helper
from qdq_models import Array, QdqBuilder, Signal

import bsc
from bsc.errors import ModelError
from bsc.frontend import import_onnx


def padded_twice(seed: int) -> ModelProto:
    """Pads, channels first or last, with a transpose before, between or behind; then uint8 or
    int8; a second input without pads at times."""
    b = QdqBuilder(seed)
    channels, rows, cols = (int(n) for n in b.rng.integers(1, 9, 3))
    last = bool(b.rng.random() < 0.5)
    dims = [1, rows, cols, channels] if last else [1, channels, rows, cols]
    name = b.name("x")
    b.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
    amounts: Array = np.zeros((2, 4), np.int64)
    turn = int(b.rng.integers(0, 3)) if last else 3
    for step in range(2):
        if turn == step:
            name = b.node("Transpose", [name], perm=[0, 3, 1, 2])
        first = 1 if last and step < turn else 2
        now: Array = np.zeros((2, 4), np.int64)
        now[:, first : first + 2] = b.rng.integers(0, 4, (2, 2))
        amounts[:, 2:] += now[:, first : first + 2]
        name = b.node("Pad", [name, b.constant(now.reshape(-1))])
    if turn == 2:
        name = b.node("Transpose", [name], perm=[0, 3, 1, 2])
    size = tuple(n + int(amounts[:, i].sum()) for i, n in ((2, rows), (3, cols)))
    unsigned = b.constant(np.array(128, np.uint8)) if b.rng.random() < 0.5 else b.zero()
    scale = b.scale(4)
    quantized = b.node("QuantizeLinear", [name, scale, unsigned])
    real = b.node("DequantizeLinear", [quantized, scale, unsigned])
    x = Signal(real, (1, channels, *size), 4)
    if b.rng.random() < 0.5:
        other = b.input(x.dims)
        x = b.binary("Add", other, x)
    return b.model(b.conv(x, 5, (1, 1)))


@pytest.mark.parametrize("seeds", [range(20), range(20, 40)])
def test_zeros_around_an_input(seeds: range):
    for seed in seeds:
        assert_exact(padded_twice(seed), seed)


def test_on_the_array_too():
    model = padded_twice(7)
    compiled = bsc.compile(model, arch="paper-2x2")
    result = bsc.check(model, compiled, every_tensor=True)
    assert result.ok
    assert not result.unaccounted


def test_where_explain_says_that_it_is():
    found = [node for node in import_onnx(padded_twice(7)).nodes if node.op_type == "Pad"]
    assert {node.where for node in found} == {"array"}
    assert any("once the host has quantized it" in node.reason for node in found)


@pytest.mark.parametrize(
    ("pads", "mode", "message"),
    [
        ([0, 1, 0, 0, 0, 0, 0, 0], "constant", "'x', padded .*: zeros around rows"),
        ([0, 0, 1, 0, 0, 0, 0, 0], "edge", r"\(Pad\): attribute mode is 'edge': constant"),
        ([0, 0, -1, 0, 0, 0, 0, 0], "constant", r"\(Pad\): pads by .*-1.*: 0 to 65536"),
        ([0, 0, 60000, 60000, 0, 0, 0, 0], "constant", "elements"),
    ],
)
def test_what_is_refused(pads: list[int], mode: str, message: str):
    b = QdqBuilder()
    b.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 5]))
    given = b.constant(np.array(pads, np.int64))
    y = b.quantize(b.node("Pad", ["x", given], mode=mode), (1, 3, 5, 5), 4)
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(b.conv(y, 4)))


def test_a_reshape_behind_the_zeros():
    b = QdqBuilder()
    b.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 5]))
    given = b.constant(np.array([0, 0, 1, 0, 0, 0, 0, 0], np.int64))
    flat = b.node("Flatten", [b.node("Pad", ["x", given])])
    with pytest.raises(ModelError, match=r"makes \[1, 90\] of \[1, 3, 6, 5\], which .*padded"):
        import_onnx(b.model(b.gemm(b.quantize(flat, (1, 90), 4), 4)))
