"""What the host computes although the array could: results that no QuantizeLinear has rounded,
which only the host reads, or the user."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from exactness import assert_exact, operations
from qdq_models import QdqBuilder, Signal, random_input
from spoilt_models import Net, problems_of

from bsc.frontend.explain import explain
from bsc.partition import chain, cut
from bsc.prepare import ort

STEPS = ("Add", "Clip", "Mean", "Pool", "Relu", "Scale", "Sigmoid")
"""Operators of the array."""


class Tail:
    """A network, and behind its last rounding operators of the array, in any order and
    unrounded; those of the host end some.  `made` are the nodes behind the rounding."""

    def __init__(self, seed: int):
        self.rng = rng = np.random.default_rng(seed)
        self.b = b = QdqBuilder(seed)
        dims = (1, 3, *rng.integers(5, 9, 2).tolist())
        self.x = b.conv(b.input(dims), int(rng.integers(1, 20)), (3, 3), activation="Relu")
        self.before = len(b.nodes)
        shape, self.name = list(self.x.dims), self.x.name
        for step in rng.choice(STEPS, int(rng.integers(1, 6))):
            self.name, shape = self.step(str(step), shape)
        if rng.random() < 0.3:
            self.name = b.node("Transpose", [self.name], perm=[0, 1, 3, 2])
            shape = [*shape[:2], shape[3], shape[2]]
        if rng.random() < 0.5:
            self.name = b.node("Flatten", [self.name])
            shape = [1, int(np.prod(shape))]
        if rng.random() < 0.7:
            self.name = b.node("Softmax", [self.name], axis=1)
        self.dims = tuple(shape)

    def step(self, kind: str, shape: list[int]) -> tuple[str, list[int]]:
        b, name = self.b, self.name
        match kind:
            case "Add":
                return b.node("Add", [name, name]), shape
            case "Clip":
                limits = [b.constant(np.array(n, np.float32)) for n in (-0.3, 2.2)]
                return b.node("Clip", [name, *limits]), shape
            case "Mean":
                return b.node("GlobalAveragePool", [name]), [*shape[:2], 1, 1]
            case "Pool":
                return b.node("MaxPool", [name], kernel_shape=[1, 1]), shape
            case "Scale":
                return b.node("Mul", [name, b.weight(b.ints((1, shape[1], 1, 1)), 7)]), shape
            case _:
                return b.node(kind, [name]), shape

    @property
    def made(self) -> list[str]:
        return [node.name for node in self.b.nodes[self.before :]]


@pytest.mark.parametrize("seed", range(24))
def test_the_host_goes_on_from_the_last_quantized_tensor(seed: int):
    tail = Tail(seed)
    model = tail.b.model(tail.name)
    imported = assert_exact(model)
    assert len(operations(imported)) == 1
    where = {facts.report.name: facts.report.where for facts in explain(model).nodes}
    assert {where[name] for name in tail.made} == {"host"}
    array, host = cut(model)
    assert {node.name for node in host.model.graph.node} >= set(tail.made)
    assert (array.on_array, host.on_array) == (True, False)


@pytest.mark.parametrize("seed", range(6))
def test_the_outputs_are_those_of_onnxruntime(seed: int):
    tail = Tail(seed)
    model = tail.b.model(tail.name)
    feeds = random_input(model, seed)
    found = chain.run(chain.compile(model, "paper-2x2"), feeds).outputs
    expected = ort.run(model, feeds)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("seed", range(12))
def test_what_the_array_needs_is_not_left_to_the_host(seed: int):
    """A convolution wants the tail back: what reads unrounded results is refused, and so are
    operators of the host; nothing else is."""
    tail = Tail(seed)
    b = tail.b
    shape = (*tail.dims, 1, 1)[:4]
    name = b.node("Reshape", [tail.name, b.constant(np.array(shape))])
    model = b.model(b.conv(b.quantize(name, shape, 5), 4))
    reports = [facts.report for facts in explain(model).nodes]
    refused = {report.name for report in reports if report.where == "refused"}
    expected = "no QuantizeLinear has rounded|host does it at the end of the graph only|move"
    assert refused <= set(tail.made)
    assert all(re.search(expected, r.reason) for r in reports if r.where == "refused")
    assert bool(explain(model).problems) == bool(refused)
    if not refused:
        assert_exact(model)


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_one_result_rounded_for_the_array_and_unrounded_for_the_host(by_user: bool, relu: bool):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 6, 6)), 8)
    mean = b.node("GlobalAveragePool", [x.name])
    mean = b.node("Relu", [mean]) if relu else mean
    back = b.conv(b.quantize(mean, (1, 8, 1, 1), 6), 4)
    end = mean if by_user else b.node("Softmax", [mean], axis=1)
    model = b.model(Signal(end, (), 0), back)
    (line,) = problems_of(Net(model))
    who = f"graph output '{mean}': is" if by_user else rf"node '{end}_node' \(Softmax\): reads"
    assert re.search(rf"{who} .*node 'globalaver\w+' .* no QuantizeLinear has rounded", line)
    outputs = chain.run(chain.compile(model, "paper-2x2"), feeds := random_input(model)).outputs
    for name, values in ort.run(model, feeds).items():
        np.testing.assert_array_equal(outputs[name], values)


@pytest.mark.parametrize("end", ["Relu", "Softmax", "Identity"])
def test_products_are_not_left_to_the_host(end: str):
    b = QdqBuilder()
    x = b.input((1, 3, 6, 6))
    weight = b.weight(b.ints((8, 3, 1, 1)), 7)
    sums = b.node("Conv", [b.conv(x, 3).name, weight])
    (line,) = problems_of(Net(b.model(b.node(end, [sums]))))
    assert f"the result of node '{sums}_node' (Conv)" in line


def test_names_for_the_same_data_are_for_both():
    """A Flatten that a product reads and a Softmax: neither has to compute anything."""
    b = QdqBuilder()
    x = b.flatten(b.conv(b.input((1, 3, 5, 5)), 8))
    model = b.model(b.node("Softmax", [x.name]), b.gemm(x, 4))
    assert_exact(model)
    parts = cut(model)
    assert [part.on_array for part in parts] == [True, False]
    outputs = chain.run(chain.compile(model, "paper-2x2"), feeds := random_input(model)).outputs
    for name, values in ort.run(model, feeds).items():
        np.testing.assert_array_equal(outputs[name], values)


def moved(b: QdqBuilder, x: Signal, kind: str) -> str:
    """An operator of the array that data would have to move for, unrounded."""
    turned = b.node("Transpose", [x.name], perm=[0, 1, 3, 2])
    match kind:
        case "Concat":
            return b.node("Concat", [x.name, x.name], axis=2)
        case "MaxPool":
            return b.node("MaxPool", [turned], kernel_shape=[2, 2])
        case "Resize":
            scales = b.constant(np.array([1, 1, 2, 2], np.float32))
            modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            return b.node("Resize", [turned, "", scales], **modes)
        case _:
            return b.node("Add", [x.name, turned])


@pytest.mark.parametrize("kind", ["Concat", "MaxPool", "Resize", "Add"])
def test_what_the_layout_refuses_is_left_to_the_host(kind: str):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 6, 6)), 6)
    y = moved(b, x, kind)
    assert len(operations(assert_exact(b.model(b.node("Softmax", [y], axis=1), x)))) == 1
    # In the middle nobody but the host could, and --partition lets it.
    middle = b.model(b.conv(b.quantize(y, x.dims, x.pos), 4))
    (problem,) = problems_of(Net(middle))
    assert re.search(rf"\({kind}\): .*(would have to move|1, the channels, is)", problem)
    assert [part.on_array for part in cut(middle)] == [True, False, True, False]


def test_a_shape_for_the_host():
    """It needs nothing of what it is the shape of."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 5, 5)), 8)
    sums = b.node("Conv", [x.name, b.weight(b.ints((4, 8, 1, 1)), 7)])
    y = b.quantize(sums, (1, 4, 5, 5), 2)
    model: onnx.ModelProto = b.model(b.node("Reshape", [y.name, b.node("Shape", [sums])]))
    assert_exact(model)
    report = next(f.report for f in explain(model).nodes if f.report.op_type == "Shape")
    assert (report.where, report.reason) == ("host", "a constant, which the host reads")
