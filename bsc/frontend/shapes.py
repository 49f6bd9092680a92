"""Operators that compute nothing: they give the same elements other dimensions.

An int8 tensor keeps the way it lies, whatever ONNX calls its dimensions, so none of these
moves data.  Weights are reshaped and transposed at once.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bsc.frontend.graph import Constant, Dims, Node
from bsc.frontend.host import hosted
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import Args, State, argument, constant, imports
from bsc.frontend.values import Exact, Input, Scaled, Tensor, Value

_LARGEST_RANK = 16


@imports("Identity")
def identity(state: State, node: Node, args: Args) -> Value:
    """The input."""
    return _value(args)


@imports("Dropout")
def dropout(state: State, node: Node, args: Args) -> Value:
    """The input: nothing is dropped outside training."""
    training = constant(node, args, 2, "training_mode")
    if training is not None and training.any():
        raise Refusal("is in training mode: the model must be exported for inference")
    if any(node.outputs[1:]):
        raise Refusal("makes a mask: only the values are accepted")
    return _value(args)


@imports("Flatten")
def flatten(state: State, node: Node, args: Args) -> Value:
    """Two dimensions, cut at an axis."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    axis = node.number("axis", 1)
    if not -len(dims) <= axis <= len(dims):
        raise Refusal(f"attribute axis is {axis}, its input has {len(dims)} dimensions")
    axis = axis + len(dims) if axis < 0 else axis
    return _reshaped(node, value, (math.prod(dims[:axis]), math.prod(dims[axis:])))


@imports("Reshape")
def reshape(state: State, node: Node, args: Args) -> Value:
    """Dimensions that a constant gives: 0 keeps one, -1 is what is left."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    asked = _axes(node, args, "shape") or ()
    keep = not node.number("allowzero", 0)
    shape = [dims[i] if n == 0 and keep and i < len(dims) else n for i, n in enumerate(asked)]
    size = math.prod(dims)
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape[shape.index(-1)] = size // known if known > 0 else 0
    if min(shape, default=1) < 1 or math.prod(shape) != size:
        raise Refusal(f"asks for {list(asked)} of an input of shape {list(dims)}")
    return _reshaped(node, value, tuple(shape))


@imports("Squeeze")
def squeeze(state: State, node: Node, args: Args) -> Value:
    """Without some, or all, of the dimensions of 1."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    axes = _axes(node, args, "axes")
    if axes is None:
        axes = tuple(i for i, n in enumerate(dims) if n == 1)
    drop = _normal(axes, len(dims))
    if any(dims[i] != 1 for i in drop):
        raise Refusal(f"squeezes axes {list(axes)} of {list(dims)}: they must be 1")
    return _reshaped(node, value, tuple(n for i, n in enumerate(dims) if i not in drop))


@imports("Unsqueeze")
def unsqueeze(state: State, node: Node, args: Args) -> Value:
    """With more dimensions of 1."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    axes = _axes(node, args, "axes") or ()
    new = _normal(axes, len(dims) + len(axes))
    rest = iter(dims)
    shape = (1 if i in new else next(rest) for i in range(len(dims) + len(axes)))
    return _reshaped(node, value, tuple(shape))


@imports("Transpose")
def transpose(state: State, node: Node, args: Args) -> Value:
    """Weights are transposed; of a tensor, only dimensions of 1 can change places."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    order = node.numbers("perm") or tuple(range(len(dims)))[::-1]
    if sorted(order) != list(range(len(dims))):
        raise Refusal(f"attribute perm is {list(order)}, its input has {len(dims)} dimensions")
    if isinstance(value, Scaled):
        return replace(value, array=value.array.transpose(order), view=node.outputs[0])
    moved = [i for i in order if dims[i] != 1]
    if moved == sorted(moved):
        return _reshaped(node, value, tuple(dims[i] for i in order))
    if isinstance(value, Tensor):
        return hosted(state, node, args, f"would move data, from {list(dims)} by {list(order)}")
    raise Refusal(f"attribute perm is {list(order)} on {list(dims)}: it would move data")


def _value(args: Args) -> Value:
    value = argument(args, 0)
    if value is None:
        raise Refusal("has no input")
    return value


def _dims(value: Value) -> Dims | None:
    """The dimensions of what may be reshaped, None for what the host computes.

    Raises Refusal for constants that are not weights.
    """
    match value:
        case Tensor() | Exact() | Input() | Scaled():
            return value.dims
        case Constant():
            if value.array is None:
                raise Refusal(f"reads a constant of type {value.type}")
            return value.array.shape
        case _:
            return None


def _reshaped(node: Node, value: Value, dims: Dims) -> Value:
    if len(dims) > _LARGEST_RANK:
        raise Refusal(f"makes {len(dims)} dimensions: at most {_LARGEST_RANK} are accepted")
    match value:
        case Tensor() | Input():
            return replace(value, dims=dims)
        case Exact():
            return replace(value, dims=dims, biased=None)
        case Scaled():
            return replace(value, array=value.array.reshape(dims), view=node.outputs[0])
        case Constant(array=np.ndarray()):
            assert value.array is not None
            return replace(value, array=value.array.reshape(dims))
        case _:
            return value


def _axes(node: Node, args: Args, key: str) -> tuple[int, ...] | None:
    """A list of numbers: an attribute in old opsets, input 1 in new ones."""
    listed = node.numbers(key)
    array = constant(node, args, 1, key)
    if array is None:
        return listed
    if array.ndim > 1 or array.dtype.kind != "i" or array.size > _LARGEST_RANK:
        raise Refusal(f"{key} must be a list of at most {_LARGEST_RANK} whole numbers")
    return tuple(int(n) for n in array.flat)


def _normal(axes: tuple[int, ...], rank: int) -> set[int]:
    """Axes counted from the front.  Raises Refusal if one is out of range or named twice."""
    found = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(found) != len(axes):
        raise Refusal(f"names axes {list(axes)} of {rank} dimensions")
    return found
