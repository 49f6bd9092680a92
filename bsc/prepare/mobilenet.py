"""MobileNetV2 (Sandler et al., Inverted Residuals and Linear Bottlenecks).

Channels and extents are torchvision's.
"""

from __future__ import annotations

import numpy as np
import onnx

from bsc.prepare.layers import Layers

_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Table 2 of the paper: expansion, channels, number of blocks, stride of the first."""


def mobilenet_v2(rng: np.random.Generator, size: int) -> onnx.ModelProto:
    """MobileNetV2: 1×3×224×224 to 1000 classes, 3.5 M parameters, 0.3 G MACs."""
    net = Layers("mobilenet_v2", 3, size, rng)
    x = net.conv("data", "conv1", 32, 3, stride=2, pad=1, activation="Relu6")
    for stage, (expansion, cout, count, stride) in enumerate(_STAGES, start=1):
        for block in range(1, count + 1):
            name = f"block{stage}_{block}"
            x = _block(net, x, name, expansion, cout, stride if block == 1 else 1)
    x = net.conv(x, "conv2", 1280, activation="Relu6")
    x = net.flatten(net.mean(x, "pool"), "flatten", 1)
    return net.finish(net.dense(x, "fc", 1000))


def _block(net: Layers, x: str, name: str, expansion: int, cout: int, stride: int) -> str:
    """An inverted residual: wide inside, narrow and linear at its ends."""
    inner = net.channels(x) * expansion
    y = x
    if expansion != 1:
        y = net.conv(x, f"{name}_expand", inner, activation="Relu6")
    y = net.conv(
        y,
        f"{name}_depthwise",
        inner,
        3,
        stride=stride,
        pad=1,
        groups=inner,
        activation="Relu6",
    )
    y = net.conv(y, f"{name}_project", cout, activation=None)
    return net.add(x, y, f"{name}_add") if stride == 1 and net.channels(x) == cout else y
