"""Imported models compute what onnxruntime computes, at every quantized tensor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from qdq_models import (
    Pads,
    Pair,
    QdqBuilder,
    Signal,
    random_input,
    random_network,
    scrambled,
    windowed,
)
from xdsl.context import Context
from xdsl.dialects import builtin, func
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation
from xdsl.parser import Parser

from bsc import oracle
from bsc.dialects import bsw, qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, HostAttr, position_of
from bsc.dialects.slices import location_name
from bsc.frontend import Imported, import_onnx
from bsc.interpreter import run_every_tensor
from bsc.numerics import Int8, Requant


def main_of(imported: Imported) -> FuncOp:
    (main,) = (op for op in imported.module.ops if isinstance(op, FuncOp))
    return main


def operations(imported: Imported) -> list[Operation]:
    """The operations of `main` that compute."""
    return [op for op in main_of(imported).body.block.ops if op.name.startswith("qnn.")]


def argument_names(imported: Imported) -> list[str]:
    names = [location_name(arg.location) for arg in main_of(imported).body.block.args]
    return [name for name in names if name is not None]


def assert_exact(model: onnx.ModelProto, seed: int = 0) -> Imported:
    """Import `model`, run it, and compare all quantized tensors with onnxruntime's."""
    imported = import_onnx(model)
    imported.module.verify()
    feeds = random_input(model, seed)
    expected = oracle.quantized_tensors(model, feeds)
    names = argument_names(imported)
    inputs: list[Int8] = [oracle.to_nhwc(expected[name]) for name in names]
    found = run_every_tensor(imported.module, inputs) | dict(zip(names, inputs, strict=True))
    assert found.keys() == expected.keys() == imported.shapes.keys()
    for name, tensor in expected.items():
        assert imported.shapes[name] == tensor.shape
        np.testing.assert_array_equal(
            oracle.from_nhwc(found[name], tensor.shape), tensor, err_msg=name
        )
    return imported


# Whole networks ------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks(seed: int):
    assert_exact(random_network(seed), seed)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_as_careless_producers_write_them(seed: int):
    model = random_network(seed, layers=3)
    # Constants among the inputs are no inputs: the feeds are those of the plain model.
    plain, careless = import_onnx(model), import_onnx(scrambled(model, seed))
    assert plain.shapes == careless.shapes
    expected = oracle.quantized_tensors(model, random_input(model, seed))
    inputs: list[Int8] = [oracle.to_nhwc(expected[name]) for name in argument_names(plain)]
    found = run_every_tensor(careless.module, inputs)
    for name in found:
        np.testing.assert_array_equal(
            oracle.from_nhwc(found[name], plain.shapes[name]), expected[name]
        )
    names = {report.name for report in careless.nodes}
    assert len(names) == len(careless.nodes)


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


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=30, deadline=None)
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


# Relu, clip, elementwise ---------------------------------------------------------------


@pytest.mark.parametrize("pos", [2, 4, 6])
@pytest.mark.parametrize(
    ("lo", "hi"),
    [(0.0, 6.0), (-math.inf, 2.03125), (-1.40625, 0.09375), (None, 1.0), (7, None)],
)
def test_clip_bounds_round_half_to_even(pos: int, lo: float | None, hi: float | None):
    b = QdqBuilder()
    x = b.input((1, 4, 5, 5))
    limits = [
        "" if bound is None else b.constant(np.array(bound, np.float32)) for bound in (lo, hi)
    ]
    y = b.node("Clip", [x.name, *limits])
    z = b.node("Relu", [y])
    outputs = [b.quantize(y, (), pos), b.quantize(z, (), pos)]
    assert_exact(b.model(*outputs))


def test_relu_and_clip_become_bounds():
    b = QdqBuilder()
    x = b.input((1, 4, 5, 5), pos=4)
    hi = b.constant(np.array(6, np.float32))
    relu6 = b.node("Clip", [b.node("Relu", [x.name]), "", hi])
    (op,) = operations(assert_exact(b.model(b.quantize(relu6, (), 4))))
    assert isinstance(op, qnn.RequantizeOp)
    assert op.epilogue == EpilogueAttr((Requant(4, 0, 96),))


def test_clip_attributes_of_old_opsets():
    b = QdqBuilder(opset=10)
    x = b.input((1, 4, 5, 5))
    assert_exact(b.model(b.quantize(b.node("Clip", [x.name], min=-1.0, max=0.5), (), 4)))


@pytest.mark.parametrize("op_type", ["Add", "Mul"])
@pytest.mark.parametrize("positions", [(4, 4), (0, 9), (7, -3)])
def test_two_activations(op_type: str, positions: Pair):
    b = QdqBuilder()
    x, y = (b.input((1, 4, 5, 3), pos) for pos in positions)
    sums = [b.binary(op_type, x, y, act) for act in (None, "Relu")]
    imported = assert_exact(b.model(*sums, b.binary(op_type, x, x)))
    assert [a.index for a in main_of(imported).body.block.args] == [0, 1]


def test_concat_requantizes_each_input():
    b = QdqBuilder()
    parts = [b.input((1, c, 5, 3), pos) for c, pos in ((3, 4), (1, 2), (9, 5))]
    assert_exact(b.model(b.concat(parts, 3), b.concat([parts[0], parts[0]], 5)))


def test_concat_of_rows():
    b = QdqBuilder()
    parts = [b.input((1, c), pos) for c, pos in ((3, 4), (9, 5))]
    y = b.node("Concat", [p.name for p in parts], axis=-1)
    assert_exact(b.model(b.quantize(y, (), 4)))


# Fully connected layers and reshapes ---------------------------------------------------


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("rounded", [True, False])
def test_gemm_reads_a_feature_map_as_it_lies(transposed: bool, rounded: bool):
    b = QdqBuilder()
    x = b.input((1, 5, 3, 4))
    imported = assert_exact(b.model(b.gemm(b.flatten(x, rounded), 7, transposed)))
    *aliases, dense = operations(imported)
    assert isinstance(dense, qnn.DenseOp)
    assert dense.weight_type.shape == (7, 3, 4, 5)
    assert [op.name for op in aliases] == ["qnn.reshape"] * rounded
    assert all(op.operands[0].type == op.results[0].type for op in aliases)


@pytest.mark.parametrize("shape", [(1, 60), (1, 1, 60)])
@pytest.mark.parametrize("bias", [(7,), (1, 7), (1,), ()])
def test_matmul_and_bias(shape: tuple[int, ...], bias: tuple[int, ...]):
    b = QdqBuilder()
    x = b.input((1, 5, 3, 4))
    flat = b.node("Reshape", [x.name, b.constant(np.array([0, *shape[1:-1], -1]))])
    product = b.node("MatMul", [flat, b.weight(b.ints((60, 7)), 7)])
    added = b.weight(b.ints(bias, 5000, np.int32), 11)
    y = b.node("Add", [added, product])
    imported = assert_exact(b.model(b.quantize(y, (), 2), b.quantize(product, (), 2)))
    assert {op.name for op in operations(imported)} == {"qnn.dense"}


def test_transposed_weights():
    b = QdqBuilder()
    x = b.input((1, 12))
    w = b.weight(b.ints((7, 12)), 7)
    other = b.node("Transpose", [w])
    y = b.node("MatMul", [x.name, other])
    z = b.node("Gemm", [x.name, w], transB=1)
    assert_exact(b.model(b.quantize(y, (), 3), b.quantize(z, (), 3)))


def test_shape_noise_moves_nothing():
    b = QdqBuilder()
    x = b.global_pool(b.input((1, 6, 3, 4)))
    names = [x.name]
    names.append(b.node("Identity", [names[-1]]))
    names.append(b.node("Dropout", [names[-1]]))
    names.append(b.node("Squeeze", [names[-1], b.constant(np.array([2, 3]))]))
    names.append(b.node("Unsqueeze", [names[-1], b.constant(np.array([-1, 0]))]))
    names.append(b.node("Flatten", [names[-1]], axis=-2))
    names.append(b.node("Reshape", [names[-1], b.constant(np.array([1, 6, -1, 1]))]))
    names.append(b.node("Transpose", [names[-1]], perm=[0, 2, 3, 1]))
    outputs = [b.quantize(name, (), x.pos) for name in names]
    outputs.append(b.quantize(names[-1], (), x.pos - 1))
    imported = assert_exact(b.model(*outputs))
    ops = operations(imported)
    assert [op.name for op in ops[1:]] == ["qnn.reshape"] * 8 + ["qnn.requantize"]
    assert {r.where for r in imported.nodes[2:-1] if r.op_type == "Squeeze"} == {"array"}


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("opset", [13, 18])
def test_mean_over_rows_and_columns(keep: bool, opset: int):
    b = QdqBuilder(opset=opset)
    x = b.input((1, 6, 3, 5))
    if opset < 18:
        y = b.node("ReduceMean", [x.name], axes=[-1, 2], keepdims=int(keep))
    else:
        axes = b.constant(np.array([3, -2]))
        y = b.node("ReduceMean", [x.name, axes], keepdims=int(keep))
    imported = assert_exact(b.model(b.quantize(y, (), x.pos + 1)))
    assert [op.name for op in operations(imported)] == ["qnn.global_avg_pool"]


@settings(max_examples=15, deadline=None)
@given(pairs(20), st.integers(-1, 3))
def test_global_average(size: Pair, gain: int):
    b = QdqBuilder()
    x = b.input((1, 3, *size))
    y = b.node("GlobalAveragePool", [x.name])
    assert_exact(b.model(b.quantize(y, (), x.pos + gain)))


# Weights -------------------------------------------------------------------------------


def test_a_weight_used_twice_is_one_symbol():
    b = QdqBuilder()
    x, y = b.input((1, 4, 5, 5)), b.input((1, 4, 5, 5))
    w = b.weight(b.ints((4, 4, 3, 3)), 7, "shared weight/0")
    outputs = [b.quantize(b.node("Conv", [s.name, w]), (), 2) for s in (x, y)]
    imported = assert_exact(b.model(*outputs))
    (weight,) = (op for op in imported.module.ops if isinstance(op, bsw.WeightOp))
    assert weight.sym_name.data.startswith("shared_weight_0")
    assert (location_name(weight.location) or "").startswith("shared weight/0")
    gets = [op for op in main_of(imported).body.block.ops if isinstance(op, bsw.GetOp)]
    assert len(gets) == 2
    assert all(isinstance(op.next_op, qnn.Conv2dOp) for op in gets)


def test_float_weights_with_a_quantizer_of_their_own():
    b = QdqBuilder()
    x = b.input((1, 4, 5, 5))
    w = b.constant(b.rng.standard_normal((3, 4, 2, 2)).astype(np.float32), "float_w")
    real = b.quantize(w, (), 5)
    imported = assert_exact(b.model(b.quantize(b.node("Conv", [x.name, real.name]), (), 3)))
    assert len(imported.shapes) == 2


def test_typed_fields_hold_weights_too():
    b = QdqBuilder()
    x = b.input((1, 2, 5, 5))
    model = b.model(b.conv(x, 3, (2, 2)))
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        typed = helper.make_tensor(
            tensor.name, tensor.data_type, tensor.dims, values.reshape(-1)
        )
        tensor.CopyFrom(typed)
    assert not any(tensor.HasField("raw_data") for tensor in model.graph.initializer)
    assert_exact(model)


# The boundary to the host --------------------------------------------------------------


def hosts(attributes: Any) -> list[HostAttr]:
    return [item.data["qnn.host"] for item in attributes]


def test_inputs_and_outputs_of_every_kind():
    b = QdqBuilder()
    image, row = b.input((1, 3, 4, 4)), b.input((1, 5), pos=2)
    b.inputs.append(helper.make_tensor_value_info("ready", TensorProto.INT8, [1, 3, 4, 4]))
    ready = Signal(b.node("DequantizeLinear", ["ready", b.scale(4), b.zero()]), (1, 3, 4, 4), 4)
    total = b.binary("Add", image, ready)
    scores = b.node("Softmax", [row.name], axis=-1)
    raw = b.node("QuantizeLinear", [total.name, b.scale(2), b.zero()])
    model = b.model(scores, total, raw)
    model.graph.output[2].type.tensor_type.elem_type = TensorProto.INT8
    imported = assert_exact(model)
    main = main_of(imported)
    assert [h.onnx_name.data for h in hosts(main.arg_attrs)] == ["x_1", "x_6", "ready"]
    assert [h.dtype.data for h in hosts(main.arg_attrs)] == ["float32", "float32", "int8"]
    assert [h.layout.data for h in hosts(main.arg_attrs)] == ["NCHW", "NC", "NCHW"]
    assert [position_of(a.type) for a in main.body.block.args] == [4, 2, 4]
    assert argument_names(imported) == ["quantizelinear_4", "quantizelinear_9", "ready"]
    results = hosts(main.res_attrs)
    assert results[0].onnx_name.data == "quantizelinear_9"
    assert results[2].onnx_name.data == raw
    assert {h.dtype.data for h in results} == {"int8"}


def test_every_node_is_reported_with_a_reason():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 8, (3, 3), activation="Relu")
    y = b.gemm(b.flatten(b.global_pool(x)), 5)
    unused = b.node("Identity", [x.name])
    model = b.model(b.node("Softmax", [y.name]))
    imported = assert_exact(model)
    assert [r.name for r in imported.nodes] == [node.name for node in model.graph.node]
    by_name = {r.name: r for r in imported.nodes}
    on_host = [r.op_type for r in imported.nodes if r.where == "host"]
    assert on_host == ["QuantizeLinear", "DequantizeLinear", "Identity", "Softmax"]
    assert "not used" in by_name[f"{unused}_node"].reason
    assert "while it lays the tensor out" in imported.nodes[0].reason
    assert all(r.reason for r in imported.nodes)
    (conv,) = (r for r in imported.nodes if r.op_type == "Conv")
    assert conv.certified
    assert 0 < (conv.accumulator_bound or 0) < 2**24
    assert by_name[imported.nodes[-1].name].accumulator_bound is None


def test_accumulators_beyond_float32_are_not_certified():
    b = QdqBuilder()
    x = b.input((1, 1200))
    w = b.weight(np.full((1200, 2), 127, np.int8), 7)
    y = b.quantize(b.node("MatMul", [x.name, w]), (), -5)
    (report,) = (r for r in import_onnx(b.model(y)).nodes if r.op_type == "MatMul")
    assert report.accumulator_bound == 1200 * 127 * 128
    assert not report.certified


@pytest.mark.parametrize("stem", ["Quant/ [$.#@:]_", "Qu\u00e4nt/\x01 $.#@:_"])
def test_names_that_are_no_identifiers(stem: str):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 3)
    content = b.model(b.unary("Relu", x)).SerializeToString()
    renamed = content.replace(b"quantizelinear_", stem.encode())
    imported = assert_exact(onnx.ModelProto.FromString(renamed))
    assert next(iter(imported.shapes)).startswith(stem)


def test_the_module_is_what_its_text_says():
    text = str(import_onnx(random_network(3)).module)
    context = Context()
    for dialect in (builtin.Builtin, func.Func, bsw.BSW, qnn.QNN):
        context.load_dialect(dialect)
    assert str(Parser(context, text).parse_module()) == text


def test_a_deep_graph_needs_no_deep_stack(tmp_path: Path):
    b = QdqBuilder()
    x = b.input((1, 1))
    name = x.name
    for _ in range(5000):
        name = b.node("Identity", [name])
    model = b.model(b.quantize(name, (), x.pos))
    path = tmp_path / "deep.onnx"
    path.write_bytes(model.SerializeToString())
    assert len(operations(import_onnx(path))) == 1
