"""What `prepare` accepts, and the one line that it says to everything else."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper, parser
from onnx.external_data_helper import set_external_data

from bsc.errors import BscError
from bsc.prepare import NETWORKS, ort, prepare
from bsc.prepare.samples import samples
from bsc.prepare.source import read

BODY = "c = Conv(x, w) r = Relu(c) y = GlobalAveragePool(r)"


def net(
    body: str = BODY, opset: int = 17, ir: int = 8, x: str = "float[1,3,16,16]"
) -> onnx.ModelProto:
    """A model whose nodes are `body`, from x to y, with a weight w of 8×3×1×1."""
    values = np.random.default_rng(0).standard_normal((8, 3, 1, 1)).astype("f4")
    header = f'<ir_version: {ir}, opset_import: ["": {opset}]>'
    model = parser.parse_model(f"{header} net ({x} x) => (float[N,8,K,L] y) {{{body}}}")
    model.graph.initializer.append(numpy_helper.from_array(values, "w"))
    return model


def message_of(source: Any, **options: Any) -> str:
    """The message that `prepare` refuses `source` with."""
    with pytest.raises(BscError) as error:
        prepare(source, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_old_model_is_made_plain():
    """Opset 9, a constant among the inputs, Clip with attributes, Sum, no names."""
    body = """
        c = Conv(x, w)
        r = Clip<min: float = 0, max: float = 6>(c)
        d = Dropout(r)
        i = Identity(d)
        y = Sum(i, i, i)"""
    model = net(body, opset=9, ir=3)
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("w", TensorProto.FLOAT, [8, 3, 1, 1])
    )
    plain = read(model)
    assert plain.opset_import[0].version >= 13
    assert [value.name for value in plain.graph.input] == ["x"]

    result = prepare(model)
    operators = [n for n in result.graph.node if "quantize" not in n.op_type.lower()]
    assert [n.op_type for n in operators] == ["Conv", "Clip", "Add", "Add"]
    assert len({node.name for node in result.graph.node}) == len(result.graph.node)
    feed = samples(plain, 1, np.random.default_rng(0))[0]
    np.testing.assert_allclose(ort.run(result, feed)["y"], ort.run(model, feed)["y"], atol=0.5)


def test_an_open_batch_is_one():
    graph = read(net(x="float[N,3,16,16]")).graph
    shapes = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (graph.input[0], graph.output[0])
    ]
    assert shapes == [[1, 3, 16, 16], [1, 8, 1, 1]]


def test_constants_become_initializers():
    model = net(
        "k = Constant<value = float[1,8,1,1] {1,2,3,4,5,6,7,8}>() c = Conv(x, w) y = Mul(c, k)"
    )
    graph = read(model).graph
    assert {tensor.name for tensor in graph.initializer} == {"w", "k"}
    assert [node.op_type for node in graph.node] == ["Conv", "Mul"]


def test_a_file_is_left_alone(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(net().SerializeToString())
    prepare(path)
    prepare(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_external_data_is_read(tmp_path: Path):
    model = net()
    data = model.graph.initializer[0].raw_data
    (tmp_path / "weights.bin").write_bytes(data)
    set_external_data(model.graph.initializer[0], "weights.bin")
    model.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert read(tmp_path / "net.onnx").graph.initializer[0].raw_data == data
    assert message_of(model) == "model 'net': the data of tensor 'w' is not loaded"


@pytest.mark.parametrize("location", ["missing.bin", "../outside.bin", "/etc/hostname"])
def test_external_data_that_cannot_be_had(tmp_path: Path, location: str):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(96))
    model = net()
    set_external_data(model.graph.initializer[0], location)
    model.graph.initializer[0].ClearField("raw_data")
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    assert message_of(folder / "net.onnx").startswith(str(tmp_path))


def test_names_that_stand_for_nothing():
    assert message_of("resnet51") == (
        f"unknown network 'resnet51': give one of {', '.join(NETWORKS)}, or a float ONNX file"
        "; did you mean 'resnet50'?"
    )
    assert message_of("resnet51.onnx") == "resnet51.onnx: no such file"
    assert message_of("nowhere/resnet51") == "nowhere/resnet51: no such file"


def test_the_size_is_for_built_in_networks():
    message = "a size is for built-in networks only: a file has its own"
    assert message_of(net(), size=32) == message
    assert message_of("vgg16", size=31) == "vgg16 takes images of 32 pixels or more, not 31"


def test_options_are_checked_before_the_source():
    assert message_of("nowhere.onnx", sparsity=2).startswith("sparsity")


def test_a_directory(tmp_path: Path):
    assert message_of(tmp_path) == f"{tmp_path}: cannot read the file: Is a directory"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an ONNX model: it has no operators"),
        (b"hello, this is text\n", "not an ONNX file"),
        (net().SerializeToString()[:-9], "not an ONNX file"),
        (net().SerializeToString().replace(b"Relu", b"Re\xffu"), "not an ONNX file"),
        (net().SerializeToString().replace(b"Relu", b"Rely"), "not a valid ONNX model: "),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    assert message_of(path).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (onnx.ModelProto(), "model '': not an ONNX model: it has no operators"),
        (net(x="float[2,3,8,8]"), "model 'net': input 'x' has shape 2×3×8×8: only batch 1"),
        (net(x="float[1,3,H,8]"), "model 'net': input 'x' has shape 1×3×H×8: fix all but"),
        (net(x="double[1,3,8,8]"), "model 'net': input 'x' is not a float32 tensor"),
        (net(x="float[1,4,8,8]"), "onnxruntime cannot run the model: "),
        (net("c = Conv(x, w) y = Relu(d)"), "model 'net': not a valid ONNX model: "),
    ],
)
def test_models_that_cannot_be_prepared(model: onnx.ModelProto, message: str):
    assert message_of(model).startswith(message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "model 'net': tensor 'w' has values that are not finite"),
        (math.inf, "model 'net': tensor 'w' has values that are not finite"),
        (3e38, "tensor 'c' has values that are not finite: cannot quantize"),
    ],
)
def test_weights_out_of_range(value: float, message: str):
    model = net()
    weight = np.full((8, 3, 1, 1), value, "f4")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    assert message_of(model) == message


@pytest.mark.parametrize("extent", [-8, 0, 7, 9, 2**40])
def test_a_weight_of_another_size_than_its_data(extent: int):
    model = net()
    model.graph.initializer[0].dims[0] = extent
    assert message_of(model).startswith("model 'net': not a valid ONNX model: ")


def test_a_type_that_does_not_exist():
    model = net()
    model.graph.initializer[0].data_type = 99
    assert message_of(model).startswith("model 'net': ")


def test_a_model_that_is_quantized_already():
    assert message_of(prepare(net())) == (
        "model 'net': quantized already (node 'w_DequantizeLinear' is DequantizeLinear): "
        "give the float model"
    )
    qoperator = net("c = com.microsoft.QLinearAdd(x, w) y = Relu(c)")
    assert "is QLinearAdd" in message_of(qoperator)
