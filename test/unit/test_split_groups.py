"""Grouped convolutions are cut between groups, and a single group like any convolution."""

from __future__ import annotations

import pytest
from exactness import main_of
from hypothesis import given, settings
from hypothesis import strategies as st
from qdq_models import QdqBuilder, Signal
from varied_networks import outcome_of

from bsc.arch import Arch
from bsc.dialects.qnn import Conv2dOp
from bsc.frontend import import_onnx
from bsc.geometry import CHANNEL_GRANULE, group_granule
from bsc.pipelines import parse_specs, resolve, run_passes

PIPELINE = (
    "fuse-epilogue,detect-block-sparsity,split-width,split-cout{{factor={}}},select-subvolume,"
    "schedule,alloc-memtile,pack-weights,lower-to-dataflow,chain-locks,annotate-cost,"
    "verify-dataflow"
)


@given(st.integers(1, 100), st.integers(1, 100), st.sampled_from([8, 16, 24]))
def test_the_granule_is_the_least_that_cuts_both_sides(outputs: int, inputs: int, granule: int):
    legal = [
        groups
        for groups in range(1, granule * CHANNEL_GRANULE + 1)
        if groups * outputs % granule == 0 and groups * inputs % CHANNEL_GRANULE == 0
    ]
    assert group_granule(outputs, inputs, granule) == legal[0] * outputs


def grouped(b: QdqBuilder, groups: int, each: int, inputs: int) -> Signal:
    """A grouped convolution, and a residual that is cut along with it."""
    x = b.input((1, groups * inputs, 4, 5))
    y = b.conv(x, groups * each, (3, 3), pads=(1, 1, 1, 1), groups=groups)
    return b.binary("Add", y, b.conv(x, groups * each), "Relu")


@settings(max_examples=12)
@given(st.integers(2, 16), st.integers(1, 12), st.integers(1, 12), st.integers(2, 5))
def test_pieces_compute_the_same(groups: int, each: int, inputs: int, factor: int):
    b = QdqBuilder(groups * 17 + each)
    model = b.model(grouped(b, groups, each, inputs))
    outcome = outcome_of(model, Arch("small", rows=2, cols=3), PIPELINE.format(factor))
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize(
    ("groups", "each", "inputs", "pieces"),
    [(2, 16, 8, [16, 16]), (4, 8, 2, [32]), (3, 8, 8, [8, 8, 8]), (16, 1, 1, [8, 8])],
)
def test_as_many_pieces_as_there_can_be(groups: int, each: int, inputs: int, pieces: list[int]):
    b = QdqBuilder()
    x = b.input((1, groups * inputs, 4, 5))
    imported = import_onnx(b.model(b.conv(x, groups * each, groups=groups)))
    run_passes(imported.module, resolve(parse_specs("split-cout{factor=99}")))
    found = [op for op in main_of(imported).body.block.ops if isinstance(op, Conv2dOp)]
    assert [op.shape[3] for op in found] == pieces
    assert [op.group_count * each for op in found] == pieces


@pytest.mark.parametrize(("groups", "each", "inputs"), [(2, 64, 48), (4, 24, 40), (64, 1, 1)])
def test_weights_of_many_groups_on_little_memtiles(groups: int, each: int, inputs: int):
    """Not even the weights of one group fit: it is cut as the convolution that it is."""
    b = QdqBuilder(groups)
    model = b.model(b.conv(b.input((1, groups * inputs, 5, 7)), groups * each, groups=groups))
    arch = Arch("little", rows=2, cols=2, memtile_bytes=2048, core_data_bytes=4096)
    outcome = outcome_of(model, arch)
    assert outcome.kind == "ok", outcome.reason
