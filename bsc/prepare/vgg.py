"""VGG16 (Simonyan and Zisserman, configuration D), as torchvision has it."""

from __future__ import annotations

import numpy as np
import onnx

from bsc.prepare.layers import Layers

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the convolutions before each pool."""


def vgg16(rng: np.random.Generator, size: int) -> onnx.ModelProto:
    """VGG16: 1×3×224×224 to 1000 classes, 138.4 M parameters, 15.5 G MACs.

    The convolutions come with batch normalizations, which are folded into their weights and
    biases: these do for pruned random weights what training does, namely keep activations in
    range.  What is left is the network without them.
    """
    net = Layers("vgg16", 3, size, rng)
    x, extent = "data", size
    for stage, (channels, count) in enumerate(_STAGES, start=1):
        for index in range(1, count + 1):
            x = net.conv(x, f"conv{stage}_{index}", channels, 3, pad=1)
        x = net.max_pool(x, f"pool{stage}", 2, 2)
        extent //= 2
    x = net.flatten(x, "flatten", extent * extent)
    for name in ("fc6", "fc7"):
        x = net.relu(net.dense(x, name, 4096))
    return net.finish(net.dense(x, "fc8", 1000))
