"""Block pruning: the least important blocks of a convolution become zero.

Source: section 3.2 of the paper, which chooses Γ once, by a norm of each block, and sets
the lowest to zero.  A block is b0 output channels × KH × KW × b1 input channels; what is
left over at the edges makes smaller blocks of their own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import numpy_helper

from bsc.errors import BscError

Array: TypeAlias = np.ndarray[Any, Any]

CRITERIA = ("l2", "l1", "variance")
"""The measures of importance; the variance is around the mean of the block itself."""


def importance(weight: Array, block: tuple[int, int], criterion: str) -> Array:
    """The importance of each block of `weight`.

    `weight` is COUT × CIN × any kernel shape; the result is float64,
    ceil(COUT / b0) × ceil(CIN / b1).
    """
    cout, cin = map(int, weight.shape[:2])
    values = weight.reshape(cout, cin, -1).astype(np.float64)

    def total(values: Array) -> Array:
        rows = np.add.reduceat(values.sum(axis=2), np.arange(0, cout, block[0]), axis=0)
        return np.add.reduceat(rows, np.arange(0, cin, block[1]), axis=1)

    if criterion == "l1":
        return total(np.abs(values))
    if criterion == "l2":
        return np.sqrt(total(values**2))
    count = total(np.ones_like(values))
    mean = _spread(total(values) / count, block, weight.shape)
    return total((values - mean[:, :, None]) ** 2) / count


def _spread(blocks: Array, block: tuple[int, int], shape: tuple[int, ...]) -> Array:
    """One value a block, as one value for each of COUT × CIN."""
    for axis in (0, 1):
        blocks = blocks.repeat(min(block[axis], shape[axis]), axis=axis)
    return blocks[: shape[0], : shape[1]]


def prune(weight: Array, sparsity: float, block: tuple[int, int], criterion: str) -> Array:
    """A copy of `weight` with round(sparsity · blocks) of its blocks set to zero.

    `weight` is COUT × CIN × any kernel shape.  Of blocks of equal importance those that
    come first, in the order of rows, go first.
    """
    score = importance(weight, block, criterion)
    order = np.argsort(score, axis=None, kind="stable")
    keep: Array = np.ones(score.shape, dtype=bool)
    keep.flat[order[: round(sparsity * score.size)]] = False
    mask = _spread(keep, block, weight.shape)
    mask = mask.reshape(*mask.shape, *(1,) * (weight.ndim - 2))
    return np.where(mask, weight, weight.dtype.type(0))


def sparsify(
    model: onnx.ModelProto, sparsity: float, block: tuple[int, int], criterion: str
) -> None:
    """Prunes, in place, every convolution of `model` but the first.

    The first sees the image and stays dense, as do fully connected layers and depthwise
    convolutions, whose blocks would be single channels.  In a grouped convolution CIN is
    the number of channels of a group.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    dense = {node.input[1] for node in convolutions[:1]}
    for name in dict.fromkeys(node.input[1] for node in convolutions):
        tensor = weights.get(name)
        if tensor is not None and name not in dense and tensor.dims[1] > 1:
            pruned = prune(numpy_helper.to_array(tensor), sparsity, block, criterion)
            tensor.CopyFrom(numpy_helper.from_array(pruned, name))


def check_options(sparsity: float, block: tuple[int, int], criterion: str, seed: int) -> None:
    """Raises BscError for the first of the options that is out of range."""
    if not 0 <= sparsity <= 1:  # which NaN is not, either
        raise BscError(f"sparsity must be between 0 and 1, not {sparsity}")
    if len(block) != 2 or min(block) < 1:
        text = "x".join(map(str, block))
        raise BscError(f"block must be COUTxCIN, both at least 1, not {text}")
    if criterion not in CRITERIA:
        raise BscError(f"unknown criterion '{criterion}': give one of {', '.join(CRITERIA)}")
    if seed < 0:
        raise BscError(f"seed must be at least 0, not {seed}")
