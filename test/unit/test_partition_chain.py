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
from bsc.partition import chain, cut
from bsc.prepare import ort
from bsc.prepare.samples import samples


def images(model: onnx.ModelProto, seed: int) -> ort.Feed:
    return samples(model, 1, np.random.default_rng(seed))[0]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """One with more parts than one, which is m.onnx in the current folder."""
    monkeypatch.chdir(tmp_path)
    found, _ = random_network(3)
    Path("m.onnx").write_bytes(found.SerializeToString())
    return found


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


def test_every_tensor_is_that_of_its_part():
    model, _ = random_network(3)
    made = chain.compile(model, "paper-2x2")
    feed = images(model, 1)
    (image,) = feed.values()
    found = chain.run(made, image, every_tensor=True)
    names = {node.output[0] for node in model.graph.node}
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


def test_check_names_the_tensor_that_differs(bsc: Bsc, model: onnx.ModelProto):
    chain.compile(model, "paper-2x2").save("out")
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
            "goes without --shape",
        ),
        (("compile", "gone.onnx", "-o", "o", "--partition"), "gone.onnx: no such file"),
        (("run", "out", "-i", "two.npz", "-o", "y.npz"), "input 'x' of the model is not given"),
        (("check", "small.onnx", "out"), "parts for the array, the program .* this model"),
    ],
)
def test_one_line_says_what_is_wrong(
    bsc: Bsc, model: onnx.ModelProto, argv: tuple[str, ...], message: str
):
    chain.compile(model, "paper-2x2").save("out")
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
def test_an_index_that_is_none(model: onnx.ModelProto, change: dict[str, object]):
    chain.compile(model, "paper-2x2").save("out")
    index = json.loads(Path("out", chain.INDEX).read_text(encoding="utf-8"))
    Path("out", chain.INDEX).write_text(json.dumps(index | change), encoding="utf-8")
    with pytest.raises(package.BscError, match=r"parts\.json: "):
        chain.load("out")
