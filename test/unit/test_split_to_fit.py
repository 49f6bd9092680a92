"""What turns out not to fit in the memtiles is cut until it does, and the values stay."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from exactness import argument_names
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qdq_models import QdqBuilder, random_input
from varied_networks import PIPELINE, compiled, outcome_of, random_arch, varied_network
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from bsc import oracle
from bsc.arch import Arch
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.qnn import ReshapeOp
from bsc.frontend import import_onnx
from bsc.interpreter import run_module
from bsc.pipelines import NAMED_PIPELINES, parse_specs, resolve, run_passes
from bsc.tiling.fit import footprint
from bsc.tiling.from_ir import layer_shape

PASSES = NAMED_PIPELINES[PIPELINE]
WITHOUT = ",".join(name for name in PASSES if name != "split-to-fit")
CHOSEN = ",".join(PASSES[: PASSES.index("split-to-fit")])


def needs(module: ModuleOp, arch: Arch) -> list[int]:
    """What each operation needs of a memtile."""
    network = Network(module)
    ops = [op for op in network.compute_ops() if not isinstance(op, ReshapeOp)]
    subs = [op.subvolume.data if op.subvolume is not None else None for op in ops]
    return [
        footprint(layer_shape(network, op, arch), arch, sub)
        for op, sub in zip(ops, subs, strict=True)
    ]


@settings(max_examples=10)
@example(906, 2, False)  # A global mean whose columns share its channels.
@given(st.integers(900, 960), st.integers(2, 9), st.booleans())
def test_all_that_is_too_large_is_cut(seed: int, share: int, selected: bool):
    """With subvolumes or without; 1 KB is enough for a pixel of a granule of channels."""
    model, arch = varied_network(seed), random_arch(seed)
    # Layers that no core holds are another matter.
    arch = dataclasses.replace(arch, core_data_bytes=49152)
    imported = import_onnx(model)
    expected = oracle.quantized_tensors(model, random_input(model))
    inputs = [oracle.to_nhwc(expected[name]) for name in argument_names(imported)]
    module = imported.module
    module.attributes[ARCH] = ArchAttr(arch)
    results = run_module(module, inputs)
    run_passes(module, resolve(parse_specs(CHOSEN if selected else "split-width,split-cout")))
    capacity = max(1024, max(needs(module, arch)) // share)
    run_passes(module, resolve(parse_specs(f"split-to-fit{{capacity={capacity}}}")))
    module.verify()
    for found, wanted in zip(run_module(module, inputs), results, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert max(needs(module, arch)) <= capacity
    for op in Network(module).compute_ops():
        assert isinstance(op, ReshapeOp) or (op.subvolume is not None) == selected


def uncuttable(cout: int, cin: int) -> onnx.ModelProto:
    """Two groups of an odd number of outputs each, so that no block of eight is in one."""
    b = QdqBuilder(cout)
    x = b.input((1, 2 * cin, 11, 37))
    return b.model(b.conv(x, 2 * cout, (11, 11), (4, 4), (6, 3, 4, 1), groups=2))


@pytest.mark.parametrize(
    ("cout", "cin", "beside"), [(63, 26, 7680), (55, 23, 7168), (47, 31, 8704)]
)
def test_a_window_that_reaches_beyond_the_neighbours(cout: int, cin: int, beside: int):
    """Then each memtile has a copy of the row, which the estimates of the splits do not know:
    beside weights that cannot be cut by channels it has no room, but for some pixels."""
    model = uncuttable(cout, cin)
    wide = Arch("wide", rows=8, cols=6, memtile_bytes=1 << 20, core_data_bytes=12288)
    network = Network(import_onnx(model).module)
    (layer,) = (layer_shape(network, op, wide) for op in network.compute_ops())
    room = layer.weight_bytes(wide) // 64 * 64 + beside
    arch = dataclasses.replace(wide, memtile_bytes=room)
    with pytest.raises(PassFailedException, match="bytes of each memtile at once"):
        compiled(model, arch, WITHOUT)
    outcome = outcome_of(model, arch)
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("seed", range(970, 976))
def test_memtiles_a_few_bytes_too_small(seed: int):
    """As much memory as the largest operation needs, and somewhat less, step by step."""
    model, arch = varied_network(seed), random_arch(seed)
    arch = dataclasses.replace(arch, core_data_bytes=max(16384, arch.core_data_bytes))
    for less in (0, 64, 192):
        module = import_onnx(model).module
        module.attributes[ARCH] = ArchAttr(arch)
        run_passes(module, resolve(parse_specs(CHOSEN)))
        needed = max(1024, max(needs(module, arch)) - less)
        arch = dataclasses.replace(arch, memtile_bytes=needed)
        outcome = outcome_of(model, arch)
        assert outcome.kind == "ok", f"{arch.memtile_bytes} bytes: {outcome.reason}"


def test_programs_that_fit_stay_as_they_are():
    for seed in range(990, 993):
        arch = dataclasses.replace(random_arch(seed), memtile_bytes=1 << 19)
        model = varied_network(seed)
        assert compiled(model, arch)[0] == compiled(model, arch, WITHOUT)[0]
