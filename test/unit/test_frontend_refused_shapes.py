"""Bad shapes, attributes and data: each is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
from commands import Bsc
from onnx import TensorProto, helper, numpy_helper
from spoilt_models import Cases, Net, problems_of

CASES = Cases()
refused = CASES.refused


# Shapes and attributes -----------------------------------------------------------------


@refused(
    "graph input 'x_1': dimension 0 is the symbol 'batch': fix it in the model, or give "
    "--shape batch=1$"
)
def batch_symbolic(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


@refused("graph input 'x_1': dimension 2 is not given")
def dimension_missing(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[2].Clear()


@refused("graph input 'x_1': has no shape")
def shape_missing(net: Net):
    net.model.graph.input[0].type.tensor_type.ClearField("shape")


@refused(r"has dimensions \[1, 0, 8, 8\]: all must be at least 1")
def dimension_zero(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0


@refused(r"has a batch of 2 in \[2, 4, 8, 8\]: 1 is accepted")
def batch_of_two(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


@refused(r"has \d+ elements in .*: at most 2147483647 are accepted")
def input_enormous(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40


@refused(r"has \d+ elements in .*: at most 2147483647 are accepted")
def result_enormous(net: Net):
    net.attribute("Conv", pads=[2**16] * 4)


@refused(r"has 3 dimensions \[1, 4, 8\]: NCHW or NC is accepted")
def input_of_rank_3(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim.pop()


@refused(r"weight 'w_.*' of shape \[4, 4, 3, 3\] in 1 groups does not fit an input of 5 chan")
def channels_do_not_fit(net: Net):
    net.model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


@refused("in 3 groups does not fit an input of 4 channels")
def groups_do_not_divide(net: Net):
    net.attribute("Conv", group=3)


@refused(r"attribute kernel_shape is \[5, 5\], weight 'w_.*' has \[3, 3\]")
def kernel_shape_differs(net: Net):
    net.attribute("Conv", kernel_shape=[5, 5])


@refused(r"attribute strides is \[0, 1\]: 2 numbers of 1 to 65536 are accepted")
def stride_zero(net: Net):
    net.attribute("Conv", strides=[0, 1])


@refused(r"attribute pads is \[1, 1, 1\]: 4 numbers of 0 to 65536 are accepted")
def pads_of_three(net: Net):
    net.attribute("Conv", pads=[1, 1, 1])


@refused("attribute auto_pad is 'SAME': NOTSET, VALID, SAME_UPPER and SAME_LOWER are")
def auto_pad_unknown(net: Net):
    net.attribute("MaxPool", auto_pad="SAME")


@refused("has both auto_pad = VALID and pads: one of them is accepted")
def auto_pad_and_pads(net: Net):
    net.attribute("MaxPool", auto_pad="VALID", pads=[1, 1, 1, 1])


@refused("has auto_pad = SAME_UPPER with dilation 2, which runtimes do not agree on: give pads")
def auto_pad_and_dilation(net: Net):
    net.attribute("Conv", auto_pad="SAME_UPPER", pads=[0] * 4, dilations=[2, 2])


@refused("has auto_pad = SAME_LOWER with stride 3 beyond kernel 2, which runtimes do not")
def auto_pad_and_stride(net: Net):
    net.attribute("MaxPool", auto_pad="SAME_LOWER", pads=[0] * 4, strides=[3, 3])


@refused("the window of 9 x 9 is larger than the padded input of 6 x 6")
def window_too_large(net: Net):
    net.attribute("MaxPool", kernel_shape=[9, 9])


@refused("so that a window of 2 may hold nothing but padding")
def window_in_the_padding(net: Net):
    net.attribute("MaxPool", pads=[2, 2, 2, 2])


@refused("has ceil_mode with count_include_pad, and windows that hang over the padding")
def average_of_an_unknown_count(net: Net):
    net.node("MaxPool").op_type = "AveragePool"
    net.attribute("AveragePool", ceil_mode=1, count_include_pad=1)
    net.attribute("AveragePool", kernel_shape=[3, 3], strides=[2, 2])


@refused("makes indices 'where': only the values are accepted")
def pool_indices(net: Net):
    net.node("MaxPool").output.append("where")


@refused(r"node 'conv_.*_node' \(Conv\): Unrecognized attribute: colour for operator Conv")
def attribute_unknown(net: Net):
    net.attribute("Conv", colour=1)


@refused("Mismatched attribute type .*strides")
def attribute_of_a_wrong_type(net: Net):
    net.attribute("Conv", strides=[1.5, 1.5])


@refused("attribute alpha is 0.5: 1 is accepted")
def gemm_factor(net: Net):
    net.attribute("Gemm", alpha=0.5)


@refused("attribute transA is 1: 0 is accepted")
def gemm_transposed_input(net: Net):
    net.attribute("Gemm", transA=1)


@refused(r"weight 'w_.*' has shape \[5, 4\]: 4 x N is needed for an input of \[1, 4\]")
def gemm_orientation(net: Net):
    net.attribute("Gemm", transB=0)


@refused(r"bias 'b_.*' has shape \[3\]: \[4\] is needed")
def bias_of_a_wrong_size(net: Net):
    net.set(net.weight(index=2).name, np.ones(3, np.int32))


@refused(r"adds constant 'b_.*' of shape \[3\] to \[1, 5\]: one value for each output channel")
def gemm_bias_of_a_wrong_size(net: Net):
    net.set(net.weight("Gemm", 2).name, np.ones(3, np.int32))


@refused(r"is read as \[1, 4, 25, 1\], but its data lie as \[1, 4, 5, 5\]: a reshape here")
def reshape_that_moves_data(net: Net):
    reshape = helper.make_node(
        "Reshape", [net.node("GlobalAveragePool").input[0], "dims"], ["reshaped"], "reshape"
    )
    net.model.graph.node.append(reshape)
    dims = numpy_helper.from_array(np.array([1, 4, 25, 1]), "dims")
    net.model.graph.initializer.append(dims)
    net.node("GlobalAveragePool").input[0] = "reshaped"


@refused(r"\(Reshape\): asks for \[1, 7\] of an input of shape \[1, 4, 1, 1\]")
def reshape_of_a_wrong_size(net: Net):
    node = net.node("Flatten")
    node.op_type = "Reshape"
    node.input.append("dims")
    net.model.graph.initializer.append(numpy_helper.from_array(np.array([1, 7]), "dims"))


@refused(
    r"makes \[1, 4, 6, 6\], but the model says that tensor 'conv_.*' has shape \[1, 4, 9, 9"
)
def declared_shape_differs(net: Net):
    name = net.node("Conv").output[0]
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 9, 9])
    net.model.graph.value_info.append(value)


@refused(r"tensor 'w_.*' has dimensions \[4, 4, 3, 3\], but is declared as \[4, 4, 5, 5\]")
def declared_weight_differs(net: Net):
    value = helper.make_tensor_value_info(net.weight().name, TensorProto.INT8, [4, 4, 5, 5])
    net.model.graph.input.append(value)


# Data ----------------------------------------------------------------------------------


@refused(r"tensor 'w_.*': has 145 bytes of raw data, but its dimensions \[4, 4, 3, 3\] of int8")
def raw_data_too_long(net: Net):
    net.weight().raw_data += b"x"


@refused("tensor 'w_.*': has 143 bytes of raw data, but its dimensions .* need 144")
def raw_data_too_short(net: Net):
    net.weight().raw_data = net.weight().raw_data[:-1]


@refused("tensor 'w_.*': has 3 values, but its dimensions .* of int8 need 144")
def typed_data_too_short(net: Net):
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.int32_data.extend([1, 2, 3])


@refused("tensor 'w_.*': has its int8 data in float_data")
def typed_data_in_a_wrong_field(net: Net):
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.float_data.extend([1.0] * 144)


@refused("tensor 'w_.*': has values that do not fit int8")
def typed_data_out_of_range(net: Net):
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.int32_data.extend([300] * 144)


@refused(r"tensor 'w_.*': has dimensions \[4, -4, 3, 3\]: none may be negative")
def negative_dimension(net: Net):
    net.weight().dims[1] = -4


@refused(r"tensor 'w_.*': has 144 bytes of raw data, but its dimensions .* need 4\d+$")
def enormous_dimension(net: Net):
    net.weight().dims[1] = 2**40 // 4 * 5


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(bsc: Bsc, case: str):
    CASES.check(case, bsc)


def test_external_data_of_a_model_in_memory():
    net = Net.make()
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")
    (line,) = problems_of(net)
    assert "external data 'w.bin' cannot be found for a model in memory: import its" in line
