"""Imported networks, and windows of every form, compute what onnxruntime computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from exactness import assert_exact, operations
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from qdq_models import (
    Pads,
    Pair,
    QdqBuilder,
    random_input,
    random_network,
    scrambled,
    windowed,
)

from bsc import oracle
from bsc.dialects import bsw, qnn
from bsc.frontend import import_onnx

# Whole networks ------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1))
def test_random_networks(seed: int):
    assert_exact(random_network(seed), seed)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_as_careless_producers_write_them(seed: int):
    model = random_network(seed, layers=3)
    careless = assert_exact(scrambled(model, seed), seed)
    assert careless.shapes == import_onnx(model).shapes
    names = {report.name for report in careless.nodes}
    assert len(names) == len(careless.nodes)


def test_the_default_domain_by_its_full_name():
    model = random_network(5)
    for node in model.graph.node[::2]:
        node.domain = "ai.onnx"
    model.opset_import[0].domain = "ai.onnx"
    assert_exact(model)


def test_the_host_quantizes_as_onnxruntime_does():
    b = QdqBuilder()
    model = b.model(b.input((1, 3, 5, 7), pos=3))
    feeds = random_input(model)
    feeds["x_1"].flat[:4] = [0.0625, 0.1875, -0.0625, 1e9]
    ((_, expected),) = oracle.quantized_tensors(model, feeds).items()
    np.testing.assert_array_equal(oracle.host_quantize(feeds["x_1"], 3), expected)


# Windows -------------------------------------------------------------------------------

sizes = st.integers(1, 14)


def pairs(most: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(1, most), st.integers(1, most))


@st.composite
def windows(draw: st.DrawFn, dilated: bool = True) -> tuple[Pair, Pair, Pair, Pads, Pair]:
    """Size, kernel, strides, pads (less than the kernel) and dilations with an output."""
    size, kernel, strides = draw(pairs(14)), draw(pairs(4)), draw(pairs(3))
    dilations = draw(pairs(2)) if dilated else (1, 1)
    top, left, bottom, right = (draw(st.integers(0, k - 1)) for k in kernel * 2)
    pads = (top, left, bottom, right)
    if min(windowed((1, 1, *size), kernel, strides, pads, dilations)) < 1:
        size = (14, 14)
    return size, kernel, strides, pads, dilations


@settings(max_examples=40)
@given(
    windows(), st.sampled_from(["MaxPool", "AveragePool"]), st.booleans(), st.booleans(), sizes
)
def test_pools(
    window: tuple[Pair, Pair, Pair, Pads, Pair],
    op_type: str,
    ceil: bool,
    include: bool,
    seed: int,
):
    size, kernel, strides, pads, dilations = window
    # A dilated kernel may step over a small input; that is refused.
    assume(min(size) >= max(dilations))
    b = QdqBuilder(seed, opset=19)
    x = b.input((1, 3, *size))
    attributes: dict[str, Any] = {"ceil_mode": int(ceil)}
    if op_type == "AveragePool":
        attributes["count_include_pad"] = int(include and not ceil)
    y = b.node(
        op_type,
        [x.name],
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        **attributes,
    )
    for pos in (x.pos - 1, x.pos + 2):
        b.quantize(y, (), pos)
    model = b.model(b.quantize(y, (), x.pos))
    assert_exact(model, seed)


@settings(max_examples=30)
@given(
    pairs(14),
    pairs(4),
    pairs(3),
    st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]),
    st.sampled_from(["Conv", "MaxPool", "AveragePool"]),
)
def test_auto_pad(size: Pair, kernel: Pair, strides: Pair, mode: str, op_type: str):
    if mode == "VALID":
        kernel = (min(size[0], kernel[0]), min(size[1], kernel[1]))
    elif op_type != "Conv":
        strides = (min(kernel[0], strides[0]), min(kernel[1], strides[1]))
    b = QdqBuilder()
    x = b.input((1, 2, *size))
    w = [b.weight(b.ints((3, 2, *kernel)), 7)] if op_type == "Conv" else []
    y = b.node(op_type, [x.name, *w], kernel_shape=kernel, strides=strides, auto_pad=mode)
    assert_exact(b.model(b.quantize(y, (), x.pos - 2 * len(w))))


@settings(max_examples=15)
@given(pairs(20), st.integers(-1, 3))
def test_global_average(size: Pair, gain: int):
    b = QdqBuilder()
    x = b.input((1, 3, *size))
    y = b.node("GlobalAveragePool", [x.name])
    assert_exact(b.model(b.quantize(y, (), x.pos + gain)))


@pytest.mark.parametrize("bias", [None, np.int8, np.int32])
@pytest.mark.parametrize("activation", [None, "Relu", "Clip"])
def test_convolutions(bias: type | None, activation: str | None):
    b = QdqBuilder(1)
    x = b.input((1, 6, 9, 8))
    y = b.conv(x, 4, (3, 2), (2, 1), (1, 0, 2, 1), (1, 2), 2, bias, activation)
    imported = assert_exact(b.model(y))
    (conv,) = operations(imported)
    assert isinstance(conv, qnn.Conv2dOp)
    assert (conv.epilogue is None) == (activation is None)


@pytest.mark.parametrize(("shift", "count"), [(-3, 4), (9, 4), (0, 0)])
def test_a_bias_has_a_position_of_its_own(shift: int, count: int):
    b = QdqBuilder(2)
    x = b.input((1, 3, 4, 4))
    w = b.weight(b.ints((5, 3, 1, 1)), 7)
    bias = b.weight(b.ints((5,), 20 * count, np.int32), x.pos + 7 + shift)
    y = b.node("Conv", [x.name, w, bias])
    imported = assert_exact(b.model(b.quantize(y, (), 3)))
    (weight,) = (op for op in imported.module.ops if isinstance(op, bsw.WeightOp))
    # A bias of zeros gets the position of the products.
    assert weight.type.bias_pos == x.pos + 7 + shift


def test_zeros_as_bias_cost_no_precision():
    b = QdqBuilder(2)
    x = b.input((1, 3, 4, 4))
    w = b.weight(b.ints((5, 3, 1, 1)), 7)
    bias = b.weight(np.zeros(5, np.int32), 50)
    imported = assert_exact(b.model(b.quantize(b.node("Conv", [x.name, w, bias]), (), 3)))
    (weight,) = (op for op in imported.module.ops if isinstance(op, bsw.WeightOp))
    assert weight.type.bias_pos == x.pos + 7
