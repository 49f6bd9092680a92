"""A float CNN in, a quantized block-sparse ONNX model out: the producer for demos.

The steps are those of section 3.2 of the paper with its training left out: the blocks to
keep are chosen once, the rest is set to zero, and the model is quantized to int8.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from bsc.errors import BscError
from bsc.prepare import ort
from bsc.prepare.batchnorm import measure
from bsc.prepare.fold import fold
from bsc.prepare.graph import infer_shapes
from bsc.prepare.networks import NETWORKS
from bsc.prepare.quantize import ACTIVATION_TYPES, QUANT_FORMATS, Form, calibrate, quantize
from bsc.prepare.samples import samples
from bsc.prepare.source import read
from bsc.prepare.sparsify import CRITERIA, check_options, sparsify

__all__ = ["ACTIVATION_TYPES", "CRITERIA", "NETWORKS", "QUANT_FORMATS", "Form", "prepare"]

_CALIBRATION_IMAGES = 4


def _say_nothing(step: str) -> None: ...


def prepare(
    source: str | Path | onnx.ModelProto,
    *,
    sparsity: float = 0.5,
    block: tuple[int, int] = (8, 8),
    criterion: str = "l2",
    seed: int = 0,
    size: int | None = None,
    form: Form | None = None,
    progress: Callable[[str], None] | None = None,
) -> onnx.ModelProto:
    """The network `source`, pruned in blocks and quantized to 8 bits.

    `source` is a name in NETWORKS, the path of a float ONNX file, or a float model.  In
    every convolution but the first, the fraction `sparsity` of its blocks, `block` =
    (output channels, input channels) and the whole kernel, is zero: those of the least
    importance by `criterion`, one of CRITERIA.  `seed` chooses the weights of a built-in
    network and the inputs that activations are measured on.  `size` is the height and
    width of the images of a built-in network, if it is not to be the usual one.  `form` says
    how the integers are written down: with QDQ nodes and int8, if not otherwise.  `progress`
    is called with the name of each step as it starts.  The same arguments give the same bytes.

    Raises BscError for an option out of range, and for a source that does not exist, is
    no ONNX model, or is quantized already.
    """
    check_options(sparsity, block, criterion, seed)
    form = form or Form()
    form.check()
    say = progress or _say_nothing
    rng = np.random.default_rng(seed)
    network = NETWORKS.get(source) if isinstance(source, str) else None
    if network is None:
        if size is not None:
            raise BscError("a size is for built-in networks only: a file has its own")
        say("read")
        model = read(source)
    else:
        say("build")
        model = network.build(rng, network.size if size is None else size)
    feeds = samples(model, _CALIBRATION_IMAGES, rng)
    if network is not None:
        # Statistics come after pruning, as those of a network trained with its mask do.
        say("prune")
        sparsify(model, sparsity, block, criterion)
        say("measure")
        measure(model, feeds)
    say("fold")
    fold(model)
    if network is not None:
        infer_shapes(model)  # what was between convolution and normalization is gone
    else:
        model = ort.simplify(model)
        fold(model)  # what has become constant
        # Folded first: what a normalization scales down is of less importance.
        say("prune")
        sparsify(model, sparsity, block, criterion)
    say("calibrate")
    scales = calibrate(model, feeds)
    say("quantize")
    return quantize(model, scales, form)
