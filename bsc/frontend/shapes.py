"""Operators that compute nothing: they give the same elements other dimensions.

A tensor keeps the way it lies, whatever ONNX calls its dimensions or which part of it is read:
none of these moves data, each makes another view.  Weights are reshaped and transposed at once.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bsc.frontend.builder import check_size
from bsc.frontend.graph import Constant, Dims, Node
from bsc.frontend.host import hosted, why_not
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import Args, State, activation, argument, constant, imports
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Input, Scaled, Tensor, Value
from bsc.frontend.views import View

_LARGEST_RANK = 16
_LARGEST_LIST = 2**10
_LARGEST_INDEX = 2**24
_LARGEST_CONSTANT = 2**16
_LARGEST_AXIS = 2**20


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
    return _reshaped(state, node, args, value, (math.prod(dims[:axis]), math.prod(dims[axis:])))


@imports("Reshape")
def reshape(state: State, node: Node, args: Args) -> Value:
    """Dimensions that a constant gives: 0 keeps one, -1 is what is left."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    asked = _numbers(node, args, 1, "shape") or ()
    keep = not node.number("allowzero", 0)
    shape = [dims[i] if n == 0 and keep and i < len(dims) else n for i, n in enumerate(asked)]
    size = math.prod(dims)
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape[shape.index(-1)] = size // known if known > 0 else 0
    if min(shape, default=1) < 1 or math.prod(shape) != size:
        raise Refusal(f"asks for {list(asked)} of an input of shape {list(dims)}")
    return _reshaped(state, node, args, value, tuple(shape))


@imports("Squeeze")
def squeeze(state: State, node: Node, args: Args) -> Value:
    """Without some, or all, of the dimensions of 1."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    axes = _numbers(node, args, 1, "axes")
    if axes is None:
        axes = tuple(i for i, n in enumerate(dims) if n == 1)
    drop = _normal(axes, len(dims))
    if any(dims[i] != 1 for i in drop):
        raise Refusal(f"squeezes axes {list(axes)} of {list(dims)}: they must be 1")
    return _reshaped(
        state, node, args, value, tuple(n for i, n in enumerate(dims) if i not in drop)
    )


@imports("Unsqueeze")
def unsqueeze(state: State, node: Node, args: Args) -> Value:
    """With more dimensions of 1."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    axes = _numbers(node, args, 1, "axes") or ()
    new = _normal(axes, len(dims) + len(axes))
    rest = iter(dims)
    shape = (1 if i in new else next(rest) for i in range(len(dims) + len(axes)))
    return _reshaped(state, node, args, value, tuple(shape))


@imports("Transpose")
def transpose(state: State, node: Node, args: Args) -> Value:
    """Weights are transposed; of a tensor, it is seen otherwise."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    order = node.numbers("perm") or tuple(range(len(dims)))[::-1]
    if sorted(order) != list(range(len(dims))):
        raise Refusal(f"attribute perm is {list(order)}, its input has {len(dims)} dimensions")
    match value:
        case Scaled():
            return replace(value, array=value.array.transpose(order), view=node.outputs[0])
        case Constant(array=np.ndarray()):
            assert value.array is not None
            return replace(value, array=value.array.transpose(order))
        case Tensor():
            return replace(value, view=value.view.transposed(order))
        case Input():
            pads = tuple(value.pads[axis] for axis in order) if value.pads else ()
            return replace(value, view=value.view.transposed(order), pads=pads)
        case Exact():
            return replace(value, view=value.view.transposed(order), biased=None, scaled=None)
        case _:
            return value


@imports("DepthToSpace", "SpaceToDepth")
def shuffled_pixels(state: State, node: Node, args: Args) -> Value:
    """Blocks of pixels as channels of one pixel, or the other way round."""
    value = _value(args)
    if not isinstance(value, Tensor | Exact):
        return hosted(state, node, args, why_not(node.op_type))
    n, mode = node.number("blocksize", 0), node.word("mode", "DCR")
    to_space = node.op_type == "DepthToSpace"
    rank, sizes = len(value.dims), value.dims[1:2] if to_space else value.dims[2:]
    each = n * n if to_space else n
    if rank != 4 or value.dims[0] != 1 or n < 1 or any(size % each for size in sizes):
        raise Refusal(f"makes blocks of {n} of {list(value.dims)}: they must come out even")
    if mode not in ("DCR", "CRD"):
        raise Refusal(f"attribute mode is {mode!r}: DCR and CRD are accepted")
    _, c, h, w = value.dims
    if not to_space:
        parts, order = (1, c, h // n, n, w // n, n), (0, 3, 5, 1, 2, 4)
        dims = (1, c * n * n, h // n, w // n)
    elif mode == "DCR":
        parts, order = (1, n, n, c // each, h, w), (0, 3, 4, 1, 5, 2)
        dims = (1, c // each, h * n, w * n)
    else:
        parts, order = (1, c // each, n, n, h, w), (0, 1, 4, 2, 5, 3)
        dims = (1, c // each, h * n, w * n)
    view = value.view.reshaped(parts)
    view = None if view is None else view.transposed(order).reshaped(dims)
    if view is None:
        return hosted(state, node, args, f"would move data, to {list(dims)}")
    return _seen(value, view)


@imports("Tile")
def tile(state: State, node: Node, args: Args) -> Value:
    """A tensor again and again along its axes."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    if not isinstance(argument(args, 1), Constant):
        return hosted(state, node, args, "has repeats that are not known before the run")
    repeats = _numbers(node, args, 1, "repeats") or ()
    if len(repeats) != len(dims) or min(repeats, default=1) < 1:
        raise Refusal(
            f"repeats {list(dims)} by {list(repeats)}: a number of at least 1 for each axis is "
            "accepted"
        )
    return _repeated(state, node, args, value, dims, repeats)


@imports("Expand")
def expand(state: State, node: Node, args: Args) -> Value:
    """A tensor whose axes of 1 become as long as asked for."""
    value = _value(args)
    if (dims := _dims(value)) is None:
        return value
    if not isinstance(argument(args, 1), Constant):
        return hosted(state, node, args, "has a shape that is not known before the run")
    asked = _numbers(node, args, 1, "shape") or ()
    rank = max(len(dims), len(asked))
    full, wanted = ((1,) * (rank - len(ns)) + ns for ns in (dims, asked))
    if any(n < 1 or (m != n and 1 not in (m, n)) for m, n in zip(full, wanted, strict=True)):
        raise Refusal(f"asks for {list(asked)} of an input of shape {list(dims)}")
    repeats = tuple(n if m == 1 else 1 for m, n in zip(full, wanted, strict=True))
    return _repeated(state, node, args, value, full, repeats)


def _repeated(
    state: State, node: Node, args: Args, value: Value, dims: Dims, repeats: Dims
) -> Value:
    """A value of `dims`, so many times along each axis: its elements are read several times."""
    made = tuple(n * m for n, m in zip(dims, repeats, strict=True))
    check_size(made)
    if max(made, default=1) > _LARGEST_AXIS:
        raise Refusal(f"makes {list(made)}: at most {_LARGEST_AXIS} on an axis are accepted")
    match value:
        case Tensor() | Exact():
            view = value.view.reshaped(dims)
            assert view is not None
            for axis, (n, times) in enumerate(zip(dims, repeats, strict=True)):
                view = view.taken(axis, np.tile(np.arange(n), times))
            return _seen(value, view)
        case Scaled() if math.prod(dims) * math.prod(repeats) <= _LARGEST_CONSTANT:
            array = np.tile(value.array.reshape(dims), repeats)
            return replace(value, array=array, view=node.outputs[0])
        case _:
            return hosted(state, node, args, why_not(node.op_type))


@imports("Slice")
def slice_(state: State, node: Node, args: Args) -> Value:
    """Part of a tensor: from a start to an end along some axes."""
    value = _sliced(state, node, args)
    rank = len(value.dims)
    starts, ends = _numbers(node, args, 1, "starts"), _numbers(node, args, 2, "ends")
    if starts is None or ends is None:
        raise Refusal("has no starts and ends")
    axes = _numbers(node, args, 3, "axes")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = _numbers(node, args, 4, "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal(f"has {list(starts)}, {list(ends)}, {list(axes)} and {list(steps)}")
    _normal(axes, rank)
    view = value.view
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen = range(view.dims[axis % rank])[slice(start, _past(end, step), step)]
        view = _taken(view, axis % rank, np.array(chosen, np.int64))
    return _seen(value, view)


def _past(end: int, step: int) -> int | None:
    """The end of a slice as Python has it: ONNX goes to the front by a number below all."""
    return None if step < 0 and end < -_LARGEST_INDEX else end


@imports("Split")
def split(state: State, node: Node, args: Args) -> tuple[Value, ...]:
    """A tensor in pieces along an axis."""
    value = _sliced(state, node, args)
    (axis,) = _normal((node.number("axis", 0),), len(value.dims))
    size, count = value.dims[axis], len(node.outputs)
    sizes = _numbers(node, args, 1, "split")
    if sizes is None:
        each = -(-size // count)
        sizes = (*(each,) * (count - 1), size - each * (count - 1))
    if sum(sizes) != size or len(sizes) != count:
        raise Refusal(f"splits {size} into {list(sizes)} for {count} outputs")
    ends = np.cumsum(sizes)
    return tuple(
        _seen(value, _taken(value.view, axis, np.arange(n) + (int(end) - n)))
        for n, end in zip(sizes, ends, strict=True)
    )


@imports("Gather")
def gather(state: State, node: Node, args: Args) -> Value:
    """Elements of an axis, by constant numbers."""
    value = _sliced(state, node, args)
    (axis,) = _normal((node.number("axis", 0),), len(value.dims))
    indices = constant(node, args, 1, "indices")
    if indices is None or indices.ndim > 1 or indices.dtype.kind != "i":
        raise Refusal("takes elements by other indices than a list of whole numbers")
    size = value.dims[axis]
    wanted = np.where(indices < 0, indices + size, indices).reshape(-1)
    if wanted.size > _LARGEST_INDEX or (
        wanted.size and not 0 <= wanted.min() <= wanted.max() < size
    ):
        raise Refusal(f"takes element {wanted.max()} of {size} on axis {axis}")
    view = _taken(value.view, axis, wanted)
    if indices.ndim == 0:
        view = view.reshaped((*view.dims[:axis], *view.dims[axis + 1 :]))
        assert view is not None
    return _seen(value, view)


def _seen(value: Tensor | Exact, view: View) -> Tensor | Exact:
    """The same, read otherwise; what is not rounded yet is rounded as a whole."""
    if isinstance(value, Exact):
        return replace(value, view=view, biased=None, scaled=None, padded=None)
    return replace(value, view=view)


def _sliced(state: State, node: Node, args: Args) -> Tensor | Exact:
    """Input 0 as a tensor, of which parts can be read."""
    value = argument(args, 0)
    if isinstance(value, Exact) or (isinstance(value, Tensor) and not value.real):
        return value
    return activation(state, node, args)


def _taken(view: View, axis: int, indices: Array) -> View:
    if not indices.size:
        raise Refusal(f"takes nothing of axis {axis} of {list(view.dims)}")
    return view.taken(axis, indices)


def _numbers(node: Node, args: Args, index: int, key: str) -> Dims | None:
    """A list of numbers: an attribute in old opsets, an input in new ones."""
    listed = node.numbers(key)
    array = constant(node, args, index, key)
    if array is None:
        return listed
    if array.ndim > 1 or array.dtype.kind != "i" or array.size > _LARGEST_LIST:
        raise Refusal(f"{key} must be a list of at most {_LARGEST_LIST} whole numbers")
    return tuple(int(n) for n in array.flat)


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


def _reshaped(state: State, node: Node, args: Args, value: Value, dims: Dims) -> Value:
    if len(dims) > _LARGEST_RANK:
        raise Refusal(f"makes {len(dims)} dimensions: at most {_LARGEST_RANK} are accepted")
    match value:
        case Input(pads=pads) if any(map(any, pads)):
            raise Refusal(f"makes {list(dims)} of {list(value.dims)}, which have been padded")
        case Tensor() | Input() | Exact():
            view = value.view.reshaped(dims)
            if view is None:
                if isinstance(value, Tensor | Exact):
                    return hosted(state, node, args, f"would move data, to {list(dims)}")
                raise Refusal(f"makes {list(dims)} of {list(value.dims)}: it would move data")
            if isinstance(value, Exact):
                return replace(value, view=view, biased=None, scaled=None)
            return replace(value, view=view)
        case Scaled():
            return replace(value, array=value.array.reshape(dims), view=node.outputs[0])
        case Constant(array=np.ndarray()):
            assert value.array is not None
            return replace(value, array=value.array.reshape(dims))
        case _:
            return value


def _normal(axes: tuple[int, ...], rank: int) -> set[int]:
    """Axes counted from the front.  Raises Refusal if one is out of range or named twice."""
    found = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(found) != len(axes):
        raise Refusal(f"names axes {list(axes)} of {rank} dimensions")
    return found
