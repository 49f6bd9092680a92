"""The cells of a sweep: which network, how sparse, on which machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from onnx import numpy_helper

from bsc.arch import load_arch
from bsc.errors import BscError
from bsc.frontend.load import load
from bsc.prepare import NETWORKS
from bsc.prepare.sparsify import importance
from bsc.suggest import did_you_mean

_SUFFIX = ".onnx"
_BLOCK = (8, 8)


@dataclass(frozen=True)
class Cell:
    """One compilation.

    `model` is a built-in network, or the path of a quantized ONNX file; `sparsity` the share
    of 8 x 8 blocks that are zero in all convolutions but the first.
    """

    model: str
    arch: str
    sparsity: float

    @property
    def is_file(self) -> bool:
        """Whether the model is there already."""
        return self.model.endswith(_SUFFIX)

    def __str__(self) -> str:
        return f"{self.model} {self.arch} sparsity {self.sparsity:g}"


def make_cells(
    models: Sequence[str], archs: Sequence[str], sparsities: Sequence[float]
) -> list[Cell]:
    """Every model with every sparsity on every machine, each once, in this order.

    A file has the sparsity that it has.  Raises BscError for a name, a file or a number that
    is not accepted, before any work is done.
    """
    for arch in archs:
        load_arch(arch)
    for sparsity in sparsities:
        if not 0 <= sparsity <= 1:  # which NaN is not, either
            raise BscError(f"sparsity must be between 0 and 1, not {sparsity:g}")
    cells = [
        Cell(model, arch, sparsity)
        for model in models
        for arch, sparsity in product(archs, _sparsities(model, sparsities))
    ]
    return list(dict.fromkeys(cells))


def _sparsities(model: str, wanted: Sequence[float]) -> Sequence[float]:
    if model.endswith(_SUFFIX):
        return [zero_blocks(Path(model))]
    if model not in NETWORKS:
        hint = did_you_mean(model, NETWORKS)
        raise BscError(
            f"unknown network '{model}': give one of {', '.join(NETWORKS)}, "
            f"or a quantized {_SUFFIX} file{hint}"
        )
    return wanted


def zero_blocks(path: Path) -> float:
    """The share of 8 x 8 blocks that are zero in the convolutions of a QDQ model; the first
    one and depthwise ones do not count, as `bsc prepare` leaves them dense."""
    graph = load(path).model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    origin = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "DequantizeLinear"
    }
    zero = blocks = 0
    for node in [node for node in graph.node if node.op_type == "Conv"][1:]:
        tensor = constants.get(origin.get(node.input[1], node.input[1]))
        if tensor is not None and tensor.dims[1] > 1:
            values = numpy_helper.to_array(tensor, str(path.parent))
            sums = importance(values, _BLOCK, "l1")
            zero += int(np.count_nonzero(sums == 0))
            blocks += sums.size
    return round(zero / blocks, 4) if blocks else 0.0
