"""The forms in which a quantized model is written: all of them compute the same values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from test_prepare import Net, cnn

from bsc.errors import BscError
from bsc.prepare import ACTIVATION_TYPES, QUANT_FORMATS, Form, ort, prepare
from bsc.prepare.samples import samples

FORMS = [
    Form(quant_format, activations, fuse_relu)
    for quant_format in QUANT_FORMATS
    for activations in ACTIVATION_TYPES
    for fuse_relu in ((False, True) if quant_format == "qdq" else (False,))
]


@pytest.fixture(scope="module", params=FORMS, ids=str)
def written(request: pytest.FixtureRequest) -> tuple[Form, onnx.ModelProto]:
    """A form, and a network with Relu, Clip, Mul, Concat, means and more in it."""
    form: Form = request.param
    return form, prepare(cnn(), form=form)


def test_all_forms_compute_the_same(written: tuple[Form, onnx.ModelProto]):
    _, model = written
    usual = prepare(cnn())
    for feed in samples(usual, 6, np.random.default_rng(7)):
        expected, found = ort.run(usual, feed)["y"], ort.run(model, feed)["y"]
        assert len(np.unique(expected)) > 3
        np.testing.assert_array_equal(found, expected)


def test_the_form_is_the_one_asked_for(written: tuple[Form, onnx.ModelProto]):
    form, model = written
    made = {name: node for node in model.graph.node for name in node.output}
    kinds = Counter(node.op_type for node in model.graph.node)
    before = Counter(
        made[node.input[0]].op_type
        for node in model.graph.node
        if node.op_type in ("Clip", "Relu")
    )
    if form.quant_format == "qoperator":
        assert (kinds["QLinearConv"], kinds["QLinearConcat"]) == (5, 1)
        assert not kinds["Conv"]
        assert not kinds["Concat"]
    else:
        assert (kinds["Conv"], kinds["Concat"], kinds["QLinearConv"]) == (5, 1, 0)
    expected = {"Conv": 2, "Add": 1} if form.fuse_relu else {"DequantizeLinear": 3}
    assert before == expected


def test_zero_points_are_0_of_weights_and_in_the_middle_of_activations(
    written: tuple[Form, onnx.ModelProto],
):
    form, model = written
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    zero = {"int8": np.int8(0), "uint8": np.uint8(128)}[form.activations]
    activations = [n for n in model.graph.node if n.op_type == "QuantizeLinear"]
    assert activations
    for node in activations:
        point = values[node.input[2]]
        assert (point.dtype, point.item()) == (zero.dtype, zero)
    weights = {name: value for name, value in values.items() if value.ndim == 4}
    factor = weights.pop("factor_quantized")  # an operand, like an activation
    assert factor.dtype == zero.dtype
    assert len(weights) == 5
    assert {value.dtype for value in weights.values()} == {np.dtype(np.int8)}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_mean_has_the_scale_of_its_input(form: Form):
    """Means are small beside what they are taken of, so that a scale of their own is finer."""
    net = Net(seed=3)
    x = net.node("Conv", ["x", net.normal("w1", 8, 3, 3, 3)], "c1")
    x = net.node("AveragePool", [x], "p1", kernel_shape=[7, 7], strides=[1, 1])
    model = net.model(net.node("Conv", [x, net.normal("w2", 8, 8, 3, 3)], "y"), [8, 6, 6])
    usual, written = prepare(model), prepare(model, form=form)
    for feed in samples(usual, 3, np.random.default_rng(1)):
        expected = ort.run(usual, feed)["y"]
        assert expected.std() > 0
        np.testing.assert_array_equal(ort.run(written, feed)["y"], expected)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form("qlinear"), "unknown format 'qlinear': give one of qdq, qoperator"),
        (Form("qdq", "int4"), "unknown type of activations 'int4': give one of int8, uint8"),
        (Form("qoperator", "int8", fuse_relu=True), "relus are fused in format qdq only"),
    ],
)
def test_what_is_no_form(form: Form, message: str):
    with pytest.raises(BscError, match=message):
        prepare("squeezenet", form=form)
