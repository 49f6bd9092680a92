"""Tables of 256 numbers against onnxruntime, at all positions that matter."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from exactness import assert_exact, operations
from onnx import helper
from qdq_models import Array, QdqBuilder, Signal

from bsc.dialects import qnn
from bsc.errors import ModelError
from bsc.frontend import import_onnx
from bsc.frontend.arithmetic import Arithmetic, Itself, Number
from bsc.frontend.curves import (
    Ambiguous,
    Curve,
    HardSigmoid,
    LeakyRelu,
    Sigmoid,
    Tanh,
    meant,
)
from bsc.sessions import open_session

POSITIONS = range(-1, 10)
DPU = 8193 / 8192
"""What Quark multiplies a HardSigmoid by."""


def times_input(curve: Curve) -> Curve:
    """What HardSwish is, of HardSigmoid."""
    return Arithmetic("Mul", curve, Itself())


_CURVES: list[tuple[Curve, list[tuple[str, dict[str, Any]]]]] = [
    (HardSigmoid(0.2, 0.5), [("HardSigmoid", {})]),
    (HardSigmoid(1 / 6, 0.5), [("HardSigmoid", {"alpha": 1 / 6})]),
    (HardSigmoid(0.1, 0.4), [("HardSigmoid", {"alpha": 0.1, "beta": 0.4})]),
    (
        Arithmetic("Mul", HardSigmoid(1 / 6, 0.5), Number(DPU)),
        [("HardSigmoid", {"alpha": 1 / 6}), ("Mul", {"by": DPU})],
    ),
    (times_input(HardSigmoid(1 / 6, 0.5)), [("HardSwish", {})]),
    (times_input(HardSigmoid(1 / 6, 0.5)), [("HardSigmoid", {"alpha": 1 / 6}), ("Mul", {})]),
    (LeakyRelu(0.01), [("LeakyRelu", {})]),
    (LeakyRelu(0.1), [("LeakyRelu", {"alpha": 0.1})]),
    (LeakyRelu(0.3), [("LeakyRelu", {"alpha": 0.3})]),
    (LeakyRelu(0.25), [("PRelu", {"by": 0.25})]),
    (Sigmoid(), [("Sigmoid", {})]),
    (Tanh(), [("Tanh", {})]),
    (times_input(Sigmoid()), [("Sigmoid", {}), ("Mul", {})]),
]


def computed(nodes: Sequence[tuple[str, dict[str, Any]]], pos: int) -> list[Array]:
    """What onnxruntime makes of all int8 at a position: as float32, then rounded to each of
    `POSITIONS`."""
    b = QdqBuilder()
    name = b.node("DequantizeLinear", ["x", b.scale(pos), b.zero()])
    first = name
    for op_type, attributes in nodes:
        inputs = [name]
        if "by" in attributes:
            inputs.append(b.constant(np.array([attributes["by"]], np.float32)))
        elif op_type == "Mul":
            inputs.append(first)
        kept = {k: v for k, v in attributes.items() if k != "by"}
        name = b.node(op_type, inputs, **kept)
    outputs = [name]
    for after in POSITIONS:
        outputs.append(b.node("QuantizeLinear", [name, b.scale(after), b.zero()]))
    x = np.arange(-128, 128).astype(np.int8)
    graph = helper.make_graph(
        b.nodes,
        "table",
        [helper.make_tensor_value_info("x", 3, [256])],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        list(b.initializers.values()),
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return [np.asarray(out) for out in open_session(model).run(None, {"x": x})]


@pytest.mark.parametrize(("curve", "nodes"), _CURVES, ids=lambda v: str(v)[:60])
def test_all_256_numbers_at_all_positions(
    curve: Curve, nodes: list[tuple[str, dict[str, Any]]]
):
    left_out = 0
    for pos in POSITIONS:
        reals, *rounded = computed(nodes, pos)
        for after, expected in zip(POSITIONS, rounded, strict=True):
            try:
                assert curve.table(pos, after) == expected.tolist()
            except Ambiguous:
                left_out += 1
        for q, real in zip(range(-128, 128), reals.tolist(), strict=True):
            x = q * Fraction(2) ** -pos
            if slack := curve.slack(x):
                assert abs(Fraction(real) - curve.exact(x)) < slack / 2
    assert left_out < len(POSITIONS) ** 2 / 5


def test_parameters_are_what_was_meant():
    floats = [float(np.float32(x)) for x in (1 / 6, 0.2, 0.01, 0.25, -0.5, DPU, 0, 3)]
    expected = ["1/6", "1/5", "1/100", "1/4", "-1/2", "8193/8192", "0", "3"]
    assert [str(meant(x)) for x in floats] == expected


# Models ------------------------------------------------------------------------------------


def small_map(b: QdqBuilder) -> Signal:
    """A feature map that the array has made."""
    return b.conv(b.input((1, 3, 5, 6)), 9, (3, 3))


def lookups(model: Any, **more: Any) -> list[qnn.LookupOp]:
    """The tables of a model, whose tensors are all onnxruntime's."""
    found = operations(assert_exact(model, **more))
    return [op for op in found if isinstance(op, qnn.LookupOp)]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_function_times_its_input_is_one_table(swapped: bool):
    b = QdqBuilder()
    x = small_map(b)
    gate = b.node("HardSigmoid", [x.name], alpha=1 / 6)
    names = [gate, x.name] if swapped else [x.name, gate]
    y = b.quantize(b.node("Mul", names), x.dims, x.pos)
    assert len(lookups(b.model(b.conv(y, 4)))) == 1


@pytest.mark.parametrize("op_type", ["Add", "MaxPool", "Mul", "Tanh"])
def test_what_else_reads_a_function_wants_it_rounded(op_type: str):
    b = QdqBuilder()
    x = small_map(b)
    other = b.conv(x, 9)
    gate = b.node("HardSigmoid", [x.name])
    match op_type:
        case "MaxPool":
            y = b.node(op_type, [gate], kernel_shape=[1, 1])
        case "Tanh":
            y = b.node(op_type, [gate])
        case _:
            y = b.node(op_type, [other.name, gate])
    # At the end the host does both.
    assert not lookups(b.model(y))
    message = (
        rf"node '{y}_node' \({op_type}\): reads '{gate}', .* that no QuantizeLinear has rounded"
    )
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(b.conv(b.quantize(y, x.dims, 4), 4)))


def test_a_table_and_bounds():
    """A relu or clip behind the function narrows its rounding."""
    b = QdqBuilder()
    x = small_map(b)
    y = b.activation(b.node("Tanh", [x.name]), "Clip", 6)
    (op,) = lookups(b.model(b.conv(b.quantize(y, x.dims, 6), 4)))
    assert op.epilogue is not None


@pytest.mark.parametrize("rounded", [False, True])
def test_the_host_does_what_follows_the_last_rounding(rounded: bool):
    b = QdqBuilder()
    x = small_map(b)
    y = b.node("HardSigmoid", [x.name])
    y = y if rounded else b.node("Softmax", [b.node("Relu", [y])])
    assert not lookups(b.model(y))


@pytest.mark.parametrize("scaled", [False, True])
def test_prelu_with_one_slope(scaled: bool):
    b = QdqBuilder()
    x = small_map(b)
    slope = np.array([[[0.25]]], np.float32)
    name = b.weight(np.full((1, 1, 1), 16, np.int8), 6) if scaled else b.constant(slope)
    y = b.quantize(b.node("PRelu", [x.name, name]), x.dims, x.pos)
    assert len(lookups(b.model(b.conv(y, 4)))) == 1


def test_prelu_with_many_slopes_is_refused():
    b = QdqBuilder()
    x = small_map(b)
    slopes = b.constant(np.arange(9, dtype=np.float32).reshape(9, 1, 1))
    y = b.quantize(b.node("PRelu", [x.name, slopes]), x.dims, x.pos)
    with pytest.raises(ModelError, match="has 9 different slopes: one is accepted"):
        import_onnx(b.model(b.conv(y, 4)))


def test_what_the_last_bits_decide_is_refused():
    b = QdqBuilder()
    x = b.input((1, 3, 5, 6), pos=6)
    y = b.quantize(b.node("HardSigmoid", [x.name], alpha=0.3, beta=0.3), x.dims, 6)
    message = r"node 'hardsigmoid_.*' \(HardSigmoid\): .*last bits of float32 .* for 111 is"
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(b.conv(y, 4)))


@pytest.mark.parametrize("relu", [False, True])
def test_the_host_does_at_the_end_what_the_last_bits_decide(relu: bool):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 5, 6)), 5, (3, 3))
    x = b.quantize(x.name, x.dims, 6)
    y = b.node("HardSigmoid", [x.name], alpha=0.3, beta=0.3)
    y = b.quantize(b.node("Relu", [y]) if relu else y, x.dims, 6)
    end = b.node("Softmax", [y.name])
    assert not lookups(b.model(y, end))
    # The same result is refused where the array wants it.
    with pytest.raises(ModelError, match=r"\(HardSigmoid\): .*last bits of float32"):
        import_onnx(b.model(end, b.conv(y, 4)))


def test_the_explanation_says_where_a_function_is():
    b = QdqBuilder()
    x = small_map(b)
    gate = b.quantize(b.node("Sigmoid", [x.name]), x.dims, 7)
    imported = import_onnx(b.model(b.conv(gate, 4)))
    reasons = {node.op_type: node.reason for node in imported.nodes}
    assert reasons["Sigmoid"] == "qnn.lookup: a table of 256 numbers"
