"""Tile and Expand: pixels and channels that are read again and again, as decoders have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from exactness import assert_exact, operations
from onnx import ModelProto, TensorProto, helper
from qdq_models import Array, QdqBuilder, Signal

from bsc.dialects.qnn import ResizeOp
from bsc.errors import ModelError
from bsc.frontend import import_onnx


def ints(b: QdqBuilder, *numbers: int) -> str:
    """A list of whole numbers."""
    values: Array = np.array(numbers, np.int64)
    return b.constant(values)


def repeated(b: QdqBuilder, x: Signal, axis: int, times: int) -> Signal:
    """Each element of an axis so many times in a row: a new axis, Tile or Expand along it, and
    a Reshape; rounded between at times."""
    dims = [*x.dims[: axis + 1], 1, *x.dims[axis + 1 :]]
    y = b.node("Unsqueeze", [x.name, ints(b, axis + 1)])
    many = [times if i == axis + 1 else 1 for i in range(len(dims))]
    if b.rng.random() < 0.5:
        y = b.node("Tile", [y, ints(b, *many)])
    else:
        # As long as the axes are, or 1 for those that stay.
        long = [times if i == axis + 1 else n for i, n in enumerate(dims)]
        y = b.node("Expand", [y, ints(b, *(many if b.rng.random() < 0.5 else long))])
    if b.rng.random() < 0.5:
        y = b.quantize(y, (), x.pos).name
    dims = [n * times if i == axis else n for i, n in enumerate(x.dims)]
    return Signal(b.node("Reshape", [y, ints(b, *dims)]), tuple(dims), x.pos)


def decoder(seed: int) -> ModelProto:
    """A map made larger, channels first or last, and what decoders do with it."""
    b = QdqBuilder(seed)
    cin, h, w = (int(n) for n in b.rng.integers(1, 7, 3))
    up = [int(n) for n in b.rng.integers(1, 4, 2)]
    x = b.conv(b.input((1, cin, h, w)), 4)
    last = b.rng.random() < 0.5
    if last:
        x = Signal(b.node("Transpose", [x.name], perm=[0, 2, 3, 1]), (1, h, w, 4), x.pos)
    if b.rng.random() < 0.3 and h > 1:
        # Without the first row.
        axis = 1 if last else 2
        cut = b.node("Slice", [x.name, ints(b, 1), ints(b, h), ints(b, axis)])
        h -= 1
        x = Signal(cut, (1, h, w, 4) if last else (1, 4, h, w), x.pos)
    for axis, times in zip((1, 2) if last else (2, 3), up, strict=True):
        x = repeated(b, x, axis, times)
    match int(b.rng.integers(0, 4)):
        case 0:
            summand = b.weight(b.ints((4,) if last else (1, 4, 1, 1)), x.pos)
            y = b.node("Add", [x.name, summand])
        case 1:
            y = b.node("Concat", [x.name, b.input(x.dims).name], axis=3 if last else 1)
        case 2:
            y = b.node("Add", [b.input(x.dims).name, x.name])
        case _:
            y = b.node("Relu", [x.name])
    y = b.quantize(y, (1, 8, h * up[0], w * up[1]), x.pos).name
    return b.model(b.node("Transpose", [y], perm=[0, 3, 1, 2]) if last else y)


@pytest.mark.parametrize("seeds", [range(40), range(40, 80)])
def test_decoders_agree(seeds: range):
    for seed in seeds:
        assert_exact(decoder(seed), seed)


def test_blocks_of_pixels_are_one_resize():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 5)), 8)
    y = b.conv(repeated(b, repeated(b, x, 2, 3), 3, 2), 8)
    (op,) = (op for op in operations(assert_exact(b.model(y))) if isinstance(op, ResizeOp))
    assert op.factor.get_values() == (3, 2)


def around(op_type: str, numbers: list[int] | None, dims: tuple[int, ...]) -> ModelProto:
    """The operator between two convolutions; without numbers, with some that nobody knows."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 5)), 6)
    if numbers is None:
        b.inputs.append(helper.make_tensor_value_info("many", TensorProto.INT64, [1]))
    given = "many" if numbers is None else ints(b, *numbers)
    y = b.quantize(b.node(op_type, [x.name, given]), dims, x.pos)
    return b.model(b.conv(y, 4))


def test_channels_again_and_again():
    """Which is a matter of the weights."""
    ops = operations(assert_exact(around("Tile", [1, 3, 1, 1], (1, 18, 4, 5))))
    assert not [op for op in ops if isinstance(op, ResizeOp)]


def test_a_number_for_each_channel_becomes_a_map():
    b = QdqBuilder()
    x = b.global_pool(b.conv(b.input((1, 3, 4, 5)), 6))
    y = b.node("Expand", [x.name, ints(b, 6, 4, 5)])
    model = b.model(b.conv(b.quantize(y, (1, 6, 4, 5), x.pos), 4, (3, 3)))
    (op,) = (op for op in operations(assert_exact(model)) if isinstance(op, ResizeOp))
    assert op.factor.get_values() == (4, 5)


def test_a_constant_is_repeated_by_the_compiler():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 5)), 6)
    row = b.node("Tile", [b.weight(b.ints((1, 2, 1, 1)), 5), ints(b, 1, 3, 1, 1)])
    one = b.node("Expand", [b.weight(b.ints((1,)), 5), ints(b, 6, 1, 1)])
    y = b.quantize(b.node("Add", [x.name, row]), x.dims, x.pos)
    assert_exact(b.model(b.quantize(b.node("Mul", [y.name, one]), x.dims, x.pos)))


def test_the_host_does_it_at_the_end():
    b = QdqBuilder()
    x = b.conv(b.input((1, 3, 4, 5)), 6)
    tiled = b.node("Tile", [x.name, ints(b, 1, 1, 2, 1)])
    expanded = b.node("Expand", [b.global_pool(x).name, ints(b, 1, 6, 9, 9)])
    ops = operations(assert_exact(b.model(tiled, expanded)))
    assert not [op for op in ops if isinstance(op, ResizeOp)]


REFUSED: list[tuple[str, Any, str]] = [
    ("Tile", [1, 1, 2, 1], r"is read as \[1, 6, 8, 5\], but its data lie as \[1, 6, 4, 5\]"),
    (
        "Tile",
        [1, 1, 2],
        r"\(Tile\): repeats \[1, 6, 4, 5\] by \[1, 1, 2\]: a number of at least",
    ),
    ("Tile", [1, 1, 0, 1], r"by \[1, 1, 0, 1\]: a number of at least 1"),
    ("Tile", [1, 1, 2**20, 2**20], "elements"),
    ("Tile", [1, 1, 2**19, 1], r"makes \[1, 6, 2097152, 5\]: at most 1048576 on an axis"),
    ("Expand", [1, 6, 8, 5], r"\(Expand\): asks for \[1, 6, 8, 5\] of an input of shape"),
    ("Expand", [-1, 6, 4, 5], r"\(Expand\): asks for \[-1, 6, 4, 5\]"),
    ("Expand", [2, 6, 4, 5], r"is read as \[2, 6, 4, 5\]"),
    ("Tile", None, r"\(Tile\): .* has repeats that are not known before the run"),
    ("Expand", None, r"\(Expand\): .* has a shape that is not known before the run"),
]


@pytest.mark.parametrize(("op_type", "numbers", "message"), REFUSED)
def test_what_would_move_data_is_refused(op_type: str, numbers: Any, message: str):
    with pytest.raises(ModelError, match=message):
        import_onnx(around(op_type, numbers, (1, 6, 8, 5)))
