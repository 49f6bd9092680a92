"""What is not an ONNX file, and weights in files beside the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import TensorProto, numpy_helper
from qdq_models import QdqBuilder, random_input, random_network

from bsc import oracle
from bsc.dialects import bsw
from bsc.errors import ModelError
from bsc.frontend import import_onnx
from bsc.interpreter import run_module

DATA = "weights.bin"


def refusal(bsc: Bsc, path: Path | str) -> str:
    """The one line with which the commands refuse the file, after its path."""
    code, out, err = bsc("compile", str(path), "-o", "out")
    assert (code, out, Path("out").exists()) == (1, "", False)
    assert bsc("explain", str(path))[::2] == (1, err)
    (line,) = err.splitlines()
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert line == f"bsc: error: {caught.value}"
    where, _, reason = str(caught.value).partition(": ")
    assert where.strip("'") == str(path)
    return reason


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an ONNX model: the file is empty"),
        (b"This is a text.\n" * 9, "its 144 bytes are no ONNX protobuf message, or a trunc"),
        (bytes(100), "its 100 bytes are no ONNX protobuf message"),
        (random_network(0).SerializeToString()[:-9], "or a truncated one"),
        (numpy_helper.from_array(np.ones(3)).SerializeToString(), "not an ONNX model"),
        (random_network(0).graph.node[0].SerializeToString(), "not an ONNX model"),
        (onnx.ModelProto(producer_name="x").SerializeToString(), "no ir_version and no graph"),
        (
            onnx.ModelProto(ir_version=8).SerializeToString(),
            "not an ONNX model: it has no graph",
        ),
    ],
)
def test_what_is_no_model(bsc: Bsc, tmp_path: Path, content: bytes, expected: str):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert expected in refusal(bsc, path)


def test_a_model_without_nodes(bsc: Bsc, tmp_path: Path):
    path = tmp_path / "model.onnx"
    model = random_network(0)
    del model.graph.node[:]
    del model.graph.output[:]
    model.graph.output.append(model.graph.input[0])
    path.write_bytes(model.SerializeToString())
    assert refusal(bsc, path) == "the graph has no nodes: nothing to compute"


def test_what_is_no_file(bsc: Bsc, tmp_path: Path):
    assert refusal(bsc, tmp_path / "none.onnx") == "no such file"
    assert refusal(bsc, tmp_path) == "is a folder: give the .onnx file in it"
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    assert refusal(bsc, pipe) == "not a regular file: give an .onnx file"
    # No command line can hold this one.
    with pytest.raises(ModelError, match=r"^'a\\x00b': cannot read the file: embedded null"):
        import_onnx("a\0b")
    assert "File name too long" in refusal(bsc, tmp_path / ("x" * 300))


# External data -------------------------------------------------------------------------


def saved(folder: Path, change: Callable[[onnx.TensorProto], None] | None = None) -> Path:
    """A model in `folder` whose weights lie in a file beside it, after `change` on one."""
    b = QdqBuilder()
    y = b.gemm(b.flatten(b.conv(b.input((1, 4, 8, 8)), 4, (3, 3))), 5)
    model = b.model(y)
    content = bytearray(3)
    weights = [t for t in model.graph.initializer if len(t.raw_data) > 16]
    for tensor in weights:
        entries = {"location": DATA, "offset": str(len(content))}
        content += tensor.raw_data
        for key, value in (entries | {"length": str(len(tensor.raw_data))}).items():
            tensor.external_data.add(key=key, value=value)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    if change is not None:
        change(weights[0])
    folder.mkdir(exist_ok=True)
    (folder / DATA).write_bytes(content)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def entry(key: str, value: str) -> Callable[[onnx.TensorProto], None]:
    """A change that sets one entry of a tensor's external data."""

    def change(tensor: onnx.TensorProto) -> None:
        for item in tensor.external_data:
            if item.key == key:
                item.value = value

    return change


def test_weights_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path)
    monkeypatch.chdir(tmp_path)
    imported = import_onnx("model.onnx")
    feeds = random_input(onnx.ModelProto.FromString(path.read_bytes()))
    expected = oracle.quantized_tensors("model.onnx", feeds)
    name, *_, last = expected
    (result,) = run_module(imported.module, [oracle.to_nhwc(expected[name])])
    np.testing.assert_array_equal(
        oracle.from_nhwc(result, expected[last].shape), expected[last]
    )


def test_weights_of_a_pointwise_convolution_are_not_copied(tmp_path: Path):
    b = QdqBuilder()
    model = b.model(b.conv(b.input((1, 8, 4, 4)), 8))
    imported = import_onnx(model)
    (weight,) = (op for op in imported.module.ops if isinstance(op, bsw.WeightOp))
    assert weight.data.data.content.base is not None
    assert weight.values()[0].shape == (8, 1, 1, 8)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("location", "gone.bin", "external data 'gone.bin' is missing: put it beside"),
        ("location", "/etc/passwd", "must be a path relative to the model's folder"),
        ("location", "../other.bin", "lies outside the model's folder: move it there"),
        ("location", "link.bin", "lies outside the model's folder: move it there"),
        ("location", "loop.bin", "external data 'loop.bin' "),
        ("location", "sub", "is not a regular file"),
        ("location", "", "must be a path relative to the model's folder"),
        ("location", "x" * 400, "cannot be read: File name too long"),
        ("offset", "900", "but 144 bytes at 900 are asked for"),
        ("offset", "-1", "external data has offset '-1', which is not a number"),
        ("offset", "9" * 40, "which is not a number"),
        ("length", "143", "has 143 bytes of external data, but its dimensions [4, 4, 3, 3] of"),
        ("length", "9" * 15, "has 999999999999999 bytes of external data, but its dimens"),
    ],
)
def test_external_data_out_of_reach(
    bsc: Bsc, tmp_path: Path, key: str, value: str, expected: str
):
    folder = tmp_path / "model"
    path = saved(folder, entry(key, value))
    (folder / "sub").mkdir()
    (tmp_path / "other.bin").write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(tmp_path / "other.bin")
    (folder / "loop.bin").symlink_to(folder / "loop.bin")
    reason = refusal(bsc, path)
    assert reason.startswith("tensor 'w_6': ")
    assert expected in reason


def test_a_long_file_without_content(bsc: Bsc, tmp_path: Path):
    """A terabyte of zeros that nobody has written is not what a weight is made of."""

    def enormous(tensor: onnx.TensorProto) -> None:
        tensor.dims[:] = [2**32, 2**5, 1, 1]
        tensor.external_data[2].value = str(2**37)

    path = saved(tmp_path / "model", enormous)
    os.truncate(path.parent / DATA, 2**40)
    assert refusal(bsc, path).endswith("137438953472 bytes: at most 2147483647 are accepted")


@pytest.mark.parametrize("what", ["node", "initializer", "input"])
def test_names_that_are_no_text(bsc: Bsc, tmp_path: Path, what: str):
    model = random_network(0)
    stem = "name_of_that_length"
    getattr(model.graph, what)[0].name = stem
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString().replace(stem.encode(), b"\xff" * len(stem)))
    assert refusal(bsc, path).startswith("not an ONNX model: ")
