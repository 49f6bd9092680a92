"""Seeded random inputs, to measure activations with.

Nobody knows what a demo will be fed, so these differ as much as inputs may: noise of two
strengths, noise over smooth blobs, and blobs alone.  Images lie between.  Values are those of
a normalized image, around 0 and cut at ±LIMIT, so that the scale of an image is 2⁻⁵.
"""

from __future__ import annotations

import itertools

import numpy as np
import onnx

from bsc.prepare.ort import Feed

LIMIT = 127 / 32
"""The largest magnitude in a sample."""

_RECIPES = ((1.0, ()), (1.0, (8, 32, 64)), (2.3, ()), (0.2, (32, 64)))
"""For each sample in turn: the deviation of the noise, and the extents of the blobs."""


def samples(model: onnx.ModelProto, count: int, rng: np.random.Generator) -> list[Feed]:
    """`count` feeds for `model`, whose inputs are float32 with fixed shapes."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    recipes = itertools.islice(itertools.cycle(_RECIPES), count)
    return [
        {name: _sample(shape, noise, blobs, rng) for name, shape in shapes.items()}
        for noise, blobs in recipes
    ]


def _sample(
    shape: list[int], noise: float, blobs: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Noise of deviation `noise`; over blobs of deviation 1 if the shape has H and W."""
    sample = rng.standard_normal(shape, dtype=np.float32) * np.float32(noise)
    if len(shape) == 4:
        height, width = shape[2:]
        for extent in blobs:
            coarse = [*shape[:2], -(-height // extent), -(-width // extent)]
            cells = rng.standard_normal(coarse, dtype=np.float32)
            smooth = cells.repeat(extent, axis=2).repeat(extent, axis=3)
            sample += smooth[:, :, :height, :width]
    return sample.clip(-LIMIT, LIMIT)
