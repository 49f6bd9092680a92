"""Inception V3 (Szegedy et al., Rethinking the Inception Architecture), as torchvision has it.

Without the auxiliary classifier, which is there for training only.  Names are torchvision's.
"""

from __future__ import annotations

import numpy as np
import onnx

from bsc.prepare.layers import Layers


def inception_v3(rng: np.random.Generator, size: int) -> onnx.ModelProto:
    """Inception V3: 1×3×299×299 to 1000 classes, 23.8 M parameters, 5.7 G MACs."""
    net = Layers("inception_v3", 3, size, rng)
    x = _stem(net, "data")
    for letter, pool in (("b", 32), ("c", 64), ("d", 64)):
        x = _block_a(net, x, f"Mixed_5{letter}", pool)
    x = _block_b(net, x, "Mixed_6a")
    for name, inner in (
        ("Mixed_6b", 128),
        ("Mixed_6c", 160),
        ("Mixed_6d", 160),
        ("Mixed_6e", 192),
    ):
        x = _block_c(net, x, name, inner)
    x = _block_d(net, x, "Mixed_7a")
    for name in ("Mixed_7b", "Mixed_7c"):
        x = _block_e(net, x, name)
    x = net.flatten(net.mean(x, "avgpool"), "flatten", 1)
    return net.finish(net.dense(x, "fc", 1000))


def _stem(net: Layers, x: str) -> str:
    x = net.conv(x, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = net.conv(x, "Conv2d_2a_3x3", 32, 3)
    x = net.conv(x, "Conv2d_2b_3x3", 64, 3, pad=1)
    x = net.max_pool(x, "maxpool1", 3, 2)
    x = net.conv(x, "Conv2d_3b_1x1", 80)
    x = net.conv(x, "Conv2d_4a_3x3", 192, 3)
    return net.max_pool(x, "maxpool2", 3, 2)


def _pooled(net: Layers, x: str, name: str, channels: int) -> str:
    """The branch with a mean before its convolution."""
    return net.conv(net.avg_pool(x, f"{name}_avg_pool", 3, 1), f"{name}_branch_pool", channels)


def _block_a(net: Layers, x: str, name: str, pool: int) -> str:
    straight = net.conv(x, f"{name}_branch1x1", 64)
    five = net.conv(x, f"{name}_branch5x5_1", 48)
    five = net.conv(five, f"{name}_branch5x5_2", 64, 5, pad=2)
    double = net.conv(x, f"{name}_branch3x3dbl_1", 64)
    double = net.conv(double, f"{name}_branch3x3dbl_2", 96, 3, pad=1)
    double = net.conv(double, f"{name}_branch3x3dbl_3", 96, 3, pad=1)
    return net.concat([straight, five, double, _pooled(net, x, name, pool)], name)


def _block_b(net: Layers, x: str, name: str) -> str:
    three = net.conv(x, f"{name}_branch3x3", 384, 3, stride=2)
    double = net.conv(x, f"{name}_branch3x3dbl_1", 64)
    double = net.conv(double, f"{name}_branch3x3dbl_2", 96, 3, pad=1)
    double = net.conv(double, f"{name}_branch3x3dbl_3", 96, 3, stride=2)
    return net.concat([three, double, net.max_pool(x, f"{name}_max_pool", 3, 2)], name)


def _sevens(net: Layers, x: str, names: list[str], inner: int, cout: int, across: bool) -> str:
    """1×7 and 7×1 convolutions in turn; `across` says that the first is a 1×7."""
    for name in names:
        channels = cout if name == names[-1] else inner
        kernel, pad = ((1, 7), (0, 3)) if across else ((7, 1), (3, 0))
        x = net.conv(x, name, channels, kernel, pad=pad)
        across = not across
    return x


def _block_c(net: Layers, x: str, name: str, inner: int) -> str:
    straight = net.conv(x, f"{name}_branch1x1", 192)
    seven, double = f"{name}_branch7x7", f"{name}_branch7x7dbl"
    single = net.conv(x, f"{seven}_1", inner)
    single = _sevens(net, single, [f"{seven}_{i}" for i in (2, 3)], inner, 192, True)
    twice = net.conv(x, f"{double}_1", inner)
    twice = _sevens(net, twice, [f"{double}_{i}" for i in (2, 3, 4, 5)], inner, 192, False)
    return net.concat([straight, single, twice, _pooled(net, x, name, 192)], name)


def _block_d(net: Layers, x: str, name: str) -> str:
    three = net.conv(x, f"{name}_branch3x3_1", 192)
    three = net.conv(three, f"{name}_branch3x3_2", 320, 3, stride=2)
    seven = f"{name}_branch7x7x3"
    single = net.conv(x, f"{seven}_1", 192)
    single = _sevens(net, single, [f"{seven}_{i}" for i in (2, 3)], 192, 192, True)
    single = net.conv(single, f"{seven}_4", 192, 3, stride=2)
    return net.concat([three, single, net.max_pool(x, f"{name}_max_pool", 3, 2)], name)


def _fork(net: Layers, x: str, a: str, b: str, name: str) -> str:
    """A 1×3 and a 3×1 convolution of the same tensor, beside each other."""
    wide = net.conv(x, a, 384, (1, 3), pad=(0, 1))
    high = net.conv(x, b, 384, (3, 1), pad=(1, 0))
    return net.concat([wide, high], name)


def _block_e(net: Layers, x: str, name: str) -> str:
    straight = net.conv(x, f"{name}_branch1x1", 320)
    single, double = f"{name}_branch3x3", f"{name}_branch3x3dbl"
    once = net.conv(x, f"{single}_1", 384)
    once = _fork(net, once, f"{single}_2a", f"{single}_2b", single)
    twice = net.conv(x, f"{double}_1", 448)
    twice = net.conv(twice, f"{double}_2", 384, 3, pad=1)
    twice = _fork(net, twice, f"{double}_3a", f"{double}_3b", double)
    return net.concat([straight, once, twice, _pooled(net, x, name, 192)], name)
