"""Rectangles of bytes in a memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.errors import BscError


class Box(NamedTuple):
    """`h` x `w` pixels of `c` bytes at `address`, with the distances between them."""

    address: int
    h: int
    w: int
    c: int
    row: int
    pix: int

    @property
    def bytes(self) -> int:
        """Bytes in the box."""
        return self.h * self.w * self.c

    @property
    def extent(self) -> int:
        """Bytes from the first to the last."""
        return (self.h - 1) * self.row + (self.w - 1) * self.pix + self.c


def view(memory: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """The box (h, w, c) of a memory with one element a byte."""
    size = memory.itemsize
    return np.lib.stride_tricks.as_strided(
        memory[box.address :],
        (box.h, box.w, box.c),
        (box.row * size, box.pix * size, size),
    )


def indices(box: Box) -> npt.NDArray[np.int64]:
    """The addresses of the bytes of a box, (h, w, c)."""
    return (
        box.address
        + np.arange(box.h)[:, None, None] * box.row
        + np.arange(box.w)[:, None] * box.pix
        + np.arange(box.c)
    )


def check_box(box: Box) -> None:
    """Boxes do not fold back over themselves: a pixel ends before the next begins."""
    if box.pix < box.c and box.w > 1:
        raise BscError(f"pixels of {box.c} bytes every {box.pix} bytes overlap")
    if box.row < (box.w - 1) * box.pix + box.c and box.h > 1:
        raise BscError(
            f"rows of {(box.w - 1) * box.pix + box.c} bytes every {box.row} bytes overlap"
        )
