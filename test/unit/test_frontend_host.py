"""What the host runs: any operator of ONNX behind the last rounding, and none before it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from exactness import assert_exact
from qdq_models import QdqBuilder, Signal
from spoilt_models import Net, problems_of

from bsc.frontend.explain import explain

FLOAT = ("Elu", "Erf", "Exp", "Softmax", "Softplus", "Softsign")
"""Operators that the array cannot do exactly."""

EITHER = ("Relu", "Flatten", "Identity", "Sigmoid", "Tanh")
"""Operators of the array, which are the host's behind one that is."""


class Tail:
    """A network with one or two results, and behind each a chain of operators, of which the
    first is one for the host; `float` are the nodes that only the host can run."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        self.b = b = QdqBuilder(seed)
        x = b.conv(b.input((1, 4, 7, 6)), int(rng.integers(1, 20)), (3, 3), activation="Relu")
        self.float: list[str] = []
        self.ends: list[str] = []
        for result in (x, b.conv(x, 8))[: 1 + seed % 2]:
            name = result.name
            others = rng.choice(FLOAT + EITHER, int(rng.integers(0, 5)))
            for op_type in (rng.choice(FLOAT), *others):
                name = b.node(str(op_type), [name])
                if op_type in FLOAT:
                    self.float.append(f"{name}_node")
            self.ends.append(name)

    def shape(self, name: str) -> tuple[int, ...]:
        inferred = onnx.shape_inference.infer_shapes(self.b.model(*self.ends)).graph
        value = next(v for v in (*inferred.output, *inferred.value_info) if v.name == name)
        return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)


@pytest.mark.parametrize("seed", range(16))
def test_at_the_end_of_the_graph(seed: int):
    tail = Tail(seed)
    model = tail.b.model(*tail.ends)
    assert_exact(model)
    first = len(model.graph.node) - next(
        i for i, n in enumerate(reversed(model.graph.node)) if n.op_type == "DequantizeLinear"
    )
    behind = explain(model).nodes[first:]
    assert [f.report.where for f in behind] == ["host"] * len(behind)
    for facts in behind:
        (name,) = (n.output[0] for n in model.graph.node if n.name == facts.report.name)
        assert facts.dims == tail.shape(name)


@pytest.mark.parametrize("seed", range(16))
def test_nothing_comes_back_to_the_array(seed: int):
    """The same operators before another rounding: each of them is refused, and those that
    the array has are not."""
    tail = Tail(seed)
    b = tail.b
    ends = [b.unary("Relu", b.quantize(name, tail.shape(name), 7)) for name in tail.ends]
    lines = problems_of(Net(b.model(*ends)))
    blamed = [re.findall(r"node '(\w+)' \(\w+\): operator", line)[0] for line in lines]
    assert sorted(blamed) == sorted(tail.float)
    assert all("needs its result on the array" in line for line in lines)


@pytest.mark.parametrize("seed", range(8))
def test_what_the_host_quantizes_stays_there(seed: int):
    """Quantizers put scales behind a Softmax too, and those need be no powers of two."""
    tail = Tail(seed)
    b = tail.b
    ends: list[str] = []
    for name in tail.ends:
        scale, zero = b.constant(np.array(0.3, np.float32)), b.zero(np.uint8)
        quantized = b.node("QuantizeLinear", [name, scale, zero])
        ends.append(b.node("DequantizeLinear", [quantized, scale, zero]))
    model = b.model(*ends)
    assert_exact(model)
    reports = explain(model).nodes
    assert {f.report.where for f in reports[-3:]} == {"host"}


def test_a_scale_of_the_host_is_looked_at_if_its_result_comes_back():
    b = QdqBuilder()
    x = b.conv(b.input((1, 4, 6, 6)), 8)
    scale, zero = b.constant(np.array(0.3, np.float32)), b.zero()
    quantized = b.node("QuantizeLinear", [b.node("Erf", [x.name]), scale, zero])
    real = b.node("DequantizeLinear", [quantized, scale, zero])
    flat = b.node("Flatten", [real])
    lines = problems_of(Net(b.model(b.unary("Relu", Signal(flat, (1, 288), 4)))))
    assert [re.findall(r"\((\w+)\): (\w+)", line)[0] for line in lines] == [
        ("Erf", "operator"),
        ("QuantizeLinear", "scale"),
    ]


def test_one_that_is_needed_on_both_sides():
    """What one output takes from the host is no problem of the other."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 4, 6, 6)), 8)
    scores = b.node("Softmax", [x.name])
    erf = b.node("Erf", [x.name])
    back = b.conv(b.quantize(erf, x.dims, 5), 4)
    (line,) = problems_of(Net(b.model(Signal(scores, (), 0), back)))
    assert line.startswith(f"model 'small': node '{erf}_node' (Erf): ")


@pytest.mark.parametrize("op_type", ["Erf", "ReduceMax", "Resize", "TopK", "Softmax"])
def test_programs_with_a_host_behind_them_are_exact(bsc: Bsc, op_type: str):
    b = QdqBuilder(3)
    x = b.conv(b.input((1, 4, 8, 8)), 8, (3, 3), activation="Relu")
    if op_type == "Resize":
        scales = b.constant(np.array([1, 1, 2, 2], np.float32))
        name = b.node("Resize", [x.name, "", scales], mode="linear")
    elif op_type == "TopK":
        name = b.node("TopK", [x.name, b.constant(np.array([2]))])
        b.nodes[-1].output.append("indices")
    else:
        name = b.node(op_type, [x.name])
    if op_type == "Softmax":
        name = b.quantize(name, x.dims, 8).name
    Path("m.onnx").write_bytes(b.model(name).SerializeToString())
    assert bsc("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2")[0] == 0
    code, out, err = bsc("check", "m.onnx", "out", "--every-tensor")
    assert (code, err) == (0, ""), out
