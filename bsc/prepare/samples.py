"""Seeded random inputs, to measure activations with.

Images of white noise and of smooth blobs in turn: natural images lie between the two, so
ranges measured on both hold for them.  Values are those of a normalized image, mean 0 and
deviation 1, cut at ±LIMIT, so that the scale of an image input is 2⁻⁵.
"""

from __future__ import annotations

import numpy as np
import onnx

from bsc.prepare.ort import Feed

LIMIT = 127 / 32
"""The largest magnitude in a sample."""


def samples(model: onnx.ModelProto, count: int, rng: np.random.Generator) -> list[Feed]:
    """`count` feeds for `model`, whose inputs are float32 with fixed shapes."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    return [
        {name: _sample(shape, i % 2 == 1, rng) for name, shape in shapes.items()}
        for i in range(count)
    ]


def _sample(shape: list[int], smooth: bool, rng: np.random.Generator) -> np.ndarray:
    """Noise, or the sum of noise at several scales if `smooth` and the shape has H and W."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if smooth and len(shape) == 4:
        height, width = shape[2:]
        for cell in (4, 16, 64):
            coarse = [*shape[:2], -(-height // cell), -(-width // cell)]
            blobs = rng.standard_normal(coarse, dtype=np.float32)
            noise += blobs.repeat(cell, axis=2).repeat(cell, axis=3)[:, :, :height, :width]
        noise /= np.float32(2)
    return noise.clip(-LIMIT, LIMIT)
