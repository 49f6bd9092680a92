"""Elementwise operators, dense layers and weights compute what onnxruntime computes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from exactness import assert_exact, main_of, operations
from onnx import helper, numpy_helper
from qdq_models import (
    Pair,
    QdqBuilder,
    random_input,
)

from bsc.dialects import bsw, qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.dialects.slices import location_name
from bsc.numerics import Requant

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


@pytest.mark.parametrize("pos", [-31, -27, -24, 31])
def test_far_positions_use_all_of_int8(pos: int):
    b = QdqBuilder()
    x = b.input((1, 4, 5, 5), pos=pos)
    hi = b.constant(np.array(2.0**-pos * 90, np.float32))
    values = [x.name, b.node("Relu", [x.name]), b.node("Clip", [x.name, "", hi])]
    values.append(b.node("Add", [x.name, x.name]))
    model = b.model(*(b.quantize(value, (), pos) for value in values))
    levels = np.arange(-128, 128, 2.56)[:100].reshape(1, 4, 5, 5)
    (name,) = random_input(model)
    assert_exact(model, feeds={name: np.ldexp(levels, -pos).astype(np.float32)})


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
