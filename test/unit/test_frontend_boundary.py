"""What of a model is the host's, what every node becomes, and by which names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from exactness import argument_names, assert_exact, main_of, operations
from onnx import TensorProto, helper
from qdq_models import (
    QdqBuilder,
    Signal,
    random_network,
)
from xdsl.context import Context
from xdsl.dialects import builtin, func
from xdsl.parser import Parser

from bsc import oracle
from bsc.dialects import bsw, qnn
from bsc.dialects.qnn_attributes import HostAttr, position_of
from bsc.errors import BscError
from bsc.frontend import import_onnx

# The boundary to the host --------------------------------------------------------------


def hosts(attributes: Any) -> list[HostAttr]:
    return [item.data["qnn.host"] for item in attributes]


def test_inputs_and_outputs_of_every_kind():
    b = QdqBuilder()
    image, row = b.input((1, 3, 4, 4)), b.input((1, 5), pos=2)
    b.inputs.append(helper.make_tensor_value_info("ready", TensorProto.INT8, [1, 3, 4, 4]))
    ready = Signal(b.node("DequantizeLinear", ["ready", b.scale(4), b.zero()]), (1, 3, 4, 4), 4)
    total = b.binary("Add", image, ready)
    scores = b.node("Softmax", [row.name], axis=-1)
    raw = b.node("QuantizeLinear", [total.name, b.scale(2), b.zero()])
    model = b.model(scores, total, raw)
    model.graph.output[2].type.tensor_type.elem_type = TensorProto.INT8
    imported = assert_exact(model)
    main = main_of(imported)
    assert [h.onnx_name.data for h in hosts(main.arg_attrs)] == ["x_1", "x_6", "ready"]
    assert [h.dtype.data for h in hosts(main.arg_attrs)] == ["float32", "float32", "int8"]
    assert [h.shape for h in hosts(main.arg_attrs)] == [(1, 3, 4, 4), (1, 5), (1, 3, 4, 4)]
    assert [position_of(a.type) for a in main.body.block.args] == [4, 2, 4]
    assert argument_names(imported) == ["quantizelinear_4", "quantizelinear_9", "ready"]
    results = hosts(main.res_attrs)
    assert results[0].onnx_name.data == "quantizelinear_9"
    assert results[2].onnx_name.data == raw
    assert {h.dtype.data for h in results} == {"int8"}


def test_every_node_is_reported_with_a_reason():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 8, (3, 3), activation="Relu")
    y = b.gemm(b.flatten(b.global_pool(x)), 5)
    unused = b.node("Identity", [x.name])
    model = b.model(b.node("Softmax", [y.name]))
    imported = assert_exact(model)
    assert [r.name for r in imported.nodes] == [node.name for node in model.graph.node]
    by_name = {r.name: r for r in imported.nodes}
    on_host = [r.op_type for r in imported.nodes if r.where == "host"]
    assert on_host == ["QuantizeLinear", "DequantizeLinear", "Identity", "Softmax"]
    assert "not used" in by_name[f"{unused}_node"].reason
    assert "while it lays the tensor out" in imported.nodes[0].reason
    assert all(r.reason for r in imported.nodes)
    (conv,) = (r for r in imported.nodes if r.op_type == "Conv")
    assert conv.certified
    assert 0 < (conv.accumulator_bound or 0) < 2**24
    assert by_name[imported.nodes[-1].name].accumulator_bound is None


def test_the_host_reshapes_an_input_before_it_quantizes():
    b = QdqBuilder()
    b.inputs.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, [1, 48]))
    b.nodes.append(helper.make_node("Constant", [], ["dims"], value_ints=[1, 3, 4, 4]))
    image = b.node("Identity", [b.node("Reshape", ["flat", "dims"])])
    model = b.model(b.conv(b.quantize(image, (1, 3, 4, 4), 4), 2))
    imported = assert_exact(model)
    (host,) = hosts(main_of(imported).arg_attrs)
    assert (host.onnx_name.data, host.layout.data, host.shape) == ("flat", "NCHW", (1, 48))
    assert [r.where for r in imported.nodes[:4]] == ["host"] * 4


def test_a_node_names_the_tensor_of_its_operation():
    b = QdqBuilder()
    model = b.model(b.conv(b.input((1, 3, 4, 4)), 8, activation="Relu"))
    imported = assert_exact(model)
    (result,) = hosts(main_of(imported).res_attrs)
    tensors = {r.op_type: r.tensor for r in imported.nodes if r.tensor is not None}
    assert tensors == dict.fromkeys(("Conv", "QuantizeLinear"), result.onnx_name.data)


def test_accumulators_beyond_float32_are_not_certified():
    b = QdqBuilder()
    x = b.input((1, 1200))
    w = b.weight(np.full((1200, 2), 127, np.int8), 7)
    y = b.quantize(b.node("MatMul", [x.name, w]), (), -5)
    (report,) = (r for r in import_onnx(b.model(y)).nodes if r.op_type == "MatMul")
    assert report.accumulator_bound == 1200 * 127 * 128
    assert not report.certified


@pytest.mark.parametrize("stem", ["Quant/ [$.#@:]_", "Qu\u00e4nt/\x01 $.#@:_"])
def test_names_that_are_no_identifiers(stem: str):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 4)), 3)
    content = b.model(b.unary("Relu", x)).SerializeToString()
    renamed = content.replace(b"quantizelinear_", stem.encode())
    imported = assert_exact(onnx.ModelProto.FromString(renamed))
    assert next(iter(imported.shapes)).startswith(stem)


def test_the_module_is_what_its_text_says():
    text = str(import_onnx(random_network(3)).module)
    context = Context()
    for dialect in (builtin.Builtin, func.Func, bsw.BSW, qnn.QNN):
        context.load_dialect(dialect)
    assert str(Parser(context, text).parse_module()) == text


def test_a_deep_graph_needs_no_deep_stack(tmp_path: Path):
    b = QdqBuilder()
    x = b.input((1, 1))
    name = x.name
    for _ in range(5000):
        name = b.node("Identity", [name])
    model = b.model(b.quantize(name, (), x.pos))
    path = tmp_path / "deep.onnx"
    path.write_bytes(model.SerializeToString())
    assert len(operations(import_onnx(path))) == 1


@pytest.mark.parametrize("feeds", [{}, {"x_1": np.zeros((2, 2), np.float32)}])
def test_what_onnxruntime_cannot_run_is_told_in_one_line(feeds: dict[str, Any]):
    b = QdqBuilder()
    model = b.model(b.unary("Relu", b.input((1, 3, 4, 4))))
    with pytest.raises(BscError, match=r"^onnxruntime cannot run the model: [^\n]*x_1"):
        oracle.quantized_tensors(model, feeds)
