"""Random networks of all sizes up to 67 on machines that a network must fit on.

`varied_networks` draws small networks on machines so small that some must be refused. Here
every size from 1 to 67 may come (primes often), kernels up to 11 with strides up to 4, a
stem of 11x11 with stride 4, 1x7 and 7x1, dilation, groups, concats of concats, and any share
of zero blocks, a wholly zero weight too.  There are 11x11 kernels with any dilation, means and
dense layers of up to 67x67 pixels, and pools with windows as large.  A memtile has 64 KB or
more, a core 16 KB or more: what is refused there is a mistake.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from qdq_models import Pads, Pair, QdqBuilder, Signal, random_pool, windowed

from bsc.arch import Arch

LARGEST = 67
PRIMES = tuple(n for n in range(2, LARGEST + 1) if all(n % d for d in range(2, n)))
MEMTILE_BYTES = 64 * 1024
CORE_BYTES = 16 * 1024
MOST_MACS = 60_000_000
"""Of a layer, to keep a case in seconds."""
MOST_SUMMANDS = 2**31 // 128**2 - 2**10
"""Of one sum: with more it may leave int32, which is rightly refused."""
MOST_WEIGHTS = 6_000_000
"""Of a dense layer, likewise."""


def roomy(arch: Arch) -> bool:
    """Whether a machine is so large that no network may be refused."""
    return arch.memtile_bytes >= MEMTILE_BYTES and arch.core_bytes >= CORE_BYTES


def wide_arch(seed: int) -> Arch:
    """A machine of up to 8x8 cores, often with as little memory as may be."""
    rng = np.random.default_rng((seed, 5))
    banks = CORE_BYTES // 8 * int(rng.choice([1, 1, 2, 4]))
    return Arch(
        f"wide-{seed}",
        rows=int(rng.integers(1, 9)),
        cols=int(rng.integers(1, 9)),
        memtile_bytes=MEMTILE_BYTES * int(rng.choice([1, 1, 2, 8])),
        core_data_bytes=6 * banks,
        core_scratch_bytes=2 * banks,
        writefm_links=int(rng.integers(1, 5)),
    )


def wide_network(seed: int) -> onnx.ModelProto:
    """A network of one to six layers, each on one of the last three tensors."""
    b = QdqBuilder(seed, opset=int(np.random.default_rng(seed).choice([13, 17, 21])))
    b.rng = np.random.default_rng((seed, 4))
    signals = [b.input((1, _size(b), _size(b), _size(b)))]
    for _ in range(int(b.rng.integers(1, 7))):
        signals.append(_layer(b, signals))
    last = signals[-1]
    if _chance(b, 0.25):
        last = b.gemm(b.flatten(b.global_pool(last)), _size(b))
    elif _chance(b, 0.2) and math.prod(last.dims) <= MOST_SUMMANDS:
        most = MOST_WEIGHTS // math.prod(last.dims)
        last = b.gemm(b.flatten(last), max(1, min(_size(b), most)))
    outputs = [last] if _chance(b, 0.7) else list(dict.fromkeys([last, signals[-2]]))
    _thin(b)
    return b.model(*outputs, name=f"wide-{seed}")


def _chance(b: QdqBuilder, probability: float) -> bool:
    return bool(b.rng.random() < probability)


def _pick(b: QdqBuilder, values: Sequence[int]) -> int:
    return int(b.rng.choice(values))


def _size(b: QdqBuilder) -> int:
    """Any size, a prime, or a small one."""
    match int(b.rng.integers(0, 3)):
        case 0:
            return int(b.rng.integers(1, LARGEST + 1))
        case 1:
            return _pick(b, PRIMES)
        case _:
            return int(b.rng.integers(1, 17))


def _layer(b: QdqBuilder, signals: Sequence[Signal]) -> Signal:
    x = signals[-1 - int(b.rng.integers(0, min(3, len(signals))))]
    alike = [s for s in signals if s.dims[2:] == x.dims[2:]]
    same = [s for s in alike if s.dims == x.dims]
    activation = [None, "Relu", "Clip"][int(b.rng.integers(0, 3))]
    kinds = ["conv", "conv", "grouped", "depthwise", "residual", "pool", "pool"]
    match str(b.rng.choice([*kinds, "add", "concat", "concat", "relu"])):
        case "residual":
            kernel = _odd(b, x)
            top, left = kernel[0] // 2, kernel[1] // 2
            y = b.conv(x, x.dims[1], kernel, pads=(top, left, top, left))
            return b.binary("Add", *((x, y) if _chance(b, 0.5) else (y, x)), activation)
        case "add":
            return b.binary("Add", x, same[int(b.rng.integers(0, len(same)))], activation)
        case "concat":
            return _concat(b, x, alike)
        case "relu":
            return b.unary("Relu", x, x.pos + int(b.rng.integers(-1, 2)))
        case "pool":
            return _pool(b, x)
        case kind:
            return _conv(b, x, kind, activation)


def _concat(b: QdqBuilder, x: Signal, alike: Sequence[Signal]) -> Signal:
    """Two to four tensors, at times a concat and another tensor; up to 200 channels."""
    parts = [x]
    for _ in range(int(b.rng.integers(1, 4))):
        other = alike[int(b.rng.integers(0, len(alike)))]
        if sum(p.dims[1] for p in parts) + other.dims[1] <= 3 * LARGEST:
            parts.append(other)
    if len(parts) == 1:
        return b.unary("Relu", x)
    y = b.concat(parts)
    further = alike[int(b.rng.integers(0, len(alike)))]
    nests = y.dims[1] + further.dims[1] <= 3 * LARGEST and _chance(b, 0.4)
    return b.concat([y, further] if _chance(b, 0.5) else [further, y]) if nests else y


def _conv(b: QdqBuilder, x: Signal, kind: str, activation: str | None) -> Signal:
    cin, groups = x.dims[1], 1
    if kind == "grouped":
        groups = _pick(b, [g for g in range(1, cin + 1) if cin % g == 0])
    elif kind == "depthwise":
        groups = cin
    kernel, strides, pads, dilations = _window(b, x)
    pixels = math.prod(windowed(x.dims, kernel, strides, pads, dilations))
    each = 1 if kind == "depthwise" else max(1, _size(b) // (groups if groups > 2 else 1))
    most = MOST_MACS // (pixels * math.prod(kernel) * cin)
    cout = groups * max(1, min(each, most))
    bias = [np.int32, np.int8, None][int(b.rng.integers(0, 3))]
    return b.conv(x, cout, kernel, strides, pads, dilations, groups, bias, activation)


def _pool(b: QdqBuilder, x: Signal) -> Signal:
    kernel, strides, pads, _ = _window(b, x, dilated=False)
    if _chance(b, 0.2):
        kernel = (int(b.rng.integers(1, x.dims[2] + 1)), int(b.rng.integers(1, x.dims[3] + 1)))
    return random_pool(b, x, kernel, strides, pads)


def _odd(b: QdqBuilder, x: Signal) -> Pair:
    """A kernel that can keep the shape, within the limit of work."""
    kernels = [(1, 1), (3, 3), (5, 5), (1, 7), (7, 1), (3, 1), (11, 11)]
    work = x.dims[1] * math.prod(x.dims)
    fitting = [k for k in kernels if work * math.prod(k) <= MOST_MACS]
    return fitting[int(b.rng.integers(0, len(fitting)))] if fitting else (1, 1)


def _window(b: QdqBuilder, x: Signal, dilated: bool = True) -> tuple[Pair, Pair, Pads, Pair]:
    """Kernel, strides, pads and dilations that leave an output: a usual kernel, the stem of
    AlexNet, one as flat as Inception's, or anything."""
    while True:
        kernel, strides, dilations = (1, 1), (1, 1), (1, 1)
        match str(b.rng.choice(["usual", "usual", "stem", "flat", "any", "any"])):
            case "usual":
                size, step = _pick(b, (1, 3, 3, 5)), _pick(b, (1, 1, 2))
                kernel, strides = (size, size), (step, step)
            case "stem":
                kernel, strides = (11, 11), (4, 4)
            case "flat":
                kernel = (1, 7) if _chance(b, 0.5) else (7, 1)
            case _:
                kernel = (int(b.rng.integers(1, 12)), int(b.rng.integers(1, 12)))
                strides = (int(b.rng.integers(1, 5)), int(b.rng.integers(1, 5)))
        if dilated and _chance(b, 0.25):
            dilations = _dilations(b, x, kernel)
        top, left, bottom, right = (int(b.rng.integers(0, k // 2 + 2)) for k in kernel * 2)
        pads = (top, left, bottom, right) if _chance(b, 0.7) else (0, 0, 0, 0)
        if min(windowed(x.dims, kernel, strides, pads, dilations)) > 0:
            return kernel, strides, pads, dilations


def _dilations(b: QdqBuilder, x: Signal, kernel: Pair) -> Pair:
    """Small ones, or any with which the window is no larger than the image."""
    if _chance(b, 0.5):
        return int(b.rng.integers(1, 5)), int(b.rng.integers(1, 5))
    most = [max(1, (n - 1) // max(1, k - 1)) for n, k in zip(x.dims[2:], kernel, strict=True)]
    return int(b.rng.integers(1, most[0] + 1)), int(b.rng.integers(1, most[1] + 1))


def _thin(b: QdqBuilder) -> None:
    """Make blocks of each weight zero: any share of them, none, or all."""
    for name, tensor in b.initializers.items():
        if len(tensor.dims) in (2, 4) and tensor.data_type == onnx.TensorProto.INT8:
            weight = numpy_helper.to_array(tensor).copy()
            zero = [0.0, 0.5, 1.0, float(b.rng.random()), float(b.rng.random())]
            share = zero[int(b.rng.integers(0, len(zero)))]
            grid = (math.ceil(len(weight) / 8), math.ceil(weight.shape[1] / 8))
            kept = (b.rng.random(grid) >= share).astype(np.int8)
            mask = kept.repeat(8, axis=0).repeat(8, axis=1)
            mask = mask[: weight.shape[0], : weight.shape[1]]
            weight *= mask.reshape(*mask.shape, *(1,) * (weight.ndim - 2))
            tensor.CopyFrom(numpy_helper.from_array(weight, name))
