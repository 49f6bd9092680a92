"""Networks of all sizes up to 67, with every kind of window, group and zero block, on machines
with room for them: none is refused, and each equals onnxruntime, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from varied_networks import outcome_of
from wide_networks import LARGEST, roomy, wide_arch, wide_network

TRAITS = (
    *("size 1", "size 7", "size 61", "size 67", "11x11 stride 4", "1x7", "7x1", "dilated"),
    *("grouped", "depthwise", "zero weight", "dense weight", "other share", "uneven pads"),
    *("nested concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Gemm", "Add"),
)
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "random_networks.py"


@pytest.mark.parametrize(
    "seeds", [range(first, first + 4) for first in range(0, 16, 4)], ids=str
)
def test_every_tensor_of_wide_networks(seeds: range):
    for seed in seeds:
        outcome = outcome_of(wide_network(seed), wide_arch(seed))
        assert outcome.kind == "ok", f"seed {seed}: {outcome.reason}"


def test_the_machines_have_room():
    arches = [wide_arch(seed) for seed in range(50)]
    assert all(roomy(arch) for arch in arches)
    assert {arch.rows for arch in arches} == set(range(1, 9)) == {arch.cols for arch in arches}
    assert min(arch.memtile_bytes for arch in arches) == 64 * 1024
    assert min(arch.core_bytes for arch in arches) == 16 * 1024


def test_everything_that_should_be_drawn_is():
    found: Counter[str] = Counter()
    for seed in range(120):
        found += Counter(_traits(wide_network(seed)))
    missing = [trait for trait in TRAITS if found[trait] < 2]
    assert not missing, found


def _traits(model: onnx.ModelProto) -> set[str]:
    """What a model has of the list above."""
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    found = {node.op_type for node in model.graph.node}
    for value in model.graph.input:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        found |= {f"size {dim}" for dim in dims}
        assert max(dims) <= LARGEST
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Concat":
            # What is dequantized, was quantized, and was made before.
            real = [makers[makers[name].input[0]].input[0] for name in node.input]
            made = [makers[name].op_type for name in real if name in makers]
            found |= {"nested concat"} if "Concat" in made else set()
        if node.op_type == "Conv":
            weight = constants[makers[node.input[1]].input[0]]
            found |= _of_conv(weight, attributes)
    return found


def _of_conv(weight: np.typing.NDArray[np.int8], attributes: dict[str, object]) -> set[str]:
    strides, group = attributes["strides"], attributes["group"]
    pads, dilations = (cast(list[int], attributes[name]) for name in ("pads", "dilations"))
    kernel = "x".join(map(str, weight.shape[2:]))
    found = {kernel}
    if kernel == "11x11" and strides == [4, 4]:
        found.add("11x11 stride 4")
    if max(dilations) > 1:
        found.add("dilated")
    if group != 1:
        found.add("depthwise" if weight.shape[1] == 1 else "grouped")
    if pads[:2] != pads[2:]:
        found.add("uneven pads")
    share = float((weight == 0).mean())
    found.add("zero weight" if share == 1 else "dense weight" if share < 0.1 else "other share")
    return found


def test_a_run_that_was_stopped_goes_on(tmp_path: Path):
    results = tmp_path / "cases.jsonl"
    command = [sys.executable, str(BENCHMARK), "--wide", "-j", "2", "--results", str(results)]
    subprocess.run([*command, "--count", "2"], check=True, capture_output=True)
    first = results.read_text(encoding="utf-8")
    assert first.count("\n") == 2
    results.write_text(first + '{"seed": 2', encoding="utf-8")
    done = subprocess.run(
        [*command, "--count", "3"], check=True, capture_output=True, text=True
    )
    text = results.read_text(encoding="utf-8")
    assert text.startswith(first)
    assert sorted(json.loads(line)["seed"] for line in text.splitlines()) == [0, 1, 2]
    assert "3 equal to onnxruntime's" in done.stdout
