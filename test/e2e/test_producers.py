"""What users' tools write: AMD Quark, Brevitas, Keras, PyTorch's exporters, onnxruntime.

The models in `fixtures/producers` are as those tools wrote them (`producers/make.py` runs
them).  Each compiles and computes what onnxruntime computes, at every quantized tensor, or is
refused with lines that say which node or tensor is not accepted.
"""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest
from commands import Bsc
from qdq_models import random_input

import bsc
from bsc import oracle
from bsc.prepare import prepare

FIXTURES = Path(__file__).parents[1] / "fixtures" / "producers"

AGREEING = (
    "brevitas-int8-bias8",
    "brevitas-int8",
    "brevitas-unbiased",
    "keras-tensorflow-branches-qdq-int8",
    "keras-tensorflow-decoder-qdq-int8",
    "keras-tensorflow-dense-qdq-int8",
    "keras-tensorflow-mobilenetv2-qdq-int8",
    "keras-tensorflow-small-qdq-int8",
    "keras-tensorflow-small-qdq-uint8",
    "keras-tensorflow-small-qop-int8",
    "keras-tensorflow-small-qop-uint8",
    "keras-torch-decoder-qdq-int8",
    "keras-torch-dense-qdq-int8",
    "keras-torch-small-qdq-int8",
    "keras-torch-small-qdq-uint8",
    "keras-torch-small-qop-int8",
    "keras-torch-small-qop-uint8",
    "quark-keras-tensorflow-decoder",
    "quark-keras-tensorflow-dense",
    "quark-keras-tensorflow-small",
    "quark-keras-torch-decoder",
    "quark-keras-torch-dense",
    "quark-keras-torch-small",
    "quark-legacy-small",
    "quark-torch-excite",
    "quark-torch-grouped",
    "quark-torch-hardswish",
    "quark-torch-normalized",
    "quark-torch-padded",
    "quark-torch-relu6",
    "quark-torch-shuffle",
    "quark-torch-small",
    "quark-torch-transposed",
    "quark-torch-upsample",
    "torch-dynamo-excite-qdq-int8",
    "torch-dynamo-grouped-qdq-int8",
    "torch-dynamo-hardswish-qdq-int8",
    "torch-dynamo-padded-qdq-int8",
    "torch-dynamo-relu6-qdq-int8",
    "torch-dynamo-shuffle-qdq-int8",
    "torch-dynamo-small-qdq-int8",
    "torch-dynamo-small-qdq-uint8",
    "torch-dynamo-small-qop-int8",
    "torch-dynamo-small-qop-uint8",
    "torch-dynamo-transposed-qdq-int8",
    "torch-dynamo-upsample-qdq-int8",
    "torch-torchscript-excite-qdq-int8",
    "torch-torchscript-grouped-qdq-int8",
    "torch-torchscript-hardswish-qdq-int8",
    "torch-torchscript-padded-qdq-int8",
    "torch-torchscript-relu6-qdq-int8",
    "torch-torchscript-shuffle-qdq-int8",
    "torch-torchscript-small-qdq-int8",
    "torch-torchscript-small-qdq-uint8",
    "torch-torchscript-small-qop-int8",
    "torch-torchscript-small-qop-uint8",
    "torch-torchscript-transposed-qdq-int8",
    "torch-torchscript-upsample-qdq-int8",
)
"""The models that are accepted."""

OTHERS = sorted({path.stem for path in FIXTURES.glob("*.onnx")} - set(AGREEING))

FLOATS = sorted(path.stem for path in (FIXTURES / "float").glob("*.onnx"))


def path_of(name: str) -> Path:
    """A quantized fixture."""
    return FIXTURES / f"{name}.onnx"


def read(path: Path) -> onnx.ModelProto:
    """A model of the fixtures."""
    return onnx.ModelProto.FromString(path.read_bytes())


def names_in(model: onnx.ModelProto) -> set[str]:
    """The names of nodes and tensors."""
    nodes = model.graph.node
    tensors = {name for node in nodes for name in (*node.input, *node.output)}
    return tensors | {node.name for node in nodes}


def assert_agrees(model: onnx.ModelProto) -> None:
    """Every quantized tensor of the program for a small machine is onnxruntime's."""
    compiled = bsc.compile(model, arch="paper-2x2")
    result = bsc.check(model, compiled, every_tensor=True)
    assert not result.unaccounted
    assert result.first_different is None
    assert len(result.tensors) > 3


def assert_agrees_or_says_why_not(model: onnx.ModelProto) -> None:
    """Every line of a refusal names a node or a tensor of the model."""
    try:
        assert_agrees(model)
    except bsc.BscError as e:
        known = names_in(model)
        for line in str(e).split("\n"):
            subject = re.match(r"model '.*?': (?:node|graph input|graph output) '(.+?)'", line)
            assert subject is not None, line
            assert subject[1] in known, line


@pytest.mark.parametrize("name", AGREEING)
def test_agrees_with_onnxruntime(name: str):
    model = read(path_of(name))
    for values in oracle.quantized_tensors(model, random_input(model)).values():
        assert values.std() > 0, "a network without life would show nothing"
    assert_agrees(model)


@pytest.mark.parametrize("name", OTHERS)
def test_agrees_or_says_why_not(name: str):
    assert_agrees_or_says_why_not(read(path_of(name)))


@pytest.mark.parametrize("name", FLOATS)
def test_prepared_agrees_or_says_why_not(name: str):
    model = prepare(FIXTURES / "float" / f"{name}.onnx", block=(4, 4))
    assert_agrees_or_says_why_not(model)


def test_a_zero_point_that_int8_has_not(bsc: Bsc):
    """Brevitas has uint8 with zero point 0 after a relu."""
    path = path_of("brevitas-uint8")
    code, out, err = bsc("compile", str(path), "-o", "out", "--arch", "paper-2x2")
    assert code == 1
    assert not out
    assert "'/stem_relu/act_quant/export_handler/QuantizeLinear'" in err
    assert "zero point" in err
    assert not Path("out").exists()


def test_an_open_batch(bsc: Bsc):
    """PyTorch's dynamic axes: refused with the option that helps, and right with it."""
    path = str(path_of("torch-torchscript-batch-qdq-int8"))
    code, _, err = bsc("compile", path, "-o", "out", "--arch", "paper-2x2")
    assert code == 1
    assert "'batch'" in err
    assert "--shape batch=1" in err
    options = ("--shape", "batch=1")
    code, _, err = bsc("compile", path, "-o", "out", "--arch", "paper-2x2", *options)
    assert (code, err) == (0, "")
    code, out, err = bsc("check", path, "out", "--every-tensor", *options)
    assert (code, err) == (0, "")
    assert "15 of the model's 15 quantized tensors" in out
