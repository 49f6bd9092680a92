"""Bad graphs: what is computed where, control flow, types, and files that claim more than they
hold.  Each is refused in one line, and nothing large is allocated."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import TensorProto, helper, numpy_helper
from qdq_models import Array, QdqBuilder
from spoilt_models import Cases, Net, problems_of, refused_by_commands

from bsc.frontend import import_onnx

CASES = Cases()
refused = CASES.refused


def before(net: Net, op_type: str, *nodes: onnx.NodeProto, index: int = 0) -> None:
    """Put a chain of nodes before input `index` of the first operator of a type: the first of
    them reads what it read."""
    reader = net.node(op_type)
    name = reader.input[index]
    for i, node in enumerate(nodes):
        made = f"{node.op_type.lower()}_{i}"
        node.name, node.input[0] = f"{made}_node", name
        node.output.append(made)
        name = made
    reader.input[index] = name
    net.model.graph.node.extend(nodes)


def operator(op_type: str, *more: str, **attributes: Any) -> onnx.NodeProto:
    """A node for `before`, with the inputs `more` after its first."""
    return helper.make_node(op_type, ["", *more], [], **attributes)


def initializer(net: Net, name: str, value: Array) -> str:
    net.model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


# What is computed where ----------------------------------------------------------------


@refused(
    r"node 'sub_0_node' \(Sub\): reads graph input 'x_1', which is not quantized: a "
    r"QuantizeLinear and a DequantizeLinear are expected before"
)
def arithmetic_before_the_first_rounding(net: Net):
    mean = initializer(net, "mean", np.ones((1, 4, 1, 1), np.float32))
    before(net, "QuantizeLinear", operator("Sub", mean))


@refused(r"\(BatchNormalization\): .* is not on the array unless it is folded into the convol")
def batch_normalization_left_standing(net: Net):
    vectors = [initializer(net, f"bn_{i}", np.ones(4, np.float32)) for i in range(4)]
    maker = net.maker(net.node("MaxPool").input[0])
    assert maker.op_type == "DequantizeLinear"
    before(net, "QuantizeLinear", operator("BatchNormalization", *vectors))


@refused(
    r"\(Conv\): .* is read as \[1, 8, 8, 4\], but its data lie as \[1, 4, 8, 8\]: a reshape"
)
def data_is_moved_in_the_middle(net: Net):
    b = QdqBuilder()
    x = b.input((1, 4, 8, 8))
    turned = b.quantize(b.node("Transpose", [x.name], perm=[0, 3, 2, 1]), (1, 8, 8, 4), 4)
    net.model.CopyFrom(b.model(b.conv(turned, 3)))


@refused(r"node 'shape_0_node' \(Cast\): operator Cast is not supported here: .* but node ")
def a_shape_that_is_computed(net: Net):
    x = net.node("GlobalAveragePool").input[0]
    shape = helper.make_node("Cast", [x], ["dims"], "shape_0_node", to=TensorProto.INT64)
    reshape = helper.make_node("Reshape", [x, "dims"], ["reshaped"], "reshape")
    net.model.graph.node.extend([shape, reshape])
    net.node("GlobalAveragePool").input[0] = "reshaped"


@refused(r"\(Softmax\): reads 'gemm_\d+', the result of node 'gemm_.*' \(Gemm\) that no Quant")
def the_host_needs_what_is_not_rounded(net: Net):
    gemm = net.node("Gemm")
    net.model.graph.node.append(helper.make_node("Softmax", [gemm.output[0]], ["y"], "last"))
    net.model.graph.output[0].name = "y"


@refused("node 'again' .QuantizeLinear.: scale 'exp_0' is computed at run time")
def a_scale_that_the_host_computes(net: Net):
    exp = helper.make_node("Exp", [net.scale], ["exp_0"], "exp")
    quantize = net.node("QuantizeLinear", 1)
    quantize.name, quantize.input[1] = "again", "exp_0"
    net.model.graph.node.append(exp)


@refused(r"\(Dropout\): is in training mode: the model must be exported for inference")
def training_mode(net: Net):
    ratio = initializer(net, "ratio", np.array(0.5, np.float32))
    training = initializer(net, "training", np.array(True))
    before(net, "MaxPool", operator("Dropout", ratio, training))


@refused(r"\(Clip\): clips to \[3, -3\]: min must not be above max")
def limits_the_wrong_way_round(net: Net):
    limits = [initializer(net, f"c{i}", np.array(3 - 6 * i, np.float32)) for i in range(2)]
    before(net, "MaxPool", operator("Clip", *limits))


@refused(r"\(Concat\): attribute axis is 2: 1, the channels, is accepted")
def concat_of_rows(net: Net):
    add = net.node("Add")
    add.op_type = "Concat"
    add.attribute.append(helper.make_attribute("axis", 2))


# Operators that nobody has -------------------------------------------------------------


@refused(r"\(Cnv\): operator Cnv is not supported, it is none of ONNX; these are: Abs, Add, ")
def a_misspelt_operator(net: Net):
    before(net, "MaxPool", operator("Cnv"))


@refused(r"\(Gelu\): No Op registered for Gelu with domain_version of 17")
def an_operator_of_a_later_opset(net: Net):
    before(net, "MaxPool", operator("Gelu"))


@refused(r"\(com.microsoft.FusedConv\): .* is not supported, only operators of ONNX itself")
def an_operator_of_onnxruntime(net: Net):
    before(net, "MaxPool", operator("FusedConv", domain="com.microsoft"))


def branch(name: str, inputs: int) -> onnx.GraphProto:
    """The body of a loop or a branch."""
    values = [
        helper.make_tensor_value_info(f"{name}_{i}", TensorProto.FLOAT, None) for i in range(3)
    ]
    node = helper.make_node("Identity", ["x_1"], [values[0].name])
    return helper.make_graph([node], name, values[1 : inputs + 1], values[:1])


@refused(r"\(If\): operator If is not supported: control flow is not, export the model with")
def branches(net: Net):
    before(
        net, "MaxPool", operator("If", then_branch=branch("a", 0), else_branch=branch("b", 0))
    )


@refused(r"\(Loop\): operator Loop is not supported: control flow is not, export the model ")
def a_loop(net: Net):
    before(net, "MaxPool", operator("Loop", "", body=branch("a", 2)))


@refused(r"\(local.Block\): operator local.Block is not supported, only operators of ONNX")
def a_function_of_the_model(net: Net):
    body = [helper.make_node("Identity", ["a"], ["b"])]
    opset = helper.make_opsetid("", 17)
    function = helper.make_function("local", "Block", ["a"], ["b"], body, [opset])
    net.model.functions.append(function)
    before(net, "MaxPool", operator("Block", domain="local"))


# Versions and names --------------------------------------------------------------------


@refused("opset 9 is not supported: 10 to")
def an_opset_before_quantization(net: Net):
    net.model.opset_import[0].version = 9


@refused("says that it needs the ONNX opsets 13 and 17: one is accepted")
def two_opsets(net: Net):
    net.model.opset_import.append(helper.make_opsetid("ai.onnx", 13))


@refused(r"IR version -3 is not known: 1 to \d+ are accepted")
def a_negative_version(net: Net):
    net.model.ir_version = -3


@refused("graph input 'x_1' is listed twice")
def an_input_twice(net: Net):
    net.model.graph.input.append(net.model.graph.input[0])


@refused(r"node 'extra' \(Identity\): tensor 'scale_\d+' is defined already")
def an_initializer_is_made_too(net: Net):
    x = net.model.graph.input[0].name
    net.model.graph.node.append(helper.make_node("Identity", [x], [net.scale], "extra"))


@refused("the graph has a cycle: 'self' -> 'self'$")
def a_node_that_reads_itself(net: Net):
    net.model.graph.node.append(helper.make_node("Relu", ["me"], ["me"], "self"))


# Types ---------------------------------------------------------------------------------


@refused("graph input 'x_1': is no tensor with a type: a float32 or an int8 one is accepted")
def an_input_that_is_a_sequence(net: Net):
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4, 8, 8])
    net.model.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(kind))


@refused(r"\(QuantizeLinear\): reads graph input 'x_1' of float16: float32 is accepted")
def an_input_of_float16(net: Net):
    net.model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def weight_of(net: Net, type: int, content: bytes) -> None:
    weight = net.weight()
    weight.data_type, weight.raw_data = type, content


@refused(r"\(DequantizeLinear\): reads 'w_\d+' of int4: int8 with zero point 0 is accepted")
def a_weight_of_int4(net: Net):
    weight_of(net, TensorProto.INT4, bytes(72))


@refused(r"\(DequantizeLinear\): reads 'w_\d+' of float8e4m3fn: int8 with zero point 0 is acc")
def a_weight_of_float8(net: Net):
    weight_of(net, TensorProto.FLOAT8E4M3FN, bytes(144))


@refused(r"\(DequantizeLinear\): reads 'w_\d+' of string: int8 with zero point 0 is accepted")
def a_weight_of_strings(net: Net):
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.data_type = TensorProto.STRING
    weight.string_data.extend([b"1"] * 144)


@refused(r"\(DequantizeLinear\): reads 'w_\d+' of type 77: int8 with zero point 0 is accepted")
def a_weight_of_no_type(net: Net):
    weight_of(net, 77, bytes(144))


@refused(r"zero point 'zero_.*' is int16: int8 with zero point 0 is accepted")
def activations_of_int16(net: Net):
    net.set(net.node("QuantizeLinear", 1).input[2], np.zeros((), np.int16))


@refused(r"zero point 'zero_.*' is uint16: int8 with zero point 0 is accepted")
def activations_of_uint16(net: Net):
    net.set(net.node("QuantizeLinear", 1).input[2], np.zeros((), np.uint16))


@refused(r"zero point 'zero_.*' is float8e5m2: int8 with zero point 0 is accepted")
def activations_of_float8(net: Net):
    zero = net.tensor(net.node("QuantizeLinear", 1).input[2])
    zero.data_type = TensorProto.FLOAT8E5M2


@refused(r"node 'constant' \(Constant\): has the value in attribute value_strings: a tensor ")
def a_constant_of_strings(net: Net):
    node = helper.make_node("Constant", [], ["text"], "constant", value_strings=["a"])
    net.model.graph.node.append(node)


# More claimed than there is --------------------------------------------------------------


def bomb(net: Net, op_type: str, *inputs: Array) -> None:
    """The weight of the convolution comes from a node that makes it out of a few bytes."""
    names = [initializer(net, f"bomb_{i}", value) for i, value in enumerate(inputs)]
    made = helper.make_node(op_type, names, ["made"], "bomb")
    net.model.graph.node.append(made)
    net.maker(net.node("Conv").input[1]).input[0] = "made"


HUGE = np.array([2**31, 2**20, 3, 3])


@refused(r"node 'bomb' \(ConstantOfShape\): operator ConstantOfShape is not supported here")
def a_constant_of_an_enormous_shape(net: Net):
    bomb(net, "ConstantOfShape", HUGE)


@refused(r"node 'bomb' \(Expand\): has 2\d{16} elements in .*: at most 2147483647 are")
def a_constant_that_is_expanded(net: Net):
    bomb(net, "Expand", np.ones(1, np.int8), HUGE)


@refused(r"node 'bomb' \(Tile\): has 2\d{16} elements in .*: at most 2147483647 are")
def a_constant_that_is_tiled(net: Net):
    bomb(net, "Tile", np.ones((1, 1, 1, 1), np.int8), HUGE)


@refused(r"tensor 'w_\d+': has 144 bytes of raw data, but its dimensions .* need 1\d{25}")
def a_constant_beyond_64_bits(net: Net):
    net.weight().dims[:] = [2**62, 2**22, 1, 1]


@refused(r"tensor 'w_\d+': has 300 dimensions: at most 16 are accepted")
def a_constant_of_many_dimensions(net: Net):
    net.weight().dims[:] = [1] * 300


@refused(r"weight 'w_\d+' has shape \[1099511627776, 0, 3, 3\]: it is empty")
def a_constant_without_elements(net: Net):
    weight = net.weight()
    weight.dims[:] = [2**40, 0, 3, 3]
    weight.raw_data = b""


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(bsc: Bsc, case: str):
    CASES.check(case, bsc)


@pytest.mark.parametrize("case", [name for name in CASES if name.startswith("a_constant_")])
def test_nothing_large_is_allocated(case: str):
    edit, _ = CASES[case]
    net = Net.make()
    edit(net)
    assert problems_of(net)  # What is imported once takes memory too.
    tracemalloc.start()
    try:
        assert problems_of(net)
        assert tracemalloc.get_traced_memory()[1] < 10 * net.model.ByteSize() + 1e6
    finally:
        tracemalloc.stop()


# Several at once -----------------------------------------------------------------------


def test_every_cycle_is_named(bsc: Bsc):
    net = Net.make()
    pairs = [(f"a{i}", f"b{i}") for i in range(3)]
    for one, other in pairs:
        net.model.graph.node.append(helper.make_node("Relu", [one], [other], f"to_{other}"))
        net.model.graph.node.append(helper.make_node("Relu", [other], [one], f"to_{one}"))
    lines = refused_by_commands(bsc, net.model.SerializeToString())
    assert lines == [
        f"the graph has a cycle: 'to_{other}' -> 'to_{one}' -> 'to_{other}'"
        for one, other in pairs
    ]


def test_a_cycle_hides_nothing(bsc: Bsc):
    net = Net.make()
    net.node("MaxPool").input[0] = net.maker(net.node("Add").input[0]).output[0]
    net.attribute("Conv", group=3)
    net.model.graph.node.append(helper.make_node("Cnv", ["x_1"], ["y"], "odd"))
    lines = refused_by_commands(bsc, net.model.SerializeToString())
    starts = ["the graph has a cycle", "node 'conv_", "node 'odd'"]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_any_selection_of_problems_is_told_whole(seed: int):
    """Mistakes at places that have nothing to do with each other: as many lines."""
    rng = np.random.default_rng(seed)
    spoil: dict[str, Callable[[Net], object]] = {
        "IR version 99": lambda net: setattr(net.model, "ir_version", 99),
        "opset 99": lambda net: setattr(net.model.opset_import[0], "version", 99),
        "the symbol 'batch'": lambda net: setattr(
            net.model.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "batch"
        ),
        "[4] is needed": lambda net: net.set(net.weight(index=2).name, np.ones(3, np.int32)),
        "attribute transA is 1": lambda net: net.attribute("Gemm", transA=1),
        "operator Softplus": lambda net: before(net, "MaxPool", operator("Softplus")),
        "operator Erf": lambda net: before(net, "GlobalAveragePool", operator("Erf")),
        "operator Foo": lambda net: net.model.graph.node.append(
            helper.make_node("Foo", ["x_1"], ["foo"])
        ),
        "graph output 'gone'": lambda net: net.model.graph.output.append(
            helper.make_tensor_value_info("gone", TensorProto.FLOAT, None)
        ),
    }
    chosen = [name for name in spoil if rng.random() < 0.6] or list(spoil)
    net = Net.make()
    for name in chosen:
        spoil[name](net)
    lines = problems_of(net)
    assert len(lines) == len(chosen), lines
    assert all(any(name in line for line in lines) for name in chosen), lines


# Depth ---------------------------------------------------------------------------------

DEPTH = 10_000


@pytest.mark.parametrize("op_type", ["Identity", "Relu", "Erf", "Tanh", "Foo"])
def test_a_deep_graph_needs_no_deep_stack(op_type: str):
    b = QdqBuilder()
    x = b.input((1, 4, 2, 2))
    name = x.name
    for _ in range(DEPTH):
        name = b.node(op_type, [name])
    model = b.model(b.unary("Relu", b.quantize(name, x.dims, x.pos)))
    if op_type in ("Identity", "Relu"):
        assert len(import_onnx(model).nodes) == DEPTH + 7
        return
    # Behind the first Tanh, which the array has, all is the host's.
    assert len(problems_of(Net(model))) == (1 if op_type == "Tanh" else DEPTH)
