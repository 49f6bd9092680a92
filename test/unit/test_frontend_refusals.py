"""Bad models: each is refused in one line that says where, what, and what would do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from commands import Bsc
from onnx import helper, numpy_helper
from qdq_models import QdqBuilder, Signal
from spoilt_models import Cases, Net, number, problems_of

from bsc.frontend import import_onnx

CASES = Cases()
refused = CASES.refused


# The model as a whole ------------------------------------------------------------------


@refused("opset 99 is not supported: 10 to \\d+ are accepted")
def opset_unknown(net: Net):
    net.model.opset_import[0].version = 99


@refused("does not say which ONNX opset it needs: 10 to")
def opset_missing(net: Net):
    del net.model.opset_import[:]


@refused("IR version 99 is not known: 1 to \\d+ are accepted")
def ir_unknown(net: Net):
    net.model.ir_version = 99


@refused("is a float model .* quantize it first, e.g. with 'bsc prepare'")
def float_model(net: Net):
    del net.model.graph.node[:]
    net.model.graph.node.append(
        helper.make_node("Relu", [net.model.graph.input[0].name], ["y"])
    )
    net.model.graph.output[0].name = "y"


@refused("graph output 'gone' is not made by any node")
def output_unmade(net: Net):
    net.model.graph.output[0].name = "gone"


@refused("the graph has no outputs")
def no_outputs(net: Net):
    del net.model.graph.output[:]


@refused("graph output 'x_1': is not computed by any operator of the array")
def output_is_input(net: Net):
    net.model.graph.output[0].name = "x_1"


@refused(r"node 'add_\d+_node' \(Add\): reads tensor 'gone', which is neither made")
def dangling(net: Net):
    net.node("Add").input[0] = "gone"


@refused("the graph has a cycle: 'maxpool_.*' -> .* -> 'maxpool_.*'")
def cycle(net: Net):
    net.node("MaxPool").input[0] = net.maker(net.node("Add").input[0]).output[0]


@refused("tensor 'conv_.*' is defined already: each tensor needs a name of its own")
def tensor_made_twice(net: Net):
    net.model.graph.node.append(net.node("Conv"))


@refused("tensor 'scale_.*' is defined twice, by two initializers")
def initializer_twice(net: Net):
    net.model.graph.initializer.append(net.tensor(net.scale))


def add_sparse(net: Net, dims: list[int], indices: object, values: object = (1,)) -> None:
    """A sparse initializer with int8 values that nothing reads."""
    net.model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            numpy_helper.from_array(np.array(values, np.int8), "sparse"),
            numpy_helper.from_array(np.array(indices), "indices"),
            dims,
        )
    )


@refused(r"tensor 'sparse': is sparse with index 4, which is outside of \[4\]$")
def sparse_index_outside(net: Net):
    add_sparse(net, [2, 2], [0, 4], [1, 2])


@refused(r"tensor 'sparse': is sparse with index \[1, -1\], which is outside of \[2, 2\]$")
def sparse_index_negative(net: Net):
    add_sparse(net, [2, 2], [[1, -1]])


@refused("tensor 'sparse': is sparse with index 1 behind 2: each must be larger than the one")
def sparse_indices_unsorted(net: Net):
    add_sparse(net, [4], [0, 2, 1], [1, 2, 3])


@refused(r"tensor 'sparse': is sparse with index \[0, 1\] behind \[0, 1\]: each must be larger")
def sparse_index_twice(net: Net):
    add_sparse(net, [2, 2], [[0, 1], [0, 1]], [1, 2])


@refused(
    r"tensor 'sparse': is sparse with indices of shape \[3\] for 2 values in 2 dimensions: "
    r"\[2\] or \[2, 2\] is expected"
)
def sparse_indices_too_many(net: Net):
    add_sparse(net, [2, 2], [0, 1, 2], [1, 2])


@refused("tensor 'sparse': is sparse with indices of type int32: int64 is expected")
def sparse_indices_of_int32(net: Net):
    add_sparse(net, [4], np.zeros(1, np.int32))


@refused("tensor 'sparse': is sparse, and the tensor of its indices has 7 bytes of raw data")
def sparse_indices_cut_off(net: Net):
    add_sparse(net, [4], [0])
    indices = net.model.graph.sparse_initializer[0].indices
    indices.raw_data = indices.raw_data[:-1]


@refused(r"tensor 'sparse': is sparse with values of shape \[1, 1\]: one dimension is expected")
def sparse_values_of_two_dimensions(net: Net):
    add_sparse(net, [4], [0], [[1]])


@refused(
    r"tensor 'sparse': is sparse with 1 values, but its dimensions \[1048576, 1048576\] need "
    r"1099511627776 bytes: at most 1024 times what the file has of it"
)
def sparse_terabyte(net: Net):
    add_sparse(net, [2**20, 2**20], [0])


@refused(r"tensor 'sparse': is sparse with dimensions \[4, 0\]: 1 to 16 are accepted, each")
def sparse_without_elements(net: Net):
    add_sparse(net, [4, 0], [0])


@refused("tensor 'scale_.*' is defined twice, by two initializers")
def sparse_initializer_twice(net: Net):
    add_sparse(net, [4], [0])
    net.model.graph.sparse_initializer[0].values.name = net.scale


@refused(r"tensor 'sparse': is sparse with index 9, which is outside of \[4\]$")
def sparse_constant(net: Net):
    add_sparse(net, [4], [9])
    sparse = net.model.graph.sparse_initializer.pop()
    node = helper.make_node("Constant", [], ["sparse"], "constant", sparse_value=sparse)
    net.model.graph.node.insert(0, node)


@refused(r"node 'constant' \(Constant\): has both a dense and a sparse value: one of them is")
def dense_and_sparse_constant(net: Net):
    sparse_constant(net)
    value = numpy_helper.from_array(np.ones(4, np.int8))
    net.node("Constant").attribute.append(helper.make_attribute("value", value))


# Operators -----------------------------------------------------------------------------


@refused(
    r"node 'maxpool_.*' \(LRN\): operator LRN is not supported here: it is floating-point "
    r"arithmetic, .* at the end of the graph only, "
    r"but node 'add_.*' \(Add\) needs its result on the array: "
    r"--partition cuts the model there$"
)
def unsupported_operator(net: Net):
    node = net.node("MaxPool")
    del node.attribute[:]
    node.op_type = "LRN"
    node.attribute.append(helper.make_attribute("size", 3))


@refused(r"node 'a\\nb\\x1b' \(L RN\\x07\): operator L RN\\x07 is not supported")
def names_that_break_lines(net: Net):
    net.node("MaxPool").name = "a\nb\x1b"
    net.node("MaxPool").op_type = "L\nRN\x07"


@refused(r"\(com\.acme\.Conv\): operator com\.acme\.Conv is not supported")
def unknown_domain(net: Net):
    net.node("Conv").domain = "com.acme"


@refused(
    r"operator com\.microsoft\.QLinearLeakyRelu is not supported: give the model in QDQ form"
)
def operator_form(net: Net):
    net.node("Add").domain = "com.microsoft"
    net.node("Add").op_type = "QLinearLeakyRelu"


@refused(
    r"\(Softmax\): operator Softmax is not supported here: .* at the end of the graph only"
)
def host_operator_in_the_middle(net: Net):
    node = net.node("MaxPool")
    del node.attribute[:]
    node.op_type = "Softmax"


@refused(
    r"node 'again' \(Conv\): reads 'conv_.*', the result of node 'conv_.*_node' \(Conv\) th"
)
def no_rounding_between(net: Net):
    conv = net.node("Conv")
    names = [conv.output[0], *conv.input[1:]]
    net.model.graph.node.append(helper.make_node("Conv", names, ["conv_conv"], "again"))


@refused(r"graph output 'gemm_.*': is the result of node 'gemm_.*_node' \(Gemm\), which no Q")
def output_not_rounded(net: Net):
    net.model.graph.output[0].name = net.node("Gemm").output[0]


@refused(r"\(Conv\): reads graph input 'x_1', which is not quantized: a QuantizeLinear and")
def input_not_quantized(net: Net):
    net.node("Conv").input[0] = "x_1"


@refused(r"\(Conv\): reads the int8 tensor 'quantizelinear_.*': a DequantizeLinear is expec")
def input_not_dequantized(net: Net):
    net.node("Conv").input[0] = net.node("QuantizeLinear").output[0]


@refused(
    r"\(Add\): reads constant 'w_.*' of shape \[5, 4\] beside \[1, 4, 5, 5\]: one number, or"
)
def add_of_a_constant(net: Net):
    net.node("Add").input[1] = net.node("Gemm").input[1]


@refused(r"has inputs of shapes \[1, 4, 5, 5\] and \[1, 4\]: equal shapes are accepted, and")
def add_broadcasts(net: Net):
    net.node("Add").input[1] = net.node("Flatten").output[0]
    net.node("GlobalAveragePool").input[0] = net.node("MaxPool").input[0]


# Scales, zero points, types ------------------------------------------------------------


@refused(
    r"node 'quantizelinear_.*_node' \(QuantizeLinear\): scale 'scale_.*' is 0.300000012, which "
    "is not a power of two: the nearest are 2\\^-2 = 0.25 and 2\\^-1 = 0.5$"
)
def scale_not_a_power_of_two(net: Net):
    net.set(net.scale, number(0.3))


@refused("is 0: a positive power of two is accepted")
def scale_zero(net: Net):
    net.set(net.scale, number(0))


@refused("is -0.5: a positive power of two is accepted")
def scale_negative(net: Net):
    net.set(net.scale, number(-0.5))


@refused("is nan: a positive power of two is accepted")
def scale_nan(net: Net):
    net.set(net.scale, number(np.nan))


@refused("is inf: a positive power of two is accepted")
def scale_infinite(net: Net):
    net.set(net.scale, number(np.inf))


@refused(r"is .* = 2\^-140: 2\^-31 to 2\^31 are accepted")
def scale_denormal(net: Net):
    net.set(net.scale, number(2.0**-140))


@refused("has 4 different values, from 0.25 to 0.5: one scale for the whole tensor")
def scale_per_channel(net: Net):
    net.set(net.scale, np.array([0.5, 0.25, 0.25, 0.25], np.float32))


@refused("has no value: one power of two is accepted")
def scale_empty(net: Net):
    net.set(net.scale, np.zeros(0, np.float32))


@refused("is float16: float32 is accepted")
def scale_half(net: Net):
    net.set(net.scale, number(0.5, "f2"))


@refused("is computed at run time: an initializer or a Constant is accepted")
def scale_at_run_time(net: Net):
    net.node("QuantizeLinear", 1).input[1] = net.node("Conv").input[0]


@refused(r"was quantized with 2\^.*: the same is accepted")
def scales_differ(net: Net):
    net.model.graph.initializer.append(numpy_helper.from_array(number(2.0**9), "other"))
    net.node("DequantizeLinear", 3).input[1] = "other"


@refused("zero point 'zero_.*' is 3: only 0 is accepted")
def zero_point(net: Net):
    net.set(net.node("QuantizeLinear", 1).input[2], number(3, "i1"))


@refused(
    r"zero point 'zero_.*' is 127: only 128 is accepted for uint8 \(the same as int8 with 0"
)
def zero_point_uint8(net: Net):
    net.set(net.node("QuantizeLinear", 1).input[2], number(127, "u1"))


@refused(r"\(DequantizeLinear\): zero point 'other' is uint8, but the tensor is int8")
def zero_point_of_another_type(net: Net):
    net.model.graph.initializer.append(numpy_helper.from_array(number(128, "u1"), "other"))
    net.maker(net.node("MaxPool").input[0]).input[2] = "other"


@refused("has no zero point and makes uint8, its default: give it an int8 zero point of 0")
def no_zero_point(net: Net):
    net.node("QuantizeLinear", 1).input.pop()


@refused(r"\(DequantizeLinear\): reads 'w_.*' of int16: int8 with zero point 0 is accepted")
def weight_int16(net: Net):
    weight = net.weight()
    net.set(weight.name, numpy_helper.to_array(weight).astype(np.int16))


@refused(r"\(Conv\): weight 'float_w' is float32: an int8 initializer with a DequantizeLinear")
def weight_float(net: Net):
    values = np.ones((4, 4, 3, 3), np.float32)
    net.model.graph.initializer.append(numpy_helper.from_array(values, "float_w"))
    net.node("Conv").input[1] = "float_w"


@refused(r"\(Gemm\): bias 'float_b' is float32: an int32 initializer with a Dequant")
def bias_float(net: Net):
    net.model.graph.initializer.append(numpy_helper.from_array(np.ones(5, "f4"), "float_b"))
    net.node("Gemm").input[2] = "float_b"


@refused(r"\(Conv\): weight 'b_.*' is int32: int8 is accepted")
def weight_int32(net: Net):
    net.node("Conv").input[1] = net.node("Conv").input[2]


@refused(r"the accumulator can reach \d+ with weight 'w_.*': less than 2\^31 = 2147483648")
def accumulator_overflow(net: Net):
    net.set(net.weight(index=2).name, np.full(4, 2**31 - 1, np.int32))


@refused(r"scales of its inputs are .*: at most 23 places apart")
def add_too_far_apart(net: Net):
    b = QdqBuilder()
    b.model(b.binary("Add", b.input((1, 4), 20), b.input((1, 4), -5)))
    net.model.graph.CopyFrom(b.model(Signal("quantizelinear_9", (), 0)).graph)


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(bsc: Bsc, case: str):
    CASES.check(case, bsc)


def test_the_good_model_is_accepted():
    assert import_onnx(Net.make().model).shapes


def test_all_problems_are_told_at_once():
    net = Net.make()
    net.set(net.scale, number(0.3))
    unsupported_operator(net)
    net.weight("Gemm").dims[0] = 6
    net.attribute("Gemm", transA=1)
    accumulator_overflow(net)
    net.model.ir_version = 99
    lines = problems_of(net)
    expected = ["IR version", "tensor 'w_", "accumulator", "not a power of two", "LRN"]
    assert len(lines) == len(expected)
    for line, text in zip(lines, expected, strict=True):
        assert text in line


def test_what_comes_after_a_refused_operator_is_looked_at():
    net = Net.make()
    add_broadcasts(net)
    unsupported_operator(net)
    net.attribute("Gemm", alpha=0.5)
    lines = problems_of(net)
    assert [re.findall(r"\((\w+)\)", line)[0] for line in lines] == ["LRN", "Add", "Gemm"]
