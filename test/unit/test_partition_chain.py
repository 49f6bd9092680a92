"""Models in parts, compiled, saved, run and checked, in Python and on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from test_partition import random_network

import bsc as package
from bsc.partition import Part, chain, cut
from bsc.prepare import ort
from bsc.prepare.samples import samples


def images(model: onnx.ModelProto, seed: int) -> ort.Feed:
    return samples(model, 1, np.random.default_rng(seed))[0]


@pytest.fixture(scope="module")
def three() -> onnx.ModelProto:
    """One with more parts than one."""
    return random_network(3)[0]


@pytest.fixture
def model(
    three: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> onnx.ModelProto:
    """The same, which is m.onnx in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(three.SerializeToString())
    return three


@pytest.fixture(scope="module")
def made(three: onnx.ModelProto) -> chain.Chain:
    """The same, compiled."""
    return chain.compile(three, "paper-2x2")


@pytest.mark.parametrize("seed", range(21, 25))
def test_a_saved_chain_computes_what_onnxruntime_does(seed: int, tmp_path: Path):
    model, _ = random_network(seed)
    made = chain.compile(model, "paper-2x2")
    made.save(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        (*made.names, chain.INDEX)
    )
    feed = images(model, seed)
    expected = ort.run(model, feed)
    for timing_seed in (None, 5):
        found = chain.run(tmp_path / "out", feed, timing_seed=timing_seed).outputs
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert values.std() > 0
            np.testing.assert_array_equal(found[name], values)
    results = chain.check(model, tmp_path / "out", every_tensor=True)
    assert len(results) == sum(part.on_array for part in cut(model))
    assert all(result.ok for result in results)


def test_every_tensor_is_that_of_its_part(three: onnx.ModelProto, made: chain.Chain):
    feed = images(three, 1)
    (image,) = feed.values()
    found = chain.run(made, image, every_tensor=True)
    names = {node.output[0] for node in three.graph.node}
    assert len(found.tensors) > len(made.parts) // 2
    assert sum(name in names for name in found.tensors) > len(made.parts) // 2


def test_the_commands(bsc: Bsc, model: onnx.ModelProto):
    compiled = ("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2", "--partition")
    for _ in range(2):  # the second time in place of the first
        code, out, err = bsc(*compiled)
        assert (code, err) == (0, "")
        assert "out/part-1.onnx: on the host: " in out
    feed = images(model, 2)
    (image,) = feed.values()
    np.save("x.npy", image)
    code, out, err = bsc("run", "out", "-i", "x.npy", "-o", "y.npz")
    assert (code, err) == (0, "")
    expected = ort.run(model, feed)
    with np.load("y.npz") as found:
        assert set(found.files) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    code, out, err = bsc("check", "m.onnx", "out", "--every-tensor", "--timing-seeds", "1")
    assert (code, err) == (0, "")
    parts = sum(part.on_array for part in cut(model))
    assert out.count("of the model's") == parts > 1


def test_what_is_explained_is_what_is_compiled(bsc: Bsc, model: onnx.ModelProto):
    code, explained, err = bsc("explain", "m.onnx", "--partition")
    assert (code, err) == (0, "")
    arch = ("--arch", "paper-1x1")
    code, compiled, _ = bsc("compile", "m.onnx", "-o", "out", "--partition", *arch)
    assert code == 0
    hosts = re.findall(r"^out/(part-\d\.onnx: on the host: .*)$", compiled, re.MULTILINE)
    arrays = re.findall(r"^out/(part-\d): compiled", compiled, re.MULTILINE)
    assert re.findall(r"^part-\d\.onnx: .*$", explained, re.MULTILINE) == hosts
    assert re.findall(r"^(part-\d): on the array", explained, re.MULTILINE) == arrays
    title, *rows = explained.partition("\n\n")[0].splitlines()
    assert title.split()[:4] == ["node", "op", "where", "part"]
    for row, node in zip(rows, model.graph.node, strict=True):
        assert row.split()[0] == node.name
        assert row.split()[3].rstrip(",") in [*arrays, *(h.partition(":")[0] for h in hosts)]


def opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with symbols for the batch and the height."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.value_info[:]
    for value in (*found.graph.input, *found.graph.output):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param, dims[2].dim_param = "batch", "height"
    return found


@pytest.mark.parametrize("given", [("batch=1", "height=11"), ("x=1x3x11x16",)], ids=str)
def test_shapes_that_the_model_leaves_open(bsc: Bsc, model: onnx.ModelProto, given: tuple[str]):
    """Whichever way they are given, the parts are compiled for them, and so is the host's."""
    Path("m.onnx").write_bytes(opened(model).SerializeToString())
    shapes = [word for shape in given for word in ("--shape", shape)]
    code, out, err = bsc("explain", "m.onnx", "--partition", *shapes)
    assert (code, err) == (0, "")
    assert re.search(r"QLinearConv|Conv +array +part-0 +1x\d+x11x16 ", out)
    code, _, err = bsc("compile", "m.onnx", "-o", "out", "--partition")
    assert code == 1
    assert "dimension 0 is the symbol 'batch', dimension 2 is the symbol 'height'" in err
    arch = ("--arch", "paper-2x2")
    code, _, err = bsc("compile", "m.onnx", "-o", "out", "--partition", *arch, *shapes)
    assert (code, err) == (0, "")
    image = np.random.default_rng(7).standard_normal((1, 3, 11, 16), np.float32)
    np.save("x.npy", image)
    code, out, err = bsc("run", "out", "-i", "x.npy", "-o", "y.npz")
    assert (code, err) == (0, "")
    expected = ort.run(opened(model), {"x": image})
    with np.load("y.npz") as found:
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    code, out, err = bsc("check", "m.onnx", "out", *shapes)
    assert (code, err) == (0, "")


def test_check_names_the_tensor_that_differs(
    bsc: Bsc, model: onnx.ModelProto, made: chain.Chain
):
    made.save("out")
    last = max(Path("out").glob("part-?"))
    weights = np.fromfile(last / "weights.bin", np.uint8)
    weights[-1] ^= 64  # of the last block
    weights.tofile(last / "weights.bin")
    code, _, err = bsc("check", "m.onnx", "out", "--every-tensor")
    assert code == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("compile", "m.onnx", "-o", ".", "--partition"), "other files .* give a new folder"),
        (("compile", "m.onnx", "-o", "m.onnx", "--partition"), "m.onnx: is a file"),
        (
            ("compile", "m.onnx", "-o", "o", "--partition", "--shape", "batch=1"),
            "has no symbol 'batch' to give a shape to",
        ),
        (
            ("explain", "m.onnx", "--partition", "--shape", "batch"),
            "--shape must be of the form batch=1",
        ),
        (("compile", "gone.onnx", "-o", "o", "--partition"), "gone.onnx: no such file"),
        (("run", "out", "-i", "two.npz", "-o", "y.npz"), "input 'x' of the model is not given"),
        (("check", "small.onnx", "out"), "parts for the array, the program .* this model"),
    ],
)
def test_one_line_says_what_is_wrong(
    bsc: Bsc,
    model: onnx.ModelProto,
    made: chain.Chain,
    argv: tuple[str, ...],
    message: str,
):
    made.save("out")
    alone = cut(model)[0].model
    Path("small.onnx").write_bytes(alone.SerializeToString())
    np.savez("two.npz", other=np.zeros(3, np.float32))
    code, _, err = bsc(*argv)
    assert code == 1
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert not Path("o").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 9},
        {"parts": ["../part-0"]},
        {"parts": ["part-1"]},
        {"parts": 3},
        {"outputs": None},
    ],
    ids=str,
)
def test_an_index_that_is_none(tmp_path: Path, made: chain.Chain, change: dict[str, object]):
    made.save(tmp_path)
    index = json.loads((tmp_path / chain.INDEX).read_text(encoding="utf-8"))
    (tmp_path / chain.INDEX).write_text(json.dumps(index | change), encoding="utf-8")
    with pytest.raises(package.BscError, match=r"parts\.json: "):
        chain.load(tmp_path)


def test_problems_that_only_the_parts_have_are_told_at_once(
    three: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
):
    """Each part is compiled until one is refused; then all are looked at."""
    problems = {0: ("first",), 5: ("second", "third")}
    found = property(lambda part: problems.get(part.nodes[0], ("second",)))
    monkeypatch.setattr(Part, "problems", found)

    def refuse(*_: object, **more: object) -> None:
        raise package.ModelError("a part", ["first"])

    monkeypatch.setattr("bsc.api.compile", refuse)
    with pytest.raises(package.ModelError) as caught:
        chain.compile(three, "paper-2x2")
    assert caught.value.problems == ("first", "second", "third")
