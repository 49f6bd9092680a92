"""Parts of a subvolume that are given by hand: kept, and as right as the pass's own choice."""

from __future__ import annotations

import numpy as np
import pytest
from qdq_models import QdqBuilder, random_network
from varied_networks import outcome_of

from bsc.arch import Arch
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.placement import Stationary
from bsc.frontend import import_onnx
from bsc.pipelines import NAMED_PIPELINES, parse_specs, resolve, run_passes
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.pixels import PixelSplit

CHOICES: dict[str, tuple[int | str, ...]] = {
    "rows": (1, 2, 3, 5, 40),
    "width": (1, 2, 3, 7, 40),
    "cout": (8, 16, 24),
    "cin": (8, 16, 24),
    "stationary": ("weights", "activations"),
}


def drawn(seed: int) -> tuple[Arch, dict[str, int | str]]:
    """A machine, and about half of the options."""
    rng = np.random.default_rng((seed, 5))
    arch = Arch(f"random-{seed}", rows=int(rng.integers(1, 5)), cols=int(rng.integers(1, 6)))
    options: dict[str, int | str] = {}
    for name, values in CHOICES.items():
        if rng.random() < 0.5:
            options[name] = values[int(rng.integers(len(values)))]
    return arch, options


@pytest.mark.parametrize("seed", range(16))
def test_values_are_those_of_onnxruntime(seed: int):
    arch, options = drawn(seed)
    text = " ".join(f"{key}={value}" for key, value in options.items())
    passes = [
        f"{name}{{{text}}}" if name == "select-subvolume" else name
        for name in NAMED_PIPELINES["bsc-compile"]
    ]
    outcome = outcome_of(random_network(seed), arch, ",".join(passes))
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("channels", [9, 14, 16])
def test_pixels_with_room_for_more_channels(channels: int):
    """Two stages write pixels of which the last bytes belong to nobody."""
    b = QdqBuilder(0)
    x = b.input((1, channels, 8, 2))
    by_hand = {"split-width": "{factor=5}", "select-subvolume": "{rows=5}"}
    passes = [f"{name}{by_hand.get(name, '')}" for name in NAMED_PIPELINES["bsc-compile"]]
    outcome = outcome_of(b.model(b.concat([x, x])), Arch("3", rows=3, cols=3), ",".join(passes))
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("seed", range(16))
def test_what_is_given_is_kept_as_far_as_the_layer_goes(seed: int):
    arch, options = drawn(seed)
    module = import_onnx(random_network(seed)).module
    module.attributes[ARCH] = ArchAttr(arch)
    text = " ".join(f"{key}={value}" for key, value in options.items())
    specs = f"split-width,split-cout,select-subvolume{{{text}}}"
    run_passes(module, resolve(parse_specs(specs)))
    module.verify()
    network = Network(module)
    for op in network.compute_ops():
        if op.subvolume is None:
            assert op.name == "qnn.reshape"
            continue
        sub, layer = op.subvolume.data, layer_shape(network, op, arch)
        rows, width = options.get("rows", sub.rows), options.get("width", sub.width)
        assert sub.rows == min(int(rows), layer.out[0])
        assert sub.width == min(int(width), max(1, PixelSplit(layer, 1000).widest))
        split = ChannelSplit(layer, sub.cout, sub.cin)
        assert split.most <= int(options.get("cout", sub.cout))
        if layer.weight is None or split.chunk_count > 1:
            assert sub.stationary is Stationary.WEIGHTS
        elif "stationary" in options:
            assert sub.stationary.value == options["stationary"]
