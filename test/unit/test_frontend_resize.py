"""Resize to the nearest pixel: what is a block of pixels for each pixel, and what is not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from exactness import assert_exact, operations
from onnx import ModelProto
from qdq_models import QdqBuilder

from bsc.dialects.qnn import ResizeOp
from bsc.errors import ModelError
from bsc.frontend import import_onnx

MODES = ("asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def enlarged(
    scales: tuple[float, ...] = (1, 1, 2, 2), sizes: tuple[int, ...] = (), **attributes: Any
) -> ModelProto:
    """A resize between two convolutions; without `scales`, by `sizes`."""
    b = QdqBuilder()
    x = b.conv(b.input((1, 5, 4, 3)), 5)
    given = b.constant(np.array(scales, np.float32))
    inputs = [x.name, "", given]
    if sizes:
        inputs = [x.name, "", "", b.constant(np.array(sizes, np.int64))]
    factors = scales if not sizes else [n / m for m, n in zip(x.dims, sizes, strict=True)]
    after = tuple(int(m * n) for m, n in zip(x.dims, factors, strict=True))
    y = b.quantize(b.node("Resize", inputs, **attributes), after, x.pos)
    return b.model(b.conv(y, 4))


ASYMMETRIC: dict[str, Any] = {
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("by_size", [False, True])
def test_blocks_of_any_size(rows: int, by_size: bool):
    sizes = (1, 5, 4 * rows, 12) if by_size else ()
    model = enlarged((1, 1, rows, 4), sizes, **ASYMMETRIC)
    (op,) = (op for op in operations(assert_exact(model)) if isinstance(op, ResizeOp))
    assert op.factor.get_values() == (rows, 4)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_every_way_to_say_it_is_right_or_refused(factor: int):
    """Of the modes of ONNX, some come to blocks of pixels with some factors."""
    refusals: list[str] = []
    for how, rounding in itertools.product(MODES, ROUNDINGS):
        modes: dict[str, Any] = {
            "coordinate_transformation_mode": how,
            "nearest_mode": rounding,
        }
        model = enlarged((1, 1, factor, factor), **modes)
        try:
            assert_exact(model)
        except ModelError as e:
            refusals += [
                m for m in e.problems if f"nearest pixel by {how} and {rounding}" not in m
            ]
            refusals.append("")
    assert 0 < len(refusals) <= len(MODES) * len(ROUNDINGS) - 4
    assert not any(refusals)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mode": "linear"}, "\\(Resize\\): .*has mode 'linear': 'nearest' is accepted"),
    ({"scales": (1, 1, 1.5, 2)}, r"scales .*1\.5.*: whole numbers of at least 1 are accepted"),
    ({"scales": (1, 1, 0.5, 0.5)}, "whole numbers of at least 1 are accepted"),
    ({"sizes": (1, 5, 6, 6)}, "makes 6 of the 4 elements of axis 2 .*: whole multiples"),
    ({"scales": (1, 2, 2, 2)}, "makes 10 of the 5 elements of axis 1"),
    (
        {"coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"},
        "nearest pixel by align_corners and floor, which are not blocks",
    ),
    ({"coordinate_transformation_mode": "tf_crop_and_resize"}, "asymmetric is accepted"),
    ({"scales": (1, 1, 1e9, 1e9)}, "elements"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_what_is_no_block_is_refused(more: dict[str, Any], message: str):
    attributes: dict[str, Any] = {**ASYMMETRIC, **more}
    with pytest.raises(ModelError, match=message):
        import_onnx(enlarged(**attributes))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_the_host_does_it_at_the_end(mode: str):
    b = QdqBuilder()
    x = b.conv(b.input((1, 5, 4, 3)), 5)
    scales = b.constant(np.array([1, 1, 2, 2], np.float32))
    attributes: dict[str, Any] = {**ASYMMETRIC, "mode": mode}
    model = b.model(b.node("Resize", [x.name, "", scales], **attributes))
    assert not [op for op in operations(assert_exact(model)) if isinstance(op, ResizeOp)]
