"""A small residual network in files, for tests of the commands and of the Python API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from qdq_models import Array, QdqBuilder, random_input

INPUT = "x_1"


def residual_network(seed: int = 0, sparse: bool = False) -> onnx.ModelProto:
    """Convolution, residual block, mean, dense layer, softmax: all that fusion elides.

    A `sparse` one has every second 8 x 8 block of its second convolution zero.
    """
    b = QdqBuilder(seed)
    x = b.conv(b.input((1, 4, 12, 12)), 16, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    y = b.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    z = b.binary("Add", x, y, "Relu")
    scores = b.gemm(b.flatten(b.global_pool(z)), 10)
    if sparse:
        _thin(b)
    return b.model(b.node("Softmax", [scores.name], axis=-1), name="residual")


def _thin(b: QdqBuilder) -> None:
    (name,) = (n for n, t in b.initializers.items() if list(t.dims) == [16, 16, 3, 3])
    weight = onnx.numpy_helper.to_array(b.initializers[name]).copy()
    weight[:8, :8] = weight[8:, 8:] = 0
    b.initializers[name].CopyFrom(onnx.numpy_helper.from_array(weight, name))


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """The path, with the model in it."""
    path.write_bytes(model.SerializeToString())
    return path


def image(seed: int = 0) -> Array:
    """An input of the network."""
    return random_input(residual_network(), seed)[INPUT]


def save_image(path: Path, seed: int = 0) -> Path:
    """The path, with an input in it."""
    np.save(path, image(seed))
    return path
