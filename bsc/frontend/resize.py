"""Resize to the nearest pixel, where each pixel becomes a block of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.frontend.builder import check_size
from bsc.frontend.graph import Dims, Node
from bsc.frontend.host import hosted
from bsc.frontend.moves import feature_map
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import Args, State, activation, constant, imports
from bsc.frontend.values import Exact, Tensor, Value
from bsc.frontend.views import NCHW, View


@dataclass(frozen=True)
class Enlarge:
    """Makes the operation in which each pixel of `x` stands for so many rows and columns."""

    x: Tensor
    factors: tuple[int, int]

    def __call__(self, type: TensorType, epilogue: EpilogueAttr | None) -> qnn.ResizeOp:
        return qnn.ResizeOp(self.x.value, self.factors, type, epilogue)


@imports("Resize")
def resize(state: State, node: Node, args: Args) -> Value:
    """Every pixel becomes a block of pixels, in all the ways that ONNX has to say so.  The host
    does what is something else."""
    x = activation(state, node, args)
    order = x.view.order()
    try:
        if order is None:
            x, order = feature_map(state, x), NCHW
        factors = _factors(node, args, x, order)
    except Refusal as e:
        return hosted(state, node, args, str(e))
    _, h, w, c = x.shape
    shape = (1, h * factors[0], w * factors[1], c)
    state.reasons[node.index] = "qnn.resize"
    return Exact(node, View.natural(shape, order), Enlarge(x, factors), whole=x.pos)


def enlarged_of(value: Value | None) -> Tensor | None:
    """What a value is an enlargement of, if it is one that has not been rounded yet."""
    make: object = value.make if isinstance(value, Exact) else None
    return make.x if isinstance(make, Enlarge) else None


def _factors(node: Node, args: Args, x: Tensor, order: Dims) -> tuple[int, int]:
    """How many rows and columns a pixel stands for.  Raises Refusal, in words that follow the
    operator's name."""
    if (mode := node.word("mode", "nearest")) != "nearest":
        raise Refusal(f"has mode {mode!r}: 'nearest' is accepted")
    if node.attributes.get("axes") is not None:
        raise Refusal("has axes: sizes or scales of all axes are accepted")
    sizes = _sizes(node, args, x)
    check_size(sizes)
    factors = [1, 1, 1, 1]
    for i, after in enumerate(sizes):
        before = x.dims[i]
        if after % before or (after != before and order[i] not in (1, 2)):
            raise _not_whole(x, after, i)
        _check_nearest(node, before, after)
        factors[order[i]] = after // before
    return factors[1], factors[2]


def _sizes(node: Node, args: Args, x: Tensor) -> Dims:
    """The dimensions of the result."""
    # Up to opset 10 the scales come second.
    scales = constant(node, args, 1 if len(node.inputs) == 2 else 2, "scales")
    sizes = constant(node, args, 3, "sizes")
    given = sizes if sizes is not None and sizes.size else scales
    if given is None or given.shape != (len(x.dims),):
        raise Refusal(f"has no sizes and no scales for the {len(x.dims)} axes of its input")
    numbers = [float(n) for n in given.tolist()]
    if not all(n.is_integer() and n >= 1 for n in numbers):
        raise Refusal(
            f"has sizes or scales {numbers}: whole numbers of at least 1 are accepted"
        )
    if given is sizes:
        return tuple(int(n) for n in numbers)
    return tuple(m * int(n) for m, n in zip(x.dims, numbers, strict=True))


def _not_whole(x: Tensor, after: int, axis: int) -> Refusal:
    return Refusal(
        f"makes {after} of the {x.dims[axis]} elements of axis {axis} of {list(x.dims)}: whole "
        "multiples of rows and columns are accepted"
    )


def _check_nearest(node: Node, before: int, after: int) -> None:
    """Raises Refusal if any output has another input than the one whose block it is in."""
    how = node.word("coordinate_transformation_mode", "half_pixel")
    rounding = node.word("nearest_mode", "round_prefer_floor")
    factor = after // before
    for i in range(after):
        place = _place(how, i, before, after)
        if min(max(_rounded(rounding, place), 0), before - 1) != i // factor:
            raise Refusal(
                f"takes the nearest pixel by {how} and {rounding}, which are not blocks of "
                f"{factor}: asymmetric and floor are accepted"
            )


def _place(how: str, i: int, before: int, after: int) -> Fraction:
    """Where output i lies among the inputs."""
    match how:
        case "asymmetric":
            return Fraction(i * before, after)
        case "half_pixel" | "half_pixel_symmetric" | "pytorch_half_pixel":
            return (i + Fraction(1, 2)) * before / after - Fraction(1, 2)
        case "align_corners":
            return Fraction(i * (before - 1), max(after - 1, 1))
        case _:
            raise Refusal(f"has coordinate_transformation_mode {how!r}: asymmetric is accepted")


def _rounded(rounding: str, place: Fraction) -> int:
    match rounding:
        case "floor":
            return math.floor(place)
        case "ceil":
            return math.ceil(place)
        case "round_prefer_floor":
            return math.ceil(place - Fraction(1, 2))
        case "round_prefer_ceil":
            return math.floor(place + Fraction(1, 2))
        case _:
            raise Refusal(f"has nearest_mode {rounding!r}: floor is accepted")
