"""The dialects of producers: each gives the same bits as onnxruntime on the file as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from exactness import argument_names, assert_exact, operations
from model_forms import as_channels_last, as_qoperator, as_uint8
from onnx import TensorProto, helper
from qdq_models import Array, QdqBuilder, Signal, random_input, random_network

import bsc
from bsc.frontend import import_onnx
from bsc.interpreter import run_module
from bsc.oracle import quantized_tensors
from bsc.sessions import open_session

SEEDS = range(8)


def sizes(b: QdqBuilder, *limits: int) -> list[int]:
    """Random numbers, each from 1 to a limit."""
    return [int(b.rng.integers(1, limit + 1)) for limit in limits]


def counts(model: onnx.ModelProto) -> Counter[str]:
    """How many operations of each kind the model becomes."""
    return Counter(op.name for op in operations(assert_exact(model)))


# Whole networks ------------------------------------------------------------------------

FORMS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "uint8": as_uint8,
    "qoperator": as_qoperator,
    "qoperator-uint8": lambda m: as_qoperator(as_uint8(m)),
    "channels-last": as_channels_last,
    "channels-last-uint8": lambda m: as_uint8(as_channels_last(m)),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_random_networks(form: str, seed: int):
    assert_exact(FORMS[form](random_network(seed)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", FORMS)
def test_random_networks_compiled(form: str, seed: int):
    """The program runs on the machine and returns what onnxruntime returns, in its type."""
    model = FORMS[form](random_network(seed + 50, layers=3))
    compiled = bsc.compile(model, arch="paper-2x2")
    assert bsc.check(model, compiled, every_tensor=True).ok
    feeds = random_input(model)
    outputs = bsc.run(compiled, feeds).outputs
    judged = onnx.ModelProto()
    judged.CopyFrom(model)
    del judged.graph.output[:]
    judged.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    found: list[Array] = open_session(judged).run(list(outputs), feeds)
    for name, expected in zip(outputs, found, strict=True):
        assert outputs[name].dtype == expected.dtype
        np.testing.assert_array_equal(outputs[name], expected)


def test_forms_are_what_they_say():
    model = random_network(3, layers=12)
    plain = Counter(node.op_type for node in model.graph.node)
    fused = Counter(node.op_type for node in as_qoperator(model).graph.node)
    assert fused["QLinearConv"] > 0
    assert fused["QuantizeLinear"] < plain["QuantizeLinear"]
    turned = Counter(node.op_type for node in as_channels_last(model).graph.node)
    assert turned["Transpose"] >= 2 * plain["Conv"] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_transposes_cancel(seed: int):
    """A network with the channels last has the operations of the one with them first."""
    model = random_network(seed)
    assert counts(as_channels_last(model)) == counts(model)


def test_fused_operators_are_explained_by_their_own_names():
    b = QdqBuilder(4)
    model = as_qoperator(b.model(b.conv(b.input((1, 5, 6, 6)), 9, (3, 3))))
    (conv,) = (n for n in bsc.explain(model).nodes if n.report.op_type == "QLinearConv")
    assert (conv.report.where, conv.report.reason) == ("array", "qnn.conv2d")
    assert conv.weight == 7
    assert conv.shift is not None
    assert conv.blocks is not None
    assert conv.report.accumulator_bound


def test_a_fused_operator_is_refused_under_its_own_name():
    b = QdqBuilder(4)
    model = as_qoperator(b.model(b.conv(b.input((1, 5, 6, 6)), 9, (3, 3))))
    for node in model.graph.node:
        if node.op_type == "QLinearConv":
            node.input[3] = node.input[8]
    with pytest.raises(bsc.ModelError, match=r"node 'conv_\d+_node' \(QLinearConv\): "):
        bsc.compile(model, arch="paper-2x2")


# Constants -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_that_are_clipped_or_quantized_in_the_file(seed: int):
    b = QdqBuilder(seed)
    cin, cout, rows, cols = sizes(b, 20, 20, 9, 9)
    x = b.input((1, cin, rows, cols))
    scale, zero = b.scale(7), b.zero()
    weight = b.constant(b.ints((cout, cin, 1, 1), 128))
    if seed % 2:
        real = b.rng.standard_normal((cout, cin, 1, 1)).astype(np.float32)
        weight = b.node("QuantizeLinear", [b.constant(real), scale, zero])
    limits = [b.constant(np.array(n, np.int8)) for n in (-100, 90)]
    clipped = b.node("Clip", [weight, *limits])
    real_weight = b.node("DequantizeLinear", [clipped, scale, zero])
    y = b.quantize(b.node("Conv", [x.name, real_weight]), (1, cout, rows, cols), x.pos - 3)
    assert_exact(b.model(y))


@pytest.mark.parametrize("op_type", ["Add", "Mul", "Sub"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_for_each_channel(op_type: str, seed: int):
    """Normalization that was left standing, channels first and last, int8 and uint8."""
    b = QdqBuilder(seed)
    channels, rows, cols = sizes(b, 20, 7, 7)
    x = b.conv(b.input((1, 3, rows, cols)), channels)
    last = seed % 2
    name, dims = x.name, (1, channels, rows, cols)
    if last:
        name = b.node("Transpose", [name], perm=[0, 2, 3, 1])
        dims = (1, rows, cols, channels)
    wide = [(1, channels, 1, 1), (1, 1, 1, channels)][last]
    shape = () if seed == 3 else wide
    pos = int(b.rng.integers(2, 7))
    if seed < 4:
        constant = b.weight(np.asarray(b.ints(shape)), pos)
    else:
        # Any zero point will do, as long as the numbers fit int8.
        values = b.rng.integers(60, 180, shape).astype(np.uint8)
        zero = b.constant(np.array(120, np.uint8))
        constant = b.node("DequantizeLinear", [b.constant(values), b.scale(pos), zero])
    inputs = [name, constant] if seed % 3 else [constant, name]
    result = x.pos + pos - 7 if op_type == "Mul" else min(x.pos, pos) - 1
    assert_exact(b.model(b.quantize(b.node(op_type, inputs), dims, result)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_weight_of_uint8(seed: int):
    """With a zero point of 128, and with others that leave int8; all numbers of either."""
    b = QdqBuilder(seed)
    channels, rows, cols = sizes(b, 20, 7, 7)
    x = b.input((1, channels, rows, cols))
    middle = 128 if seed % 2 else int(b.rng.integers(120, 128))
    shape = (int(b.rng.integers(1, 20)), channels, 1, 1)
    values = b.rng.integers(0, middle + 128, shape).astype(np.uint8)
    zero = b.constant(np.array(middle, np.uint8))
    weight = b.node("DequantizeLinear", [b.constant(values), b.scale(7), zero])
    dims = (1, shape[0], rows, cols)
    assert_exact(b.model(b.quantize(b.node("Conv", [x.name, weight]), dims, x.pos - 3)))


@pytest.mark.parametrize("op_type", ["Add", "Sub"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_float_constant_for_each_channel(op_type: str, seed: int):
    """All 256 numbers in each channel, beside constants of any size, and halves."""
    b = QdqBuilder(seed)
    channels = int(b.rng.integers(1, 40))
    pos = int(b.rng.integers(2, 7))
    b.inputs.append(
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 16, 16])
    )
    x = b.quantize("x", (1, channels, 16, 16), pos)
    size = float(10.0 ** int(b.rng.integers(-4, 2)))
    values: Array = b.rng.standard_normal((1, channels, 1, 1)) * size
    if seed % 4 == 0:
        values = np.asarray(np.ldexp(np.rint(np.ldexp(values, pos + 1)), -pos - 1))
    constant = b.constant(values.astype(np.float32))
    inputs = [x.name, constant] if seed % 2 else [constant, x.name]
    result = b.node(op_type, inputs)
    if seed % 3 == 0:
        result = b.node("Relu", [result])
    y = b.quantize(result, x.dims, pos + int(b.rng.integers(-2, 3)))
    every = np.ldexp(np.arange(-128, 128, dtype=np.float32), -pos).reshape(1, 1, 16, 16)
    assert_exact(b.model(y), feeds={"x": np.repeat(every, channels, axis=1)})


def test_a_constant_that_is_no_number_is_named():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 5, 5)), 8)
    mean = b.constant(np.full((1, 8, 1, 1), np.nan, np.float32), "mean")
    model = b.model(b.quantize(b.node("Sub", [x.name, mean]), x.dims, 4))
    (problem,) = bsc.explain(model).problems
    assert f"reads constant '{mean}' of float32" in problem


# Without a rounding --------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_operators_that_are_exact_need_no_rounding(seed: int):
    """Maxima, relus and parts of int8 numbers are int8 numbers."""
    b = QdqBuilder(seed)
    channels, rows, cols = sizes(b, 20, 9, 9)
    x = b.conv(b.input((1, 3, rows, cols)), channels)
    limits = [b.constant(np.array(n, np.float32)) for n in (-0.5, 2)]
    zeros = b.constant(np.array([0, 0, 1, 0, 0, 0, 2, 1]))
    steps: list[Callable[[str], str]] = [
        lambda name: b.node("MaxPool", [name], kernel_shape=[1, 1], strides=[1, 1]),
        lambda name: b.node("Relu", [name]),
        lambda name: b.node("Clip", [name, *limits]),
        lambda name: b.node("Pad", [name, zeros]),
    ]
    name = x.name
    order: list[int] = b.rng.permutation(len(steps)).tolist()
    for i in order:
        name = steps[i](name)
    y = b.quantize(b.node("GlobalAveragePool", [name]), (1, channels, 1, 1), x.pos + 1)
    assert_exact(b.model(y))


def test_a_clip_between_the_numbers_needs_one():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 5, 5)), 8)
    limits = [b.constant(np.array(limit, np.float32)) for limit in (-0.3, 0.3)]
    mean = b.node("GlobalAveragePool", [b.node("Clip", [x.name, *limits])])
    assert_exact(b.model(y := b.quantize(mean, (1, 8, 1, 1), 4)))  # both by the host
    (problem,) = bsc.explain(b.model(b.conv(y, 4))).problems
    assert "(GlobalAveragePool): reads 'clip_" in problem
    assert "no QuantizeLinear has rounded" in problem


# Pads and means ------------------------------------------------------------------------


@pytest.mark.parametrize("op_type", ["Conv", "MaxPool", "AveragePool", "Relu"])
@pytest.mark.parametrize("seed", SEEDS)
def test_pad_before(op_type: str, seed: int):
    b = QdqBuilder(seed)
    channels, rows, cols = sizes(b, 20, 9, 9)
    x = b.conv(b.input((1, 3, rows, cols)), channels, activation="Relu")
    top, left, bottom, right = (int(n) for n in b.rng.integers(0, 4, 4))
    rows, cols = rows + top + bottom, cols + left + right
    name = b.node("Pad", [x.name, b.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))])
    padded = Signal(name, (1, channels, rows, cols), x.pos)
    if seed % 2:
        padded = b.quantize(name, padded.dims, x.pos)
    kernel = (min(int(b.rng.integers(1, 4)), rows), min(int(b.rng.integers(1, 4)), cols))
    if op_type == "Conv":
        y = b.conv(padded, 9, kernel, pads=(kernel[0] - 1, 0, 0, kernel[1] - 1))
    elif op_type == "Relu":
        y = b.unary("Relu", padded)
    else:
        own = (kernel[0] - 1, 0, 0, kernel[1] - 1) if seed % 4 > 1 else (0, 0, 0, 0)
        counted: dict[str, int] = {}
        if op_type == "AveragePool":
            counted["count_include_pad"] = int(seed > 3)
        y = b.pool(op_type, padded, kernel, (1, 1), own, None, **counted)
    assert_exact(b.model(y))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_reduce_mean_over_the_image(seed: int, keep: int, last: bool):
    b = QdqBuilder(seed, opset=[13, 18][seed % 2])
    channels, rows, cols = sizes(b, 20, 9, 9)
    x = b.conv(b.input((1, 3, rows, cols)), channels)
    name, axes = x.name, [2, -1]
    if last:
        name, axes = b.node("Transpose", [name], perm=[0, 2, 3, 1]), [-2, 1]
    if b.opset == 13:
        mean = b.node("ReduceMean", [name], axes=axes, keepdims=keep)
    else:
        mean = b.node("ReduceMean", [name, b.constant(np.array(axes))], keepdims=keep)
    ones = (1, 1, channels) if last else (channels, 1, 1)
    dims = (1, *ones) if keep else (1, channels)
    y = b.quantize(mean, dims, x.pos + 2)
    assert_exact(b.model(b.gemm(b.flatten(y), 5)))


# Views ---------------------------------------------------------------------------------


def shuffled(b: QdqBuilder, x: Signal, groups: int) -> str:
    """A channel shuffle, its shape computed by the graph."""
    _, channels, rows, cols = x.dims
    shape = b.node("Shape", [x.name])
    one = b.node("Gather", [shape, b.constant(np.array([1]))])
    each = b.node("Div", [one, b.constant(np.array([groups]))])
    ends = [b.constant(np.array(n)) for n in ([1, groups], [rows, cols])]
    split = b.node("Concat", [ends[0], each, ends[1]], axis=0)
    parts = b.node("Transpose", [b.node("Reshape", [x.name, split])], perm=[0, 2, 1, 3, 4])
    return b.node("Reshape", [parts, b.constant(np.array([1, channels, rows, cols]))])


@pytest.mark.parametrize("reader", ["Conv", "depthwise", "Add", "output", "Gemm"])
@pytest.mark.parametrize("seed", range(4))
def test_channel_shuffle(reader: str, seed: int):
    b = QdqBuilder(seed)
    groups, each, rows, cols = sizes(b, 4, 9, 5, 5)
    x = b.conv(b.input((1, 3, rows, cols)), groups * each)
    name = shuffled(b, x, groups)
    y = b.quantize(name, x.dims, x.pos) if seed % 2 else Signal(name, x.dims, x.pos)
    match reader:
        case "Conv":
            y = b.conv(y, 7, (min(2, rows), 1))
        case "depthwise":
            y = b.conv(y, y.dims[1], groups=y.dims[1])
        case "Add":
            y = b.binary("Add", x, y)
        case "Gemm":
            y = b.gemm(b.flatten(y), 5)
        case _:
            y = b.quantize(name, x.dims, x.pos)
    assert_exact(b.model(y))


@pytest.mark.parametrize("seed", range(12))
def test_slices_and_splits(seed: int):
    """Parts of any axis, with steps, read by convolutions, pools, sums and dense layers."""
    b = QdqBuilder(seed)
    channels, rows, cols = (n + 1 for n in sizes(b, 20, 9, 9))
    x = b.conv(b.input((1, 3, rows, cols)), channels)
    axis = int(b.rng.integers(1, 4))
    size = x.dims[axis]
    start = int(b.rng.integers(0, size - 1))
    step = int(b.rng.integers(1, 3))
    numbers = [b.constant(np.array([n])) for n in (start, 10**9, axis - 4, step)]
    part = b.node("Slice", [x.name, *numbers])
    dims = list(x.dims)
    dims[axis] = len(range(start, size, step))
    cut = Signal(part, tuple(dims), x.pos)
    if seed % 2:
        cut = b.quantize(part, dims, x.pos - seed % 3)
    ends = [
        b.conv(cut, 6),
        b.unary("Relu", cut),
        b.gemm(b.flatten(cut), 4),
        b.pool("AveragePool", cut, (1, 1)),
    ]
    first = int(b.rng.integers(1, channels))
    counts = b.constant(np.array([first, channels - first]))
    b.nodes.append(helper.make_node("Split", [x.name, counts], ["left", "right"], axis=1))
    left = Signal("left", (1, first, rows, cols), x.pos)
    right = Signal("right", (1, channels - first, rows, cols), x.pos)
    ends += [b.concat([right, left]), b.conv(left, 5)]
    assert_exact(b.model(*ends))


@pytest.mark.parametrize("seed", range(8))
def test_parts_of_what_is_not_rounded_yet(seed: int):
    """The rounding is that of all of it; a transposed convolution is cropped so."""
    b = QdqBuilder(seed)
    cin, rows, cols = (n + 1 for n in sizes(b, 8, 7, 7))
    x = b.input((1, cin, rows, cols))
    w = b.weight(b.ints((cin, 6, 3, 3)), 7)
    whole = b.node("ConvTranspose", [x.name, w], strides=[2, 1])
    axis = 1 + seed % 3
    ends = (b.constant(np.array([n])) for n in (seed % 2, [0, 5, 2 * rows, cols][axis], axis))
    part = b.node("Slice", [whole, *ends])
    count = b.constant(np.array([2, 4]))
    b.nodes.append(helper.make_node("Split", [whole, count], ["two", "four"], axis=1))
    y = b.quantize(b.node("Relu", ["four"]), (), x.pos - 3)
    z = b.quantize(b.node("Gather", [whole, b.constant(np.array([4, 1]))], axis=1), (), 0)
    assert_exact(b.model(b.quantize(part, (), x.pos - 2), y, z))


@pytest.mark.parametrize("seed", range(4))
def test_a_part_is_the_result(seed: int):
    """The host reads whole tensors in ONNX's order: here they are made for it."""
    b = QdqBuilder(seed)
    channels, rows, cols = (n + 2 for n in sizes(b, 20, 7, 7))
    x = b.conv(b.input((1, 3, rows, cols)), channels)
    wanted = b.rng.permutation(channels)[:2]
    part = b.node("Gather", [x.name, b.constant(wanted)], axis=1)
    y = b.quantize(part, (1, 2, rows, cols), x.pos)
    last = b.node("Transpose", [x.name], perm=[0, 2, 3, 1])
    turned = b.quantize(last, (1, rows, cols, channels), x.pos)
    model = b.model(y, turned)
    compiled = bsc.compile(model, arch="paper-2x2")
    assert bsc.check(model, compiled, every_tensor=True).ok


def test_a_uint8_input_of_the_graph():
    b = QdqBuilder(2)
    b.inputs.append(helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 6, 5, 4]))
    zero = b.constant(np.array(128, np.uint8))
    x = Signal(b.node("DequantizeLinear", ["x", b.scale(4), zero]), (1, 6, 5, 4), 4)
    model = as_uint8(b.model(b.conv(x, 9, (3, 3))))
    compiled = bsc.compile(model, arch="paper-2x2")
    assert bsc.check(model, compiled, inputs=2, every_tensor=True).ok


# Means times a constant ----------------------------------------------------------------

DPU = {2: (1, 2), 3: (7, 6), 5: (10, 8), 6: (7, 8), 7: (21, 10), 8: (1, 6), 12: (57, 13)}
"""What AMD's DPU multiplies the sum over n x n elements by, as m / 2^shift."""


@pytest.mark.parametrize("op_type", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize("size", DPU)
def test_a_mean_times_a_constant(op_type: str, size: int):
    b = QdqBuilder(size)
    channels = int(b.rng.integers(1, 20))
    extra = 0 if op_type != "AveragePool" else int(b.rng.integers(0, 4))
    shape = (1, channels, size + extra, size + extra)
    x = b.conv(b.input((1, 2, *shape[2:])), channels)
    name, out = x.name, (1, channels, 1 + extra, 1 + extra)
    match op_type:
        case "AveragePool":
            pads = [size % 2] * 4
            out = (1, channels, *(n + 2 * pads[0] for n in out[2:]))
            name = b.node(
                "AveragePool", [name], kernel_shape=[size] * 2, pads=pads, count_include_pad=1
            )
        case "ReduceMean":
            name, out = b.node("ReduceMean", [name], axes=[2, 3], keepdims=0), (1, channels)
        case _:
            name = b.node("GlobalAveragePool", [name])
    m, shift = DPU[size]
    factor = b.constant(np.array(size * size * m / 2**shift, np.float32))
    inputs = [name, factor] if channels % 2 else [factor, name]
    y = b.quantize(b.node("Mul", inputs), out, x.pos + 1)
    assert_exact(b.model(y))


@pytest.mark.parametrize("factor", [0.9, 1.0e-3, np.inf])
def test_a_mean_times_a_constant_that_is_no_such_number(factor: float):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 5, 5)), 8)
    constant = b.constant(np.array(factor, np.float32))
    mean = b.node("Mul", [b.node("GlobalAveragePool", [x.name]), constant])
    (problem,) = bsc.explain(b.model(b.quantize(mean, (1, 8, 1, 1), 4))).problems
    assert re.search(r"\(Mul\): multiplies .*(25 elements|is inf)", problem)


@pytest.mark.parametrize(
    ("rows", "cols", "warned"), [(4, 7, True), (7, 8, True), (7, 7, False), (8, 8, False)]
)
def test_a_kernel_of_onnxruntime_that_is_not_exact_is_warned_of(
    rows: int, cols: int, warned: bool
):
    """Its fused mean multiplies by a rounded 1/N, which shows where a sum is halfway."""
    b = QdqBuilder()
    x = b.input((1, 2000, rows, cols))
    pooled = b.quantize(b.node("GlobalAveragePool", [x.name]), (1, 2000, 1, 1), x.pos)
    model = as_qoperator(b.model(pooled))
    lines = [line for line in bsc.explain(model).warnings if "rounded 1/" in line]
    assert len(lines) == int(warned)
    imported = import_onnx(model)
    feeds = random_input(model)
    (name,) = imported.views.keys() - set(argument_names(imported))
    expected = quantized_tensors(model, feeds, imported.views)
    inputs = [imported.views[n].to_value(expected[n]) for n in argument_names(imported)]
    (found,) = run_module(imported.module, inputs)
    equal = np.array_equal(imported.views[name].of_value(found), expected[name])
    assert equal is not warned


# Constants that are computed -----------------------------------------------------------


@pytest.mark.parametrize(
    ("op_type", "values"),
    [
        ("ConstantOfShape", [[2**40, 2**20]]),
        ("Expand", [[1], [2**30, 2**30]]),
        ("Tile", [[1, 2], [2**40]]),
        ("Range", [0, 2**50, 1]),
        ("Range", [0, 5, 0]),
        ("Add", [[[1]] * 3000, [[1] * 3000]]),
        ("Concat", [[1] * 2**15] * 3),
    ],
)
def test_a_few_numbers_that_ask_for_much_are_not_computed(op_type: str, values: list[Any]):
    """As the shape of a reshape, which is then not known: without an allocation."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 8)
    names = [b.constant(np.array(value, np.int64)) for value in values]
    attributes = {"axis": 0} if op_type == "Concat" else {}
    shape = b.node(op_type, names, **attributes)
    y = b.quantize(b.node("Reshape", [x.name, shape]), (1, 128), x.pos)
    problems = bsc.explain(b.model(b.gemm(y, 5))).problems
    assert problems
    assert all("node '" in line for line in problems)


def test_a_computed_constant_that_onnxruntime_refuses():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 8)
    shape = b.node("Gather", [b.constant(np.array([1, 128])), b.constant(np.array([5]))])
    y = b.quantize(b.node("Reshape", [x.name, shape]), (1, 128), x.pos)
    (problem,) = bsc.explain(b.model(y)).problems
    assert "(Gather): cannot be computed from its constants: " in problem
