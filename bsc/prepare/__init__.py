"""A float CNN in, a quantized block-sparse ONNX model out: the producer for demos.

The steps are those of section 3.2 of the paper with its training left out: the blocks to
keep are chosen once, the rest is set to zero, and the model is quantized to int8.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from bsc.prepare import batchnorm, ort
from bsc.prepare.networks import NETWORKS
from bsc.prepare.quantize import quantize
from bsc.prepare.samples import samples
from bsc.prepare.sparsify import CRITERIA, check, sparsify

__all__ = ["CRITERIA", "NETWORKS", "prepare"]


def prepare(
    source: str | Path | onnx.ModelProto,
    *,
    sparsity: float = 0.5,
    block: tuple[int, int] = (8, 8),
    criterion: str = "l2",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> onnx.ModelProto:
    check(sparsity, block, criterion)
    say = progress or (lambda _: None)
    rng = np.random.default_rng(seed)
    say("build")
    model = NETWORKS[source](rng)
    say("prune")
    sparsify(model, sparsity, block, criterion)
    say("measure")
    feeds = samples(model, 4, rng)
    batch = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    batchnorm.measure(model, batch)
    say("fold")
    batchnorm.fold(model)
    say("optimize")
    model = onnx.shape_inference.infer_shapes(ort.fold(model), data_prop=True)
    say("quantize")
    return quantize(model, feeds)
