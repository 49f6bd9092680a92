"""
Windows as properties: three lists of numbers, as ONNX has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DenseArrayBase, IntegerType, i64
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.qnn_base import Shape
from bsc.geometry import Window

IntArray = DenseArrayBase[IntegerType]
ONES = DenseArrayBase.from_list(i64, [1, 1])
NO_PADS = DenseArrayBase.from_list(i64, [0, 0, 0, 0])


def ints(values: Sequence[int]) -> IntArray:
    """A list as a property."""
    return DenseArrayBase.from_list(i64, values)


def window_of(
    kernel: Sequence[int],
    strides: IntArray,
    dilations: IntArray,
    pads: IntArray,
) -> Window:
    """The window of three lists.  Raises VerifyException if a list has a wrong length."""
    lists: dict[str, Sequence[int]] = {"kernel": kernel} | {
        name: attr.get_values()
        for name, attr in (("strides", strides), ("dilations", dilations), ("pads", pads))
    }
    for name, values in lists.items():
        length, least = (4, 0) if name == "pads" else (2, 1)
        if len(values) != length or min(values) < least:
            raise VerifyException(
                f"{name} must be {length} numbers of at least {least}, not {list(values)}"
            )
    return Window.of(lists["kernel"], lists["strides"], lists["dilations"], lists["pads"])


def windowed_shape(source: Shape, window: Window, channels: int) -> Shape:
    """The output of a window over `source`.  Raises VerifyException if nothing fits."""
    rows, cols = window.h.out_size(source[1]), window.w.out_size(source[2])
    if rows < 1 or cols < 1:
        raise VerifyException(
            f"the window ({window.h.reach} x {window.w.reach}) is larger than the padded "
            f"input of shape {source}"
        )
    return (1, rows, cols, channels)
