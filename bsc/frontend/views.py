"""Where the elements of an ONNX tensor lie in the value that holds them.

A value is 1 x H x W x C and stays as it is; what ONNX calls its dimensions, and in which order
it reads them, is a view.  A transpose, a reshape, a slice or a split therefore makes another
view and moves nothing, and two transposes that undo each other are gone.  Who reads the
tensor looks at its view: weights are permuted, a mean takes other axes, and only what cannot
be had so is moved (`bsc.frontend.moves`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bsc.dialects.qnn_base import Shape
from bsc.frontend.graph import Dims
from bsc.frontend.tensors import Array

_LARGEST_MERGED = 2**25
"""Elements of a dimension that a reshape makes of several."""

NCHW, NHWC = (0, 3, 1, 2), (0, 1, 2, 3)
"""Which axis of the value each axis of ONNX is."""


class Region(NamedTuple):
    """The rows, columns and channels of a value that a feature map consists of, in order."""

    rows: Array
    cols: Array
    channels: Array


@dataclass(frozen=True, eq=False)
class View:
    """Element (i, j, …) of the ONNX tensor is number base + offsets[0][i] + offsets[1][j] + …
    of the elements of a value of `shape`, counted in the order H, W, C.

    All offsets begin with 0.
    """

    shape: Shape
    offsets: tuple[Array, ...]
    base: int = 0

    @staticmethod
    def natural(shape: Shape, order: Dims = NCHW) -> View:
        """All of a value, its axes in the given order: that of ONNX, unless told otherwise."""
        steps = (0, shape[2] * shape[3], shape[3], 1)
        return View(shape, tuple(_steps(shape[axis], steps[axis]) for axis in order))

    @staticmethod
    def row(shape: Shape) -> View:
        """A value of one pixel as 1 x C."""
        return View(shape, (_steps(1, 0), _steps(shape[3], 1)))

    @staticmethod
    def flat(dims: Dims) -> View:
        """A value of 1 x 1 x 1 x size, whose elements are read in their order as `dims`."""
        steps = [math.prod(dims[i + 1 :]) for i in range(len(dims))]
        size = math.prod(dims)
        return View((1, 1, 1, size), tuple(map(_steps, dims, steps)))

    @property
    def dims(self) -> Dims:
        """The dimensions, as ONNX has them."""
        return tuple(len(steps) for steps in self.offsets)

    @property
    def key(self) -> object:
        """Equal for views that are the same."""
        return self.shape, self.base, tuple(steps.tobytes() for steps in self.offsets)

    def same(self, other: View) -> bool:
        """Whether each element lies at the same place."""
        return (self.shape, self.base, self.dims) == (
            other.shape,
            other.base,
            other.dims,
        ) and all(
            np.array_equal(a, b) for a, b in zip(self.offsets, other.offsets, strict=True)
        )

    def transposed(self, order: Dims) -> View:
        """With the axes in another order."""
        return View(self.shape, tuple(self.offsets[axis] for axis in order), self.base)

    def taken(self, axis: int, indices: Array) -> View:
        """Some elements of an axis; at least one."""
        steps = self.offsets[axis][indices]
        first = int(steps[0])
        offsets = (*self.offsets[:axis], steps - steps[0], *self.offsets[axis + 1 :])
        return View(self.shape, offsets, self.base + first)

    def reshaped(self, dims: Dims) -> View | None:
        """The same elements, in the same order, under other dimensions of the same size;
        None if no dimension could have places of its own, so that data had to move."""
        rest = [steps for steps in self.offsets if len(steps) > 1]
        found: list[Array] = []
        group = _steps(1, 0)
        for n in dims:
            while len(group) % n:
                merged = rest.pop(0)
                if len(group) * len(merged) > _LARGEST_MERGED:
                    return None
                group = (group[:, None] + merged).reshape(-1)
            parts = group.reshape(n, -1)
            if not np.array_equal(parts, parts[:, :1] + parts[0]):
                return None
            found.append(parts[:, 0])
            group = parts[0]
        return View(self.shape, tuple(found), self.base)

    def order(self) -> Dims | None:
        """Which axis of the value each of four axes is: `NCHW`, `NHWC`, or None if it is
        neither, or not all of the value."""
        orders = (NCHW, NHWC)
        return next((o for o in orders if self.same(View.natural(self.shape, o))), None)

    def region(self) -> Region | None:
        """The feature map, if the axes are N, C, H and W, whatever part of the value it is."""
        if len(self.offsets) != 4 or self.dims[0] != 1:
            return None
        _, h, w, c = self.shape
        row, place = divmod(self.base, w * c)
        col, channel = divmod(place, c)
        _, channels, rows, cols = self.offsets
        if (rows % (w * c)).any() or (cols % c).any():
            return None
        found = Region(row + rows // (w * c), col + cols // c, channel + channels)
        if any(n.min() < 0 or n.max() >= m for n, m in zip(found, (h, w, c), strict=True)):
            return None
        return found

    def channels(self, axis: int) -> Array | None:
        """The channel of each element of `axis`, if that has all of them and nothing else."""
        steps = self.offsets[axis]
        everything = np.array_equal(np.sort(steps), _steps(self.shape[3], 1))
        # A part of the value begins elsewhere, or has fewer elements.
        whole = not self.base and math.prod(self.dims) == math.prod(self.shape)
        return steps if everything and whole else None

    def of_value(self, values: Array) -> Array:
        """The ONNX tensor that a value holds."""
        return values.reshape(-1)[self._index()]

    def to_value(self, tensor: Array) -> Array:
        """The value that holds an ONNX tensor, which must fill it."""
        flat: Array = np.empty(math.prod(self.shape), tensor.dtype)
        flat[self._index()] = tensor
        return flat.reshape(self.shape)

    def _index(self) -> Array:
        index: Array = np.array(self.base, np.int64)
        for steps in self.offsets:
            index = index[..., None] + steps
        return index


def _steps(count: int, step: int) -> Array:
    return np.arange(count, dtype=np.int64) * step
