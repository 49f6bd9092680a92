"""Each bad model is refused in one line that says where, what, and what would do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qdq_models import QdqBuilder, Signal

from bsc.errors import BscError
from bsc.frontend import import_onnx

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Net(NamedTuple):
    """A good model, to be spoilt: input, convolution, relu, pool, mean, dense layer."""

    model: onnx.ModelProto

    @staticmethod
    def make() -> Net:
        b = QdqBuilder()
        x = b.conv(b.input((1, 4, 8, 8)), 4, (3, 3), activation="Relu")
        x = b.pool("MaxPool", x, (2, 2))
        x = b.binary("Add", x, x)
        return Net(b.model(b.gemm(b.flatten(b.global_pool(x)), 5)))

    def node(self, op_type: str, index: int = 0) -> onnx.NodeProto:
        return [n for n in self.model.graph.node if n.op_type == op_type][index]

    def tensor(self, name: str) -> onnx.TensorProto:
        return next(t for t in self.model.graph.initializer if t.name == name)

    def set(self, name: str, value: Array) -> None:
        self.tensor(name).CopyFrom(numpy_helper.from_array(value, name))

    def maker(self, name: str) -> onnx.NodeProto:
        return next(n for n in self.model.graph.node if name in n.output)

    def weight(self, op_type: str = "Conv", index: int = 1) -> onnx.TensorProto:
        """The int8 weight, or the bias, of the first operator of a type."""
        return self.tensor(self.maker(self.node(op_type).input[index]).input[0])

    def attribute(self, op_type: str, **values: Any) -> None:
        node = self.node(op_type)
        kept = [a for a in node.attribute if a.name not in values]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in values.items())

    @property
    def scale(self) -> str:
        """The scale of the convolution's result."""
        return self.node("QuantizeLinear", 1).input[1]


def number(value: float, dtype: str = "f4") -> Array:
    return np.array(value, dtype)


Edit: TypeAlias = Callable[[Net], object]
CASES: dict[str, tuple[Edit, str]] = {}


def refused(expected: str) -> Callable[[Edit], Edit]:
    """The edit makes a model that is refused in one line, which matches `expected`."""

    def register(edit: Edit) -> Edit:
        CASES[edit.__name__] = (edit, expected)
        return edit

    return register


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


@refused("tensor 'sparse' is a sparse initializer: only dense ones are accepted")
def sparse_initializer(net: Net):
    values = numpy_helper.from_array(np.ones(1, np.int8), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "")
    sparse = helper.make_sparse_tensor(values, indices, [4])
    net.model.graph.sparse_initializer.append(sparse)


# Operators -----------------------------------------------------------------------------


@refused(r"node 'maxpool_.*' \(LRN\): operator LRN is not supported; these are: Add, ArgMax")
def unsupported_operator(net: Net):
    node = net.node("MaxPool")
    del node.attribute[:]
    node.op_type = "LRN"
    node.attribute.append(helper.make_attribute("size", 3))


@refused(r"\(com\.acme\.Conv\): operator com\.acme\.Conv is not supported")
def unknown_domain(net: Net):
    net.node("Conv").domain = "com.acme"


@refused(r"operator com\.microsoft\.QLinearAdd is not supported: give the model in QDQ form")
def operator_form(net: Net):
    net.node("Add").domain = "com.microsoft"
    net.node("Add").op_type = "QLinearAdd"


@refused(r"\(Softmax\)\) and only at the end of the graph: nothing can come back to the array")
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


@refused(r"\(Add\): reads the constant 'dequantizelinear_.*' where an activation is expected")
def add_of_a_constant(net: Net):
    net.node("Add").input[1] = net.node("Gemm").input[1]


@refused(r"has inputs of shapes \[1, 4, 5, 5\] and \[1, 4, 1, 1\]: equal shapes are accepted")
def add_broadcasts(net: Net):
    net.node("Add").input[1] = net.maker(net.node("Flatten").input[0]).output[0]
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


@refused(r"zero point 'zero_.*' is uint8: int8 with zero point 0 is accepted \(quantize with")
def zero_point_uint8(net: Net):
    net.set(net.node("QuantizeLinear", 1).input[2], number(128, "u1"))


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


# Shapes and attributes -----------------------------------------------------------------


@refused("graph input 'x_1': dimension 0 is the symbol 'batch': fix it, e.g. the batch to 1")
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


@refused(r"is read as \[1, 100, 1, 1\], but its data lie as \[1, 4, 5, 5\]: a reshape here")
def reshape_that_moves_data(net: Net):
    reshape = helper.make_node(
        "Reshape", [net.node("GlobalAveragePool").input[0], "dims"], ["reshaped"], "reshape"
    )
    net.model.graph.node.append(reshape)
    dims = numpy_helper.from_array(np.array([1, 100, 1, 1]), "dims")
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


@refused("external data 'w.bin' cannot be found for a model in memory: import its file")
def external_data_in_memory(net: Net):
    weight = net.weight()
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(case: str):
    edit, expected = CASES[case]
    net = Net.make()
    edit(net)
    with pytest.raises(BscError) as caught:
        import_onnx(net.model)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("model 'small': ")
    assert re.search(expected, line), line


def test_the_good_model_is_accepted():
    assert import_onnx(Net.make().model).shapes


def test_all_problems_are_told_at_once():
    net = Net.make()
    net.set(net.scale, number(0.3))
    unsupported_operator(net)
    net.weight("Gemm").dims[0] = 6
    gemm_transposed_input(net)
    accumulator_overflow(net)
    net.model.ir_version = 99
    with pytest.raises(BscError) as caught:
        import_onnx(net.model)
    lines = str(caught.value).splitlines()
    expected = ["IR version", "tensor 'w_", "accumulator", "not a power of two", "LRN"]
    assert len(lines) == len(expected)
    for line, text in zip(lines, expected, strict=True):
        assert text in line


def test_what_comes_after_a_refused_operator_is_looked_at():
    net = Net.make()
    add_broadcasts(net)
    unsupported_operator(net)
    gemm_factor(net)
    with pytest.raises(BscError) as caught:
        import_onnx(net.model)
    lines = str(caught.value).splitlines()
    assert [re.findall(r"\((\w+)\)", line)[0] for line in lines] == ["LRN", "Add", "Gemm"]
