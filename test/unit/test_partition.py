"""Models with operators of the host between layers of the array, cut into parts.

The networks are random: a chain of convolutions with an operator of the host behind some of
them, branches that go around it, and results that leave on the way.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_mutations import mutated
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data
from test_prepare import Net

import bsc
from bsc.partition import Part, cut, explain
from bsc.prepare import ACTIVATION_TYPES, QUANT_FORMATS, Form, ort, prepare
from bsc.prepare.samples import samples

HOSTS = ("Elu", "Erf", "LRN", "Softmax", "Softplus")
SEEDS = range(6)


def random_network(seed: int) -> tuple[onnx.ModelProto, int]:
    """A quantized network, and how many operators of the host are between its layers."""
    rng = random.Random(seed)
    net = Net(seed)
    width = rng.choice([4, 8, 12])
    x = net.node("Conv", ["x", net.normal("w0", width, 3, 3, 3)], "c0", pads=[1] * 4)
    outputs: list[str] = []
    count = rng.randint(1, 3)
    for i in range(1, count + 1):
        if rng.random() < 0.7:
            x = net.node("Relu", [x], f"r{i}")
        op = rng.choice(HOSTS)
        options = {"LRN": {"size": 3}, "Softmax": {"axis": 1}}.get(op, {})
        y = net.node(op, [x], f"h{i}", **options)
        if rng.random() < 0.4:
            y = net.node("MaxPool", [y], f"p{i}", kernel_shape=[3, 3], pads=[1] * 4)
        weight = net.normal(f"w{i}", width, width, 3, 3)
        y = net.node("Conv", [y, weight], f"c{i}", pads=[1] * 4)
        x = net.node("Add", [x, y], f"a{i}") if rng.random() < 0.6 else y
        if rng.random() < 0.3:
            outputs.append(x)
    outputs = [name for name in outputs if name != x]
    if rng.random() < 0.5:
        x = net.node("Softmax", [x], "end", axis=1)
    model = net.model(x, [width, 16, 16])
    for name in outputs:
        shape = [1, width, 16, 16]
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    quant_format = rng.choice(QUANT_FORMATS)
    fuse = quant_format == "qdq" and rng.random() < 0.5
    form = Form(quant_format, rng.choice(ACTIVATION_TYPES), fuse)
    return prepare(model, seed=seed, form=form), count


def inputs_of(part: Part) -> list[str]:
    return [value.name for value in part.model.graph.input]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_parts_compute_what_the_whole_does(seed: int):
    model, count = random_network(seed)
    parts = cut(model)
    assert sum(part.on_array for part in parts) == count + 1
    feed = samples(model, 1, np.random.default_rng(seed))[0]
    expected = ort.run(model, feed)
    values = dict(feed)
    for part in parts:
        given = {name: values[name] for name in inputs_of(part)}
        if part.on_array:
            compiled = bsc.compile(part.model, "paper-2x2")
            result = bsc.check(part.model, compiled, inputs=1, every_tensor=True)
            assert result.ok
            assert len(result.tensors) > len(given)
        values |= ort.run(part.model, given)
    assert {name: values[name].tolist() for name in expected} == {
        name: value.tolist() for name, value in expected.items()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_each_operator_is_in_one_part(seed: int):
    model, _ = random_network(seed)
    nodes = [node.name for part in cut(model) for node in part.model.graph.node]
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert set(nodes) == set(kinds)
    repeated = {name for name in kinds if nodes.count(name) > 1}
    assert {kinds[name] for name in repeated} <= {"DequantizeLinear"}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_host_has_its_operators_and_the_array_the_sums(seed: int):
    model, _ = random_network(seed)
    for part in cut(model):
        kinds = {node.op_type for node in part.model.graph.node}
        assert kinds.isdisjoint(HOSTS if part.on_array else ("QLinearConv", "QLinearAdd"))
        if not part.on_array:
            assert not kinds.isdisjoint((*HOSTS, "DequantizeLinear"))


def test_of_a_model_for_the_array_the_host_has_the_last_step():
    net = Net()
    x = net.node("Conv", ["x", net.normal("w", 8, 3, 3, 3)], "c")
    model = prepare(net.model(net.node("Relu", [x], "r"), [8, 14, 14]))
    array, host = cut(model)
    assert array.on_array
    assert not host.on_array
    nodes = [n.name for n in model.graph.node]
    assert [n.name for n in array.model.graph.node] == nodes[:-1]
    assert [n.op_type for n in host.model.graph.node] == ["DequantizeLinear"]


def outside(model: onnx.ModelProto, folder: Path) -> Path:
    """The model as a file in `folder`, with its raw data in another file beside it."""
    saved, content = onnx.ModelProto(), b""
    saved.CopyFrom(model)
    for tensor in saved.graph.initializer:
        if tensor.raw_data:
            data = tensor.raw_data
            set_external_data(tensor, "w.bin", len(content), len(data))
            tensor.ClearField("raw_data")
            content += data
    (folder / "w.bin").write_bytes(content)
    (folder / "m.onnx").write_bytes(saved.SerializeToString())
    return folder / "m.onnx"


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_in_other_files_are_inside_the_parts(seed: int, tmp_path: Path):
    model, _ = random_network(seed)
    found, expected = cut(outside(model, tmp_path)), cut(model)
    assert [part.model.SerializeToString() for part in found] == [
        part.model.SerializeToString() for part in expected
    ]


def test_a_part_is_no_larger_than_a_model_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, _ = random_network(0)
    monkeypatch.setattr("bsc.partition.inside.LARGEST_FILE", model.ByteSize() // 5)
    expected = r"m\.onnx: tensor '\w+': with it a part has \d+ bytes, and at most \d+ are"
    with pytest.raises(bsc.ModelError, match=expected):
        cut(outside(model, tmp_path))


def test_weights_in_a_file_that_is_gone(tmp_path: Path):
    path = outside(random_network(0)[0], tmp_path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(bsc.ModelError, match=r"'w\.bin' is missing: put it beside the model"):
        cut(path)


# Explained -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_each_node_is_said_to_be_where_it_is(seed: int):
    model, _ = random_network(seed)
    parts, found = cut(model), explain(model)
    names = [f"part-{i}" if p.on_array else f"part-{i}.onnx" for i, p in enumerate(parts)]
    for node, facts in zip(model.graph.node, found.nodes, strict=True):
        where = [
            name
            for name, part in zip(names, parts, strict=True)
            if node.name in {n.name for n in part.model.graph.node}
        ]
        assert facts.parts == tuple(where)
        assert facts.report.name == node.name
        if all(name.endswith(".onnx") for name in where):
            assert facts.report.where == "host"
        elif node.op_type != "QuantizeLinear":
            assert facts.report.where == "array"
    assert not found.problems


@pytest.mark.parametrize("seed", SEEDS)
def test_a_part_is_explained_like_the_model_that_it_is(seed: int):
    model, _ = random_network(seed)
    found = {facts.report.name: facts for facts in explain(model, block="4x16").nodes}
    for part in cut(model):
        if part.on_array:
            for facts in bsc.explain(part.model, block="4x16").nodes:
                assert replace(found[facts.report.name], parts=()) == facts


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_that_the_file_does_not_say(seed: int):
    """ONNX's inference knows no operators of QOperator models, and what is behind them."""
    model, _ = random_network(seed)
    expected, known = cut(model), explain(model)
    del model.graph.value_info[:]
    assert cut(model) == expected
    assert explain(model).nodes == known.nodes


def test_nodes_without_names_have_one_name_in_all_parts():
    model, _ = random_network(1)
    for node in model.graph.node:
        node.name = ""
    parts = cut(model)
    assert len(parts) > 2
    for part in parts:
        for index, node in zip(part.nodes, part.model.graph.node, strict=True):
            assert node.name == f"{model.graph.node[index].op_type}#{index}"


# What cutting does not help against ------------------------------------------------------


def spoilt(seed: int, *places: int) -> tuple[onnx.ModelProto, list[str]]:
    """A network in which some convolutions have an attribute that is not accepted."""
    model, _ = random_network(seed)
    products = [n for n in model.graph.node if n.op_type.endswith("Conv")]
    for place in places:
        products[place].attribute.append(helper.make_attribute("auto_pad", "ODD"))
    return model, [products[place].name for place in places]


@pytest.mark.parametrize("seed", SEEDS)
def test_problems_of_all_parts_are_told_at_once(seed: int):
    model, names = spoilt(seed, 0, -1)
    explanation = explain(model)
    with pytest.raises(bsc.ModelError) as caught:
        cut(model)
    assert caught.value.problems == explanation.problems
    assert [re.findall(r"node '([^']+)'", line)[0] for line in explanation.problems] == names
    hosts = {n.name for n in model.graph.node if n.op_type in HOSTS}
    for facts in explanation.nodes:
        assert not facts.parts
        if facts.report.name in hosts:
            assert facts.report.where == "host"
        elif facts.report.name in names:
            assert facts.report.where == "refused"


def whatever_is_said(path: Path) -> tuple[str, ...]:
    """The problems of a file, whether it can be explained or not."""
    try:
        return explain(path).problems
    except bsc.ModelError as e:
        return e.problems


def test_any_file_is_cut_or_refused(tmp_path: Path):
    """As test_frontend_fuzz.py, for models that are cut."""
    contents = [random_network(seed)[0].SerializeToString() for seed in SEEDS]
    path, refused, count = tmp_path / "m.onnx", 0, 60
    for seed in range(count):
        rng = random.Random(seed)
        path.write_bytes(mutated(rng, rng.choice(contents)))
        found = whatever_is_said(path)
        refused += bool(found)
        assert all(line.isprintable() for line in found)
    assert 0 < refused < count
