"""DepthToSpace and SpaceToDepth, as operators and as exporters spell them out."""

from __future__ import annotations

import numpy as np
import pytest
from exactness import assert_exact, operations
from onnx import ModelProto
from qdq_models import QdqBuilder, Signal

from bsc.dialects.qnn import InterleaveOp
from bsc.errors import ModelError
from bsc.frontend import import_onnx


def ints(b: QdqBuilder, *numbers: int) -> str:
    """A list of whole numbers."""
    return b.constant(np.array(numbers, np.int64))


def to_space(b: QdqBuilder, x: Signal, n: int, spelt: bool) -> Signal:
    """Blocks of n x n pixels from the channels, in either order of these."""
    _, c, h, w = x.dims
    c, dcr = c // (n * n), bool(b.rng.random() < 0.5)
    dims = (1, c, h * n, w * n)
    if not spelt:
        mode = "DCR" if dcr else "CRD"
        return Signal(b.node("DepthToSpace", [x.name], blocksize=n, mode=mode), dims, x.pos)
    parts = ints(b, *((1, n, n, c, h, w) if dcr else (1, c, n, n, h, w)))
    order = [0, 3, 4, 1, 5, 2] if dcr else [0, 1, 4, 2, 5, 3]
    y = b.node("Transpose", [b.node("Reshape", [x.name, parts])], perm=order)
    return Signal(b.node("Reshape", [y, ints(b, *dims)]), dims, x.pos)


def to_depth(b: QdqBuilder, x: Signal, n: int, spelt: bool) -> Signal:
    """Channels from blocks of n x n pixels."""
    _, c, h, w = x.dims
    dims = (1, c * n * n, h // n, w // n)
    if not spelt:
        return Signal(b.node("SpaceToDepth", [x.name], blocksize=n), dims, x.pos)
    y = b.node("Reshape", [x.name, ints(b, 1, c, h // n, n, w // n, n)])
    order = [0, 1, 3, 5, 2, 4] if b.rng.random() < 0.5 else [0, 3, 5, 1, 2, 4]
    y = b.node("Transpose", [y], perm=order)
    return Signal(b.node("Reshape", [y, ints(b, *dims)]), dims, x.pos)


def shuffled(seed: int) -> ModelProto:
    """One of them or both, rounded before or after, in front of what reads maps."""
    b = QdqBuilder(seed)
    n = int(b.rng.integers(1, 4))
    h, w, c = (int(k) for k in b.rng.integers(1, 5, 3))
    kind = int(b.rng.integers(0, 3))
    if kind != 1:
        c *= n * n
    if kind != 0:
        h, w = h * n, w * n
    x = b.conv(b.input((1, 2, h, w)), c)
    spelt = bool(b.rng.random() < 0.5)
    if kind != 1:
        x = to_space(b, x, n, spelt)
    if kind != 0:
        x = to_depth(b, x, n, spelt)
    if b.rng.random() < 0.5:
        x = b.quantize(x.name, x.dims, x.pos - int(b.rng.integers(0, 2)))
    match int(b.rng.integers(0, 4)):
        case 0:
            x = b.conv(x, 4, (3, 3), pads=(1, 1, 1, 1))
        case 1:
            x = b.pool("MaxPool", x, (1, 1), (1, 1))
        case 2:
            x = b.concat([x, b.input(x.dims)])
        case _:
            x = b.quantize(x.name, x.dims, x.pos)
    return b.model(x)


@pytest.mark.parametrize("seeds", [range(40), range(40, 80)])
def test_channels_and_pixels_change_places(seeds: range):
    for seed in seeds:
        assert_exact(shuffled(seed), seed)


def test_pixels_take_turns():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 5)), 32)
    model = b.model(b.conv(to_space(b, x, 2, spelt=True), 4))
    (op,) = (op for op in operations(assert_exact(model)) if isinstance(op, InterleaveOp))
    assert op.factors == (2, 2)


@pytest.mark.parametrize(
    ("op_type", "dims", "attributes", "message"),
    [
        ("DepthToSpace", (1, 6, 4, 4), {"blocksize": 2}, "makes blocks of 2 of .1, 6, 4, 4."),
        ("SpaceToDepth", (1, 6, 4, 5), {"blocksize": 2}, "makes blocks of 2 of .1, 6, 4, 5."),
        ("DepthToSpace", (1, 8, 4, 4), {"blocksize": 0}, "makes blocks of 0 of"),
        ("DepthToSpace", (1, 8, 4, 4), {"blocksize": 2, "mode": "RCD"}, "mode is 'RCD': DCR"),
    ],
)
def test_what_does_not_come_out_even(
    op_type: str, dims: tuple[int, ...], attributes: dict[str, object], message: str
):
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, *dims[2:])), dims[1])
    y = b.quantize(b.node(op_type, [x.name], **attributes), dims, x.pos)
    with pytest.raises(ModelError, match=rf"\({op_type}\): .*{message}"):
        import_onnx(b.model(b.conv(y, 4)))
