"""Sparse tensors of the file, as `sparse_initializer` and `Constant.sparse_value` have them.

ONNX stores what is not zero, with its indices: one number each, which counts the elements in
C order, or one for each dimension.  Nothing else here knows of it: such a tensor is made
dense as it is read, so that zero blocks are found in it as in any other weight.

Dimensions are cheap to write down, so that the size of the dense array is bounded by what
the file holds of the tensor.  A weight of which one number in a thousand is not zero is
plausible; with 9 bytes for each int8 number and its index that is a factor of 111.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import SparseTensorProto, TensorProto

from bsc.frontend.problems import Refusal
from bsc.frontend.tensors import LARGEST_TENSOR, Array, ExternalFiles, array_of, type_name

LARGEST_RATIO = 1024
"""Bytes of a dense tensor for each byte that the file has of it."""

_LARGEST_RANK = 16


def dense_array(sparse: SparseTensorProto, files: ExternalFiles) -> Array | None:
    """The numbers of `sparse` with its zeros, read only; None if they have a type that
    nothing here uses.

    Raises Refusal if dimensions, values and indices do not agree, or if the dense tensor
    were too large.
    """
    values = array_of(sparse.values, files)
    if values is None:
        return None
    dims = tuple(sparse.dims)
    if len(dims) > _LARGEST_RANK or min(dims, default=0) < 1:
        raise Refusal(
            f"is sparse with dimensions {list(dims)}: 1 to {_LARGEST_RANK} are accepted, each "
            "at least 1"
        )
    if values.ndim != 1:
        shape = list(values.shape)
        raise Refusal(f"is sparse with values of shape {shape}: one dimension is expected")
    indices = _indices(sparse.indices, values.size, len(dims), files)
    taken = sparse.ByteSize() + values.nbytes + indices.nbytes
    size = math.prod(dims) * values.itemsize
    if size > min(LARGEST_RATIO * taken, LARGEST_TENSOR):
        raise Refusal(
            f"is sparse with {values.size} values, but its dimensions {list(dims)} need {size} "
            f"bytes: at most {LARGEST_RATIO} times what the file has of it, and at most "
            f"{LARGEST_TENSOR}, are accepted"
        )
    dense = np.zeros(math.prod(dims), values.dtype)
    dense[_positions(indices, dims)] = values
    array = dense.reshape(dims)
    array.flags.writeable = False
    return array


def _indices(tensor: TensorProto, count: int, rank: int, files: ExternalFiles) -> Array:
    """The indices as the file has them: [count], or [count, rank]."""
    if tensor.data_type != TensorProto.INT64:
        raise Refusal(
            f"is sparse with indices of type {type_name(tensor.data_type)}: int64 is expected"
        )
    try:
        indices = array_of(tensor, files)
    except Refusal as e:
        raise Refusal(f"is sparse, and the tensor of its indices {e}") from None
    if indices is None or indices.shape not in ((count,), (count, rank)):
        shape = list(tensor.dims)
        raise Refusal(
            f"is sparse with indices of shape {shape} for {count} values in {rank} dimensions: "
            f"{[count]} or {[count, rank]} is expected"
        )
    return indices


def _positions(indices: Array, dims: tuple[int, ...]) -> Array:
    """The indices as positions in C order, which must be in range and ascend."""
    limits = dims if indices.ndim == 2 else (math.prod(dims),)
    rows = indices.reshape(len(indices), -1) if indices.size else indices.reshape(0, 1)
    outside = ((rows < 0) | (rows >= np.array(limits[: rows.shape[1]]))).any(axis=1)
    if outside.any():
        raise Refusal(
            f"is sparse with index {indices[outside.argmax()].tolist()}, which is outside of "
            f"{list(limits)}"
        )
    strides = np.array([math.prod(limits[i + 1 :]) for i in range(rows.shape[1])], np.int64)
    positions = rows @ strides
    falling = np.diff(positions) <= 0
    if falling.any():
        at = int(falling.argmax())
        raise Refusal(
            f"is sparse with index {indices[at + 1].tolist()} behind "
            f"{indices[at].tolist()}: each must be larger than the one before"
        )
    return positions
