"""Functions that a model spells out in several operators between one DequantizeLinear and one
QuantizeLinear: one table, which is what onnxruntime computes step by step."""

from __future__ import annotations

import numpy as np
import pytest
from exactness import assert_exact, operations
from onnx import ModelProto
from qdq_models import Array, QdqBuilder, Signal

from bsc.dialects import qnn
from bsc.errors import ModelError
from bsc.frontend import import_onnx

LIBRARY = ("Sigmoid", "Tanh", "HardSigmoid")
"""Functions whose last bits are those of a library."""


STEPS = (
    *LIBRARY,
    *"Add Add Sub Mul Mul Div Clip Relu Abs Neg Sqrt Min Max Times".split(),
)


def number(b: QdqBuilder, value: float) -> str:
    """A constant: float32, or int8 that is dequantized if it can be."""
    if b.rng.random() < 0.4 and abs(value * 16) <= 127 and (value * 16).is_integer():
        return b.weight(np.array(int(value * 16), np.int8), 4)
    array: Array = np.array(value, np.float32)
    return b.constant(array if b.rng.random() < 0.5 else array.reshape(1, 1, 1))


def some_map(b: QdqBuilder) -> Signal:
    """What the array has made, of all int8."""
    channels = int(b.rng.integers(1, 9))
    return b.conv(b.input((1, 3, 9, 9), pos=int(b.rng.integers(2, 6))), channels, (3, 3))


def expression(seed: int) -> tuple[ModelProto, set[str]]:
    """Up to seven operators of one tensor and constants, and which they are."""
    b = QdqBuilder(seed)
    x = some_map(b)
    made = [x.name]
    used: set[str] = set()
    for _ in range(int(b.rng.integers(2, 8))):
        value = made[int(b.rng.integers(max(0, len(made) - 2), len(made)))]
        op_type = str(b.rng.choice(STEPS))
        used.add(op_type)
        constant = round(float(b.rng.uniform(0.5, 6)) * 16) / 16
        if b.rng.random() < 0.3:
            constant = float(np.float32(b.rng.uniform(0.3, 7)))
        match op_type:
            case "Times":
                made.append(b.node("Mul", [value, made[int(b.rng.integers(0, len(made)))]]))
            case "Clip":
                limits = (b.constant(np.array(n, np.float32)) for n in (-constant, constant))
                made.append(b.node("Clip", [value, *limits]))
            case "Sqrt":
                made.append(b.node("Sqrt", [b.node("Abs", [value])]))
            case "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max":
                names = [value, number(b, constant)]
                if op_type != "Div" and b.rng.random() < 0.4:
                    names.reverse()
                made.append(b.node(op_type, names))
            case _:
                made.append(b.node(op_type, [value]))
    y = b.quantize(made[-1], x.dims, int(b.rng.integers(-2, 6)))
    return b.model(b.conv(y, 4)), used


@pytest.mark.parametrize("seeds", [range(30), range(30, 60)])
def test_any_expression_is_what_onnxruntime_computes(seeds: range):
    """Only what a library's last bits decide, or what comes behind a library, is refused."""
    refused = 0
    for seed in seeds:
        model, used = expression(seed)
        problems = problems_of(model, seed)
        refused += bool(problems)
        assert not problems or used & set(LIBRARY), (seed, problems)
        for problem in problems:
            assert any(text in problem for text in REFUSALS), (seed, problem)
    assert refused < len(seeds) / 3


REFUSALS = ("last bits of float32", "has rounded", "needs its result on the array")


def problems_of(model: ModelProto, seed: int) -> list[str]:
    """Why a model is refused; nothing if it is exact."""
    try:
        assert_exact(model, seed)
    except ModelError as e:
        return list(e.problems)
    return []


def spelt_out(b: QdqBuilder, x: Signal, form: str) -> str:
    """A well-known function in several operators, unrounded."""
    three, six = (b.constant(np.array(n, np.float32)) for n in (3, 6))
    zero = b.constant(np.array(0, np.float32))
    match form:
        case "relu6(x + 3) / 6 * x":
            gate = b.node("Clip", [b.node("Add", [x.name, three]), zero, six])
            return b.node("Mul", [b.node("Div", [gate, six]), x.name])
        case "x * relu6(x + 3) * (1 / 6)":
            gate = b.node("Clip", [b.node("Add", [x.name, three]), zero, six])
            sixth = b.constant(np.array([1 / 6], np.float32))
            return b.node("Mul", [b.node("Mul", [x.name, gate]), sixth])
        case "x * hard_sigmoid(x)":
            return b.node("Mul", [x.name, b.node("HardSigmoid", [x.name], alpha=1 / 6)])
        case "max(x, x * 0.3)":
            slope = b.constant(np.array(0.3, np.float32))
            negative = b.node("Min", [b.node("Mul", [x.name, slope]), zero])
            return b.node("Add", [b.node("Relu", [x.name]), negative])
        case _:
            factor = b.constant(np.array(1.702, np.float32))
            gate = b.node("Sigmoid", [b.node("Mul", [x.name, factor])])
            return b.node("Mul", [x.name, gate])


FORMS = (
    "relu6(x + 3) / 6 * x",
    "x * relu6(x + 3) * (1 / 6)",
    "x * hard_sigmoid(x)",
    "max(x, x * 0.3)",
    "x * sigmoid(1.702 x)",
)


@pytest.mark.parametrize("form", FORMS)
def test_well_known_functions_are_one_table(form: str):
    for seed in range(3):
        b = QdqBuilder(seed)
        x = some_map(b)
        y = b.conv(b.quantize(spelt_out(b, x, form), x.dims, x.pos), 4)
        ops = operations(assert_exact(b.model(y), seed))
        assert [type(op) for op in ops].count(qnn.LookupOp) == 1
        assert len(ops) == 3
        reasons = {n.reason for n in import_onnx(b.model(y)).nodes if n.where == "array"}
        assert "qnn.lookup: a table of 256 numbers" in reasons
        assert any("a step of the table of node" in reason for reason in reasons)


def test_a_sum_or_product_alone_stays_what_it_was():
    """An operation of the array, if it is one by itself."""
    b = QdqBuilder()
    x = some_map(b)
    three = b.constant(np.array(3, np.float32))
    y = b.quantize(b.node("Add", [x.name, three]), x.dims, x.pos)
    ops = operations(assert_exact(b.model(b.conv(y, 4))))
    assert not [op for op in ops if isinstance(op, qnn.LookupOp)]


def test_a_product_with_a_number_is_a_table():
    b = QdqBuilder()
    x = some_map(b)
    factor = b.constant(np.array(0.3, np.float32))
    y = b.quantize(b.node("Mul", [factor, x.name]), x.dims, x.pos)
    ops = operations(assert_exact(b.model(b.conv(y, 4))))
    assert len([op for op in ops if isinstance(op, qnn.LookupOp)]) == 1


def test_the_host_does_what_nobody_rounds():
    b = QdqBuilder()
    x = some_map(b)
    y = b.node("Softmax", [spelt_out(b, x, FORMS[0])])
    ops = operations(assert_exact(b.model(y)))
    assert not [op for op in ops if isinstance(op, qnn.LookupOp)]


@pytest.mark.parametrize(
    ("op_type", "message"),
    [
        ("Div", r"node 'div_\d+_node' \(Div\): has no finite result for some numbers"),
        ("Sqrt", r"node 'sqrt_\d+_node' \(Sqrt\): has no finite result for some numbers"),
        ("other", r"\(Mul\): reads 'add_\d+', the result of node .*: a QuantizeLinear and"),
        ("channels", r"\(Mul\): reads constant .* of float32: an int8 one"),
        ("Exp", r"\(Exp\): operator Exp is not supported here"),
    ],
)
def test_what_is_no_function_of_one_number(op_type: str, message: str):
    b = QdqBuilder()
    x = some_map(b)
    six = b.constant(np.array(6, np.float32))
    match op_type:
        case "Div":
            y = b.node("Div", [b.node("Relu", [x.name]), x.name])
        case "other":
            other = b.conv(b.input(x.dims), x.dims[1])
            y = b.node("Mul", [b.node("Add", [x.name, six]), other.name])
        case "channels":
            many = b.constant(np.arange(9, dtype=np.float32).reshape(9, 1, 1))
            x = b.conv(x, 9)
            y = b.node("Mul", [x.name, many])
        case _:
            y = b.node(op_type, [x.name])
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(b.conv(b.quantize(y, x.dims, 4), 4)))
