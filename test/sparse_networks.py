"""Networks with unevenly sparse weights, on machines where it matters which row of cores has
which blocks: tens of channels, and cores that take them in passes and chunks."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from qdq_models import Array, QdqBuilder, Signal

from bsc.arch import Arch

WIDEST = 81
"""One more than the most channels."""


def sparse_network(seed: int, density: tuple[float, float] = (0.2, 0.8)) -> onnx.ModelProto:
    """Three to six layers: convolutions, residual adds, concats, pools, depthwise and grouped
    ones, perhaps a dense layer.  Each weight has a share of its blocks, drawn from `density`,
    and some rows of blocks with more than others."""
    b = QdqBuilder(seed)
    size = (int(b.rng.integers(1, 7)), int(b.rng.integers(1, 8)))
    signals = [b.input((1, _channels(b), *size))]
    for _ in range(int(b.rng.integers(3, 7))):
        signals.append(_layer(b, signals))
    last = b.conv(signals[-1], _channels(b), bias=None)
    if b.rng.random() < 0.4:
        last = b.gemm(b.flatten(b.global_pool(last)), _channels(b))
    thin(b, density)
    return b.model(last, name=f"sparse-{seed}")


def sparse_arch(seed: int) -> Arch:
    """A machine whose cores hold a part of most weights only."""
    rng = np.random.default_rng((seed, 4))
    return Arch(
        f"sparse-{seed}",
        rows=int(rng.integers(1, 6)),
        cols=int(rng.integers(1, 5)),
        memtile_bytes=int(rng.choice((65536, 262144))),
        core_data_bytes=int(rng.choice((2048, 3072, 4096, 8192))),
        core_scratch_bytes=int(rng.choice((4096, 16384))),
    )


def thin(b: QdqBuilder, density: tuple[float, float]) -> None:
    """Make blocks of 8 x 8 channels zero."""
    for name, tensor in b.initializers.items():
        if len(tensor.dims) > 1 and tensor.data_type == onnx.TensorProto.INT8:
            weight = numpy_helper.to_array(tensor).copy()
            rows, cols = (-(-n // 8) for n in weight.shape[:2])
            share = b.rng.uniform(*density) * b.rng.uniform(0.4, 1.6, (rows, 1))
            mask: Array = (b.rng.random((rows, cols)) < share).astype(np.int8)
            whole = mask.repeat(8, axis=0).repeat(8, axis=1)
            whole = whole[: weight.shape[0], : weight.shape[1]]
            weight *= whole.reshape(*whole.shape, *[1] * (weight.ndim - 2))
            tensor.CopyFrom(numpy_helper.from_array(weight, name))


def _channels(b: QdqBuilder) -> int:
    """Mostly whole granules."""
    if b.rng.random() < 0.75:
        return 8 * int(b.rng.integers(1, WIDEST // 8 + 1))
    return int(b.rng.integers(1, WIDEST))


def _layer(b: QdqBuilder, signals: list[Signal]) -> Signal:
    x = signals[-1 - int(b.rng.integers(0, min(2, len(signals))))]
    same = [s for s in signals if s.dims == x.dims]
    alike = [s for s in signals if s.dims[2:] == x.dims[2:] and s.dims[1] + x.dims[1] < 160]
    kernel, pads = ((3, 3), (1, 1, 1, 1)) if b.rng.random() < 0.6 else ((1, 1), (0, 0, 0, 0))
    kinds = [*["conv"] * 6, "residual", "residual", "add", "pool", "depthwise"]
    match str(b.rng.choice([*kinds, "concat", "grouped"])):
        case "residual":
            y = b.conv(x, x.dims[1], kernel, pads=pads, activation="Relu")
            return b.binary("Add", x, b.conv(y, x.dims[1], kernel, pads=pads), "Relu")
        case "add":
            return b.binary("Add", x, same[int(b.rng.integers(0, len(same)))])
        case "pool":
            return b.pool("MaxPool", x, (3, 3), (1, 1), (1, 1, 1, 1))
        case "depthwise":
            return b.conv(x, x.dims[1], (3, 3), pads=(1, 1, 1, 1), groups=x.dims[1])
        case "grouped" if x.dims[1] % 2 == 0:
            return b.conv(x, x.dims[1], groups=2)
        case "concat" if alike:
            return b.concat([x, alike[int(b.rng.integers(0, len(alike)))]])
        case _:
            return b.conv(x, _channels(b), kernel, pads=pads, activation="Relu")
