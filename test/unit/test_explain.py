"""`bsc explain`: what it says of each node is what the import does, and what the numbers of
the file say."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import helper, numpy_helper
from qdq_models import QdqBuilder, Signal, random_network

import bsc as api
from bsc.errors import BscError, ModelError
from bsc.frontend import import_onnx
from bsc.frontend.explain import Explanation, NodeFacts, explain
from bsc.frontend.given import parse_shapes


def facts(explanation: Explanation, op_type: str, index: int = 0) -> NodeFacts:
    return [f for f in explanation.nodes if f.report.op_type == op_type][index]


def requantized(b: QdqBuilder, op_type: str, *inputs: Signal, pos: int, **more: int) -> Signal:
    """An operator and its rounding to a position of the test's choice."""
    name = b.node(op_type, [x.name for x in inputs], **more)
    return b.quantize(name, inputs[0].dims, pos)


# The facts -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_import_and_explanation_are_one_decision(seed: int):
    model = random_network(seed)
    explanation = api.explain(model)
    assert tuple(f.report for f in explanation.nodes) == import_onnx(model).nodes
    assert not explanation.problems
    explanation.raise_if_refused()
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = {v.name: v for v in (*inferred.value_info, *inferred.output)}
    for node, found in zip(model.graph.node, explanation.nodes, strict=True):
        shape = known[node.output[0]].type.tensor_type.shape
        assert found.dims == tuple(d.dim_value for d in shape.dim)


def test_a_layer_that_nothing_reads_is_left_out():
    b = QdqBuilder(3)
    x = b.conv(b.input((1, 5, 9, 9)), 8)
    b.conv(x, 9)
    found = explain(b.model(b.conv(x, 7)))
    reasons = [f.report.reason for f in found.nodes if f.report.op_type == "Conv"]
    assert reasons == ["qnn.conv2d", "its result is not used: left out", "qnn.conv2d"]


@pytest.mark.parametrize("seed", range(8))
def test_the_facts_of_a_convolution(seed: int):
    """Shape, positions, shift, density and bound, worked out from the initializers."""
    rng = np.random.default_rng(seed)
    b = QdqBuilder(seed)
    cin, cout = (int(n) for n in rng.integers(1, 40, 2))
    k, size = int(rng.integers(1, 4)), int(rng.integers(4, 9))
    values = b.ints((cout, cin, k, k), 1 + int(rng.integers(1, 120)))
    for row in range(0, cout, 8):
        for column in range(0, cin, 8):
            if rng.random() < 0.5:
                values[row : row + 8, column : column + 8] = 0
    bias = b.ints((cout,), 5000, np.int32)
    x_pos, w_pos, out_pos = (int(n) for n in rng.integers(-3, 9, 3))
    x = b.input((1, cin, size, size), x_pos)
    w, c = b.weight(values, w_pos), b.weight(bias, x_pos + w_pos, "b")
    y = b.quantize(b.node("Conv", [x.name, w, c]), (), out_pos)
    found = facts(explain(b.model(y)), "Conv")
    assert found.dims == (1, cout, size - k + 1, size - k + 1)
    assert (found.inputs, found.weight, found.result) == ((x_pos,), w_pos, out_pos)
    assert found.bias == x_pos + w_pos
    assert found.shift == x_pos + w_pos - out_pos
    sums = np.abs(values.astype(np.int64)).sum(axis=(1, 2, 3)) * 128 + np.abs(bias)
    assert found.report.accumulator_bound == sums.max()
    blocks = [
        values[i : i + 8, j : j + 8].any() for i in range(0, cout, 8) for j in range(0, cin, 8)
    ]
    assert found.blocks is not None
    assert found.blocks.all == len(blocks) == math.ceil(cout / 8) * math.ceil(cin / 8)
    assert found.blocks.stored == sum(map(bool, blocks))


@pytest.mark.parametrize("seed", range(4))
def test_the_density_of_a_dense_layer(seed: int):
    rng = np.random.default_rng(seed)
    b = QdqBuilder(seed)
    rows, columns = (int(n) for n in rng.integers(9, 60, 2))
    values = b.ints((rows, columns)) | 1
    values[:, :8] = 0
    x = b.input((1, columns))
    y = b.quantize(b.node("Gemm", [x.name, b.weight(values, 7)], transB=1), (), 3)
    found = facts(explain(b.model(y)), "Gemm")
    assert found.blocks is not None
    across = math.ceil(columns / 8)
    assert found.blocks.all == math.ceil(rows / 8) * across
    assert found.blocks.stored == math.ceil(rows / 8) * (across - 1)


# Warnings ------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 8, 15, 16, 17, 18])
def test_the_shifts_that_other_compilers_take(shift: int):
    b = QdqBuilder(shift + 9)
    x = b.input((1, 4, 5, 5), 6)
    name = b.node("Conv", [x.name, b.weight(b.ints((4, 4, 1, 1)), 5)])
    model = b.model(b.quantize(name, (), 11 - shift))
    warnings = explain(model).warnings
    if 0 <= shift <= 16:
        assert not warnings
    else:
        (line,) = warnings
        assert line == (
            f"node '{name}_node' (Conv): shift {shift} = 6 + 5 - {11 - shift}, of input, "
            "weight and result: AMD's compiler takes 0 to 16"
        )


@pytest.mark.parametrize("apart", [-9, -8, -7, 0, 6, 7, 8])
def test_the_positions_that_other_compilers_add(apart: int):
    b = QdqBuilder()
    x, y = b.input((1, 4, 5, 5), 3), b.input((1, 4, 5, 5), 3 + apart)
    warnings = explain(b.model(requantized(b, "Add", x, y, pos=2))).warnings
    assert len(warnings) == (abs(apart) > 7)
    for line in warnings:
        assert f"(Add): positions 3 and {3 + apart} of its inputs" in line


@pytest.mark.parametrize("positions", [(4, 4, 4), (3, 4, 3), (3, 3, 4), (5, 5, 5), (6, 5, 2)])
@pytest.mark.parametrize("op_type", ["Concat", "MaxPool"])
def test_positions_that_other_compilers_align(op_type: str, positions: tuple[int, int, int]):
    b = QdqBuilder()
    *before, after = positions
    if op_type == "Concat":
        inputs = [b.input((1, 4, 5, 5), pos) for pos in before]
        y = requantized(b, "Concat", *inputs, pos=after, axis=1)
    else:
        before = before[:1]
        x = b.input((1, 4, 5, 5), before[0])
        y = b.quantize(b.node("MaxPool", [x.name], kernel_shape=[2, 2]), (), after)
    warnings = explain(b.model(y)).warnings
    assert len(warnings) == (set(before) != {after})
    for line in warnings:
        assert f"({op_type}): position" in line


def test_sums_beyond_float32_are_a_warning():
    b = QdqBuilder()
    w = b.weight(np.full((1200, 2), 127, np.int8), 7)
    y = b.quantize(b.node("MatMul", [b.input((1, 1200)).name, w]), (), -5)
    (line,) = (w for w in explain(b.model(y)).warnings if "2^24" in w)
    assert re.search(r"\(MatMul\): its sums can reach 19,507,200, beyond 2\^24", line)


# Models that cannot be compiled ----------------------------------------------------------


def three_unsupported() -> onnx.ModelProto:
    """Operators of the host in the middle of a network, and one at its end."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 8, 8)), 16, (3, 3), activation="Relu")
    x = requantized(b, "LRN", x, pos=x.pos, size=5)
    y = requantized(b, "Softplus", b.conv(x, 16), pos=3)
    x = requantized(b, "Erf", b.binary("Add", x, y), pos=6)
    x = b.gemm(b.flatten(b.global_pool(x)), 10)
    return b.model(b.node("Softmax", [x.name]))


def test_what_is_refused_stands_beside_the_rest(bsc: Bsc):
    Path("m.onnx").write_bytes(three_unsupported().SerializeToString())
    code, out, err = bsc("explain", "m.onnx")
    assert code == 1
    named = re.findall(r"node '(\w+)' \((\w+)\): operator \w+ is not supported here", err)
    assert [op_type for _, op_type in named] == ["LRN", "Softplus", "Erf"]
    assert len(err.splitlines()) == 3
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    for name, _ in named:
        assert re.match(r"\w+ +\w+ +refused +1x16x6x6 ", rows[name])
    explanation = explain("m.onnx")
    assert len(explanation.problems) == 3
    assert [(f.report.op_type, f.report.where) for f in explanation.nodes
            if f.report.op_type not in ("QuantizeLinear", "DequantizeLinear")] == [
        ("Conv", "array"), ("Relu", "array"), ("LRN", "refused"), ("Conv", "array"),
        ("Softplus", "refused"), ("Add", "array"), ("Erf", "refused"),
        ("GlobalAveragePool", "array"), ("Flatten", "array"), ("Gemm", "array"),
        ("Softmax", "host"),
    ]  # fmt: skip
    conv, add = facts(explanation, "Conv", 1), facts(explanation, "Add")
    assert conv.shift == conv.inputs[0] + 7 - (conv.result or 0)
    assert add.inputs == (facts(explanation, "Conv").result, 3)
    with pytest.raises(ModelError) as caught:
        explanation.raise_if_refused()
    assert caught.value.problems == explanation.problems
    undecided = sum(f.report.where == "undecided" for f in explanation.nodes)
    assert f"3 nodes refused, {undecided} undecided because of them" in out


def test_what_depends_on_a_refused_node_is_undecided():
    b = QdqBuilder()
    x = b.conv(b.input((1, 4, 6, 6)), 4)
    bad = b.constant(np.array(0.3, np.float32))
    odd = b.node("QuantizeLinear", [x.name, bad, b.zero()])
    real = b.node("DequantizeLinear", [odd, b.scale(4), b.zero()])
    explanation = explain(b.model(b.conv(Signal(real, x.dims, 4), 4)))
    assert [f.report.where for f in explanation.nodes if f.report.op_type == "Conv"] == [
        "array",
        "undecided",
    ]
    last = facts(explanation, "Conv", 1).report
    assert last.reason == f"depends on node '{odd}_node' (QuantizeLinear)"
    assert facts(explanation, "Conv").dims == (1, 4, 6, 6)
    assert len(explanation.problems) == 1


def test_a_float_model_is_explained_too(bsc: Bsc):
    nodes = [
        helper.make_node("LRN", ["x"], ["a"], "norm", size=3),
        helper.make_node("Conv", ["a", "w"], ["b"], "conv"),
        helper.make_node("Softmax", ["b"], ["y"], "soft"),
        helper.make_node("Conv", ["b", "w"], ["z"], "odd", domain="acme"),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4, 6, 6])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    w = numpy_helper.from_array(np.ones((2, 4, 3, 3), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [x], [y], [w])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    Path("m.onnx").write_bytes(model.SerializeToString())
    code, out, err = bsc("explain", "m.onnx")
    assert code == 1
    assert [line.split(": ")[3].partition(" (")[0] for line in err.splitlines()] == [
        "is a float model",
        "node 'norm'",
        "node 'odd'",
    ]
    assert re.search(r"^conv +Conv +undecided +1x2x4x4 ", out, re.MULTILINE)
    assert re.search(r"^soft +Softmax +host +1x2x4x4 ", out, re.MULTILINE)


# The command ---------------------------------------------------------------------------


def test_the_command_has_a_row_for_every_node(bsc: Bsc):
    model = random_network(5)
    Path("m.onnx").write_bytes(model.SerializeToString())
    code, out, err = bsc("explain", "m.onnx")
    assert (code, err) == (0, "")
    title, *rows = out.partition("\n\n")[0].splitlines()
    assert title.split()[:4] == ["node", "op", "where", "shape"]
    assert [row.split()[:2] for row in rows] == [[n.name, n.op_type] for n in model.graph.node]
    code, brief, err = bsc("explain", "m.onnx", "--brief")
    assert (code, err) == (0, "")
    shown = brief.partition("\n\n")[0].splitlines()[1:]
    plain = [n for n in model.graph.node if not n.op_type.endswith("Linear")]
    assert len(plain) < len(shown) < len(rows)
    assert brief.partition("\n\n")[2] == out.partition("\n\n")[2]
    assert not [path for path in Path().iterdir() if path.name != "m.onnx"]
    code, out, _ = bsc("explain", "--help")
    assert code == 0
    assert "examples:" in out


def test_names_are_no_markup(bsc: Bsc):
    content = random_network(0).SerializeToString()
    Path("m.onnx").write_bytes(content.replace(b"quantizelinear_", b"[red]/[b]a[/b]_"))
    code, out, err = bsc("explain", "m.onnx")
    assert (code, err) == (0, "")
    assert "[red]/[b]a[/b]_" in out


# Shapes --------------------------------------------------------------------------------


def open_model(seed: int = 0) -> onnx.ModelProto:
    """A network whose input has a symbol for the batch and none for height and width."""
    b = QdqBuilder(seed)
    x = b.conv(b.input((1, 4, 9, 8)), 8, (3, 3), activation="Relu")
    model = b.model(b.gemm(b.flatten(b.global_pool(x)), 5))
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_param = "batch"
    dims[2].dim_param = "height"
    dims[3].Clear()
    return model


def test_shapes_that_the_model_leaves_open(bsc: Bsc):
    model = open_model()
    name = model.graph.input[0].name
    Path("m.onnx").write_bytes(model.SerializeToString())
    code, _, err = bsc("explain", "m.onnx")
    assert code == 1
    assert re.fullmatch(
        rf"bsc: error: m.onnx: graph input '{name}': dimension 0 is the symbol 'batch', "
        rf"dimension 2 is the symbol 'height', dimension 3 is not given: .* --shape "
        rf"{name}=1x4xNxN\n",
        err,
    )
    code, out, err = bsc("explain", "m.onnx", "--shape", f"{name}=1x4x9x8")
    assert (code, err) == (0, "")
    assert re.search(r" Conv +array +1x8x7x6 ", out)
    shape = ("--shape", f"{name}=1x4x12x10")
    code, _, err = bsc("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2", *shape)
    assert (code, err) == (0, "")
    code, _, err = bsc("check", "m.onnx", "out", "--every-tensor", *shape)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("height", [5, 11])
def test_a_symbol_has_one_value_everywhere(height: int):
    model = open_model()
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[3].dim_param = "height"
    found = explain(model, {"batch": 1, "height": height})
    assert not found.problems
    assert facts(found, "Conv").dims == (1, 8, height - 2, height - 2)


def test_an_open_batch_hides_no_other_problem():
    model = open_model()
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_value, dims[3].dim_value = 9, 8
    gemm = next(n for n in model.graph.node if n.op_type == "Gemm")
    gemm.attribute.append(helper.make_attribute("transA", 1))
    batch, other = explain(model).problems
    assert batch.endswith("or give --shape batch=1")
    assert "attribute transA is 1" in other


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"bacth": 1}, r"has no symbol 'bacth' to give a shape to: .*did you mean 'batch'"),
        ({"images": (1, 4, 9, 8)}, "has no graph input 'images' to give a shape to"),
        ({"x_1": (1, 3, 9, 8)}, r"cannot be \[1, 3, 9, 8\]"),
        ({"x_1": (1, 4, 9)}, r"cannot be \[1, 4, 9\]"),
        ({"x_1": (2, 4, 9, 8)}, "has a batch of 2"),
        ({"x_1": (1, 4, 0, 8)}, "all must be at least 1"),
        ({"x_1": (1, 4, 2**30, 8)}, "at most 2147483647 are accepted"),
    ],
)
def test_shapes_that_do_not_fit(given: dict[str, int | tuple[int, ...]], expected: str):
    problems = explain(open_model(), given).problems
    assert any(re.search(expected, line) for line in problems), problems


@pytest.mark.parametrize("text", ["batch", "batch=", "=1", "batch=x", "x=1x-3", "x=1,3", ""])
def test_shapes_that_make_no_sense(text: str):
    with pytest.raises(BscError, match="--shape must be of the form batch=1 or"):
        parse_shapes([text])


@pytest.mark.parametrize("command", ["compile", "check", "explain"])
def test_the_help_of_shape_has_no_python_in_it(bsc: Bsc, command: str):
    code, out, _ = bsc(command, "--help")
    assert code == 0
    assert "--shape" in out
    assert "<class" not in out
