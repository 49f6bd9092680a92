"""Operators beyond those of the paper's networks, from ONNX to the program, bit for bit.

Random shapes, positions, machines and splits; every tensor that the program makes is
onnxruntime's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from qdq_models import QdqBuilder, Signal
from varied_networks import outcome_of, random_arch, random_specs, specs_with

from bsc.arch import Arch


def assert_all_agree(network: Callable[[int], onnx.ModelProto], seeds: range) -> None:
    """Every network compiles for its machine, or at least for one with more memory.

    Seed 6 splits whatever can be split, which takes as long as ten others: one network has it.
    """
    for seed in seeds:
        model = network(seed)
        outcome = outcome_of(model, random_arch(seed), random_specs(seed))
        if outcome.kind == "refused":
            outcome = outcome_of(model, Arch("roomy", rows=3, cols=4))
        assert outcome.kind == "ok", f"seed {seed}: {outcome.reason}"


def some_map(b: QdqBuilder) -> Signal:
    """A feature map of any size that the array has made."""
    cin, h, w, cout = (int(n) for n in b.rng.integers(1, [6, 14, 14, 33]))
    x = b.input((1, cin, h, w))
    return b.conv(x, cout, (3, 3), pads=(1, 1, 1, 1), activation=[None, "Relu"][cin % 2])


def excited(seed: int) -> onnx.ModelProto:
    """Squeeze and excite: a map times, or plus, numbers for each channel, for each row of
    them, or for each column."""
    b = QdqBuilder(seed)
    x = some_map(b)
    channels, h, w = x.dims[1:]
    match int(b.rng.integers(0, 3)):
        case 0:
            squeezed = b.conv(b.conv(b.global_pool(x), 5, activation="Relu"), channels)
            gate = b.unary("HardSigmoid", squeezed, 7, alpha=1 / 6)
        case 1:
            gate = b.pool("AveragePool", x, (1, w))._replace(dims=(1, channels, h, 1))
        case _:
            gate = b.pool("MaxPool", x, (h, 1))
    op_type = ["Add", "Mul"][int(b.rng.integers(0, 2))]
    names = [x.name, gate.name] if b.rng.random() < 0.5 else [gate.name, x.name]
    pos = min(x.pos, gate.pos) - 1 if op_type == "Add" else x.pos + gate.pos - 7
    y = b.quantize(b.node(op_type, names), x.dims, pos)
    return b.model(b.conv(y, 9, (3, 3), pads=(1, 1, 1, 1)))


@pytest.mark.parametrize("seeds", [range(0, 6), range(6, 12)])
def test_squeeze_and_excite(seeds: range):
    assert_all_agree(excited, seeds)


def bent(seed: int) -> onnx.ModelProto:
    """Functions of one number, some of which are rounded to another position at once, or are
    a factor of what they are a function of."""
    b = QdqBuilder(seed)
    x = some_map(b)
    for _ in range(3):
        match int(b.rng.integers(0, 5)):
            case 0:
                x = b.unary("HardSwish", x)
            case 1:
                x = b.unary("LeakyRelu", x, x.pos - 1, alpha=0.3)
            case 2:
                gate = b.node("HardSigmoid", [x.name], alpha=1 / 6)
                x = b.quantize(b.node("Mul", [gate, x.name]), x.dims, x.pos)
            case 3:
                x = b.quantize(b.node("Relu", [b.node("Tanh", [x.name])]), x.dims, 5)
            case _:
                x = b.unary("Relu", b.unary("HardSigmoid", x, 7), 6)
    return b.model(b.conv(x, 9, (3, 3), strides=(2, 1), pads=(1, 1, 1, 1)))


@pytest.mark.parametrize("seeds", [range(0, 5), range(7, 12)])
def test_functions_of_one_number(seeds: range):
    assert_all_agree(bent, seeds)


def enlarged(seed: int) -> onnx.ModelProto:
    """A map made larger, beside one of that size, as decoders have it."""
    b = QdqBuilder(seed)
    x = some_map(b)
    rows, columns = (int(n) for n in b.rng.integers(1, 4, 2))
    small = b.pool("MaxPool", x, (1, 1), (rows, columns))
    h, w = small.dims[2] * rows, small.dims[3] * columns
    scales = b.constant(np.array([1, 1, rows, columns], np.float32))
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    y = b.node("Resize", [small.name, "", scales], **modes)
    y = b.quantize(y, (1, x.dims[1], h, w), x.pos)
    if (h, w) == x.dims[2:]:
        y = b.concat([y, x])
    return b.model(b.conv(y, 9, (3, 3), pads=(1, 1, 1, 1)))


@pytest.mark.parametrize("seeds", [range(0, 5), range(7, 12)])
def test_resized_to_the_nearest_pixel(seeds: range):
    assert_all_agree(enlarged, seeds)


def spread(seed: int) -> onnx.ModelProto:
    """A transposed convolution, then what may be folded into it, and a map of the same size
    beside it at times, as decoders have it."""
    b = QdqBuilder(seed)
    x = some_map(b)
    groups = x.dims[1] if b.rng.random() < 0.2 else 1
    strides, kernel = ([int(n) for n in b.rng.integers(1, m, 2)] for m in (4, 6))
    full = [(n - 1) * s + k for n, s, k in zip(x.dims[2:], strides, kernel, strict=True)]
    cut = [int(b.rng.integers(0, min(n, 4))) for n in full]
    y = b.conv_transpose(
        x,
        groups * int(b.rng.integers(1, 3 if groups > 1 else 40)),
        (kernel[0], kernel[1]),
        (full[0] - cut[0], full[1] - cut[1]),
        groups,
        activation=[None, "Relu", "Clip"][seed % 3],
        strides=strides,
        pads=[cut[0], 0, 0, cut[1]],
    )
    match int(b.rng.integers(0, 3)):
        case 0:
            y = b.unary("Relu", y)
        case 1:
            other = b.conv(b.input((1, 5, *y.dims[2:]), pos=y.pos), 9)
            y = b.concat([y, other] if b.rng.random() < 0.5 else [other, y])
        case _:
            y = b.binary("Add", y, b.input(y.dims))
    return b.model(b.conv(y, 9, (3, 3), pads=(1, 1, 1, 1)), y)


@pytest.mark.parametrize("seeds", [range(0, 4), range(10, 13)])
def test_transposed_convolutions(seeds: range):
    assert_all_agree(spread, seeds)


def shuffled(seed: int) -> onnx.ModelProto:
    """Channels become pixels, then pixels channels again."""
    b = QdqBuilder(seed)
    n, m = (int(k) for k in b.rng.integers(1, 4, 2))
    cin, h, w, c = (int(k) for k in b.rng.integers(1, 6, 4))
    x = b.conv(b.input((1, cin, h * m, w * m)), c * n * n)
    mode = ["DCR", "CRD"][seed % 2]
    y = b.node("DepthToSpace", [x.name], blocksize=n, mode=mode)
    x = Signal(y, (1, c, h * m * n, w * m * n), x.pos)
    x = b.conv(x, 5, (3, 3), pads=(1, 1, 1, 1))
    y = b.node("SpaceToDepth", [x.name], blocksize=m)
    return b.model(b.conv(Signal(y, (1, 5 * m * m, h * n, w * n), x.pos), 4))


@pytest.mark.parametrize("seeds", [range(0, 2), range(4, 6)])
def test_channels_and_pixels_change_places(seeds: range):
    assert_all_agree(shuffled, seeds)


@pytest.mark.parametrize("columns", [3, 6])
def test_a_map_whose_channels_are_split_in_time_for_its_mean_only(columns: int):
    """Columns share the channels of a piece of the mean, and the product wants them all."""
    b = QdqBuilder(columns)
    x = b.conv(b.input((1, 3, 12, 12)), 32, (3, 3), pads=(1, 1, 1, 1))
    y = b.binary("Mul", x, b.conv(b.global_pool(x), 32))
    model = b.model(b.conv(y, 8))
    arch = Arch("wide", rows=3, cols=columns, memtile_bytes=8192)
    outcome = outcome_of(model, arch, specs_with({"split-cout": "factor=2"}))
    assert outcome.kind == "ok", outcome.reason
