"""Operands of Add and Mul that differ in shape, as squeeze and excite has them.

A feature map is scaled by a number for each channel, 1 x C x 1 x 1, or by one for each channel
of a row or column.  ONNX lets either operand be the small one; on the array it is the second.
"""

from __future__ import annotations

from bsc.dialects.qnn_base import Shape
from bsc.frontend.moves import feature_map, straight
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import State
from bsc.frontend.values import Tensor
from bsc.frontend.views import NCHW, NHWC, View


def paired(state: State, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both operands of a sum or product, what is repeated on the right.

    Raises Refusal unless they can be read as feature maps of one shape, or of one where a
    single row or column stands for all.
    """
    if a.dims == b.dims and a.view.same(b.view):
        return a, b
    if a.dims == b.dims or len(a.dims) == len(b.dims) == 4:
        if not _lie_alike(a, b):
            a, b = straight(state, a), straight(state, b)
        if not _lie_alike(a, b):
            a, b = feature_map(state, a), feature_map(state, b)
        for first, second in ((a, b), (b, a)):
            if _repeats(first.shape, second.shape):
                return first, second
    raise Refusal(
        f"has inputs of shapes {list(a.dims)} and {list(b.dims)}: equal shapes are accepted, "
        "and [1, C, H, W] with [1, C, 1, 1], [1, C, H, 1] or [1, C, 1, W]"
    )


def _lie_alike(a: Tensor, b: Tensor) -> bool:
    return any(_lie(a, order) and _lie(b, order) for order in (NCHW, NHWC))


def _lie(x: Tensor, order: tuple[int, ...]) -> bool:
    """Whether a tensor is all of its value, the axes in an order."""
    return x.view.same(View.natural(x.shape, order))


def _repeats(a: Shape, b: Shape) -> bool:
    """Whether `b` has all channels of `a`, and each of its rows and columns, or one that stands
    for all."""
    return a[3] == b[3] and all(n in (m, 1) for m, n in zip(a[1:3], b[1:3], strict=True))
