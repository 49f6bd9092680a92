"""ConvTranspose: each pixel of the input, times the kernel, added to the output.

Along each axis output o gets x[i] * w[k] where o = i * stride + k * dilation - pad.  So the
outputs of one *phase*, o = a, a + stride, a + 2 * stride, …, get the same taps k, and from one
of them to the next i goes up by one: that is an ordinary convolution with some of the taps, in
reverse order.  There are stride * stride such convolutions, which together have the taps of the
kernel, each once, and whose results take turns (`qnn.interleave`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr, position_of
from bsc.dialects.qnn_base import Shape
from bsc.frontend.builder import check_size
from bsc.frontend.graph import Node
from bsc.frontend.linear import Product, check_bias
from bsc.frontend.moves import feature_map
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import Args, State, activation, argument, imports, weight
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Scaled, Value, Weights
from bsc.frontend.views import View
from bsc.frontend.windows import listed
from bsc.geometry import Axis, Window, ceil_div

_MOST_PHASES = 2**8
_LARGEST_KERNEL = 2**8
_LARGEST_WEIGHT = 2**24


class Spread(NamedTuple):
    """How one axis of `size` elements is spread over `out` of them: `pad` are those that are
    cut off in front."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    pad: int


class Phase(NamedTuple):
    """A convolution of stride 1 along one axis, with the tap of the kernel that each of its own
    taps is; None for one that is zero."""

    axis: Axis
    taps: tuple[int | None, ...]


def phases_of(spread: Spread) -> list[Phase]:
    """The convolutions that make the outputs 0, 1, … and every so many-th behind them."""
    size, out, kernel, stride, dilation, pad = spread
    count = min(stride, out)
    found: list[Phase] = []
    for first in range(count):
        # Where the input that a tap is multiplied by lies, from the output's own number on.
        places = {
            (first + pad - k * dilation) // stride: k
            for k in range(kernel)
            if (first + pad - k * dilation) % stride == 0
        } or {0: None}
        lo, hi = min(places), max(places)
        step = dilation // math.gcd(dilation, stride) if len(places) > 1 else 1
        last = ceil_div(out - first, count) - 1
        # Padding is not negative: zeros reach to where the input begins and ends.
        lo -= ceil_div(max(lo, 0), step) * step
        hi += ceil_div(max(size - 1 - last - hi, 0), step) * step
        taps = tuple(places.get(at) for at in range(lo, hi + 1, step))
        axis = Axis(len(taps), 1, step, -lo, last + hi - (size - 1))
        found.append(Phase(axis, taps))
    return found


@imports("ConvTranspose")
def conv_transpose(state: State, node: Node, args: Args) -> Value:
    """A transposed convolution over two dimensions, in any number of groups."""
    w = weight(node, args, 1, "weight")
    if w.array.dtype != np.int8:
        raise Refusal(f"weight {quoted(w.name)} is {w.array.dtype}: int8 is accepted")
    if len(w.dims) != 4 or min(w.dims) < 1:
        raise Refusal(
            f"weight {quoted(w.name)} has shape {list(w.dims)}: four dimensions are accepted"
        )
    cin, group_cout, kh, kw = w.dims
    groups = node.number("group", 1)
    x = feature_map(state, activation(state, node, args))
    _, rows, cols, channels = x.shape
    if groups < 1 or cin % groups or cin != channels:
        raise Refusal(
            f"weight {quoted(w.name)} of shape {list(w.dims)} in {groups} groups does not fit "
            f"an input of {channels} channels"
        )
    h, width = _spreads(node, (kh, kw), (rows, cols))
    # (group, CIN of a group, COUT of a group, KH, KW) -> (COUT, KH, KW, CIN of a group)
    array = w.array.reshape(groups, cin // groups, group_cout, kh, kw)
    values = array.transpose(0, 2, 3, 4, 1).reshape(groups * group_cout, kh, kw, cin // groups)
    products = tuple(
        _product(Product(state, node, x, w, "", values, Window(), groups), along_h, along_w)
        for along_h in phases_of(h)
        for along_w in phases_of(width)
    )
    bias = None
    if argument(args, 2) is not None:
        bias = weight(node, args, 2, "bias")
        if bias.dims != (len(values),):
            raise Refusal(
                f"bias {quoted(bias.name)} has shape {list(bias.dims)}: [{len(values)}] is "
                "needed"
            )
    factor = (min(h.stride, h.out), min(width.stride, width.out))
    state.reasons[node.index] = f"qnn.conv2d, one for each of {len(products)} phases"
    return Phases(state, node, products, factor, (h.out, width.out), values).exact(bias)


def _spreads(
    node: Node, kernel: tuple[int, int], size: tuple[int, int]
) -> tuple[Spread, Spread]:
    """How rows and columns are spread, from all the ways that ONNX has to say it."""
    given = node.numbers("kernel_shape")
    if given is not None and given != kernel:
        raise Refusal(f"attribute kernel_shape is {list(given)}, its weight has {list(kernel)}")
    strides = listed(node, "strides", 1, (1, 1))
    dilations = listed(node, "dilations", 1, (1, 1))
    more = listed(node, "output_padding", 0, (0, 0))
    if any(m >= s for m, s in zip(more, strides, strict=True)):
        raise Refusal(
            f"attribute output_padding is {list(more)} with strides {list(strides)}: less than "
            "the strides is accepted"
        )
    # As large as can be: nothing is cut off.
    full = [
        (n - 1) * s + (k - 1) * d + 1 + m
        for n, k, s, d, m in zip(size, kernel, strides, dilations, more, strict=True)
    ]
    pads = _pads(node, full, [n * s for n, s in zip(size, strides, strict=True)])
    spreads = [
        Spread(n, whole - pads[i] - pads[i + 2], k, s, d, pads[i])
        for i, (n, whole, k, s, d) in enumerate(
            zip(size, full, kernel, strides, dilations, strict=True)
        )
    ]
    check_size(tuple(spread.out for spread in spreads))
    if math.prod(min(spread.stride, spread.out) for spread in spreads) > _MOST_PHASES:
        raise Refusal(
            f"has strides {list(strides)}: at most {_MOST_PHASES} pixels for one are accepted"
        )
    return spreads[0], spreads[1]


def _pads(node: Node, full: Sequence[int], same: Sequence[int]) -> Sequence[int]:
    """What is cut off above, left, below and right of `full` rows and columns; with `auto_pad`
    = SAME that leaves the sizes `same`."""
    mode = node.word("auto_pad", "NOTSET")
    asked = node.numbers("output_shape")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise Refusal(
            f"attribute auto_pad is {mode!r}: NOTSET, VALID, SAME_UPPER and SAME_LOWER are "
            "accepted"
        )
    if asked is None and mode == "NOTSET":
        return listed(node, "pads", 0, (0, 0, 0, 0))
    if asked is None and mode == "VALID":
        return (0, 0, 0, 0)
    sizes = same if asked is None else asked[-2:]
    cut = [whole - n for whole, n in zip(full, sizes, strict=False)]
    if len(sizes) != 2 or min(cut) < 0:
        raise Refusal(
            f"asks for {list(sizes)} rows and columns where it makes {list(full)}: as many, or "
            "fewer, are accepted"
        )
    # An odd one is cut off in front, unless the mode says otherwise.
    before = [n // 2 if mode == "SAME_UPPER" else n - n // 2 for n in cut]
    return (*before, *(n - b for n, b in zip(cut, before, strict=True)))


def _shape_of(product: Product) -> Shape:
    """The shape of what a convolution makes."""
    assert product.window is not None
    _, h, w, _ = product.input.shape
    rows, cols = product.window.h.out_size(h), product.window.w.out_size(w)
    return (1, rows, cols, len(product.values))


def _product(whole: Product, h: Phase, w: Phase) -> Product:
    """The convolution of two phases: some taps of `whole`, which has those of the kernel."""
    cout, _, _, cin = whole.values.shape
    size = cout * len(h.taps) * len(w.taps) * cin
    if max(len(h.taps), len(w.taps)) > _LARGEST_KERNEL or size > max(
        _LARGEST_WEIGHT, whole.values.size
    ):
        raise Refusal(
            "cuts off hundreds of rows or columns: that is far more than its kernel reaches"
        )
    values: Array = np.zeros((cout, len(h.taps), len(w.taps), cin), np.int8)
    for i, kh in enumerate(h.taps):
        for j, kw in enumerate(w.taps):
            if kh is not None and kw is not None:
                values[:, i, j] = whole.values[:, kh, kw]
    return Product(
        whole.state,
        whole.node,
        whole.input,
        whole.weight,
        ("transposed", whole.groups, h.taps, w.taps),
        values,
        Window(h.axis, w.axis),
        whole.groups,
    )


@dataclass(frozen=True)
class Phases:
    """The convolutions that take turns with the pixels of the output, and the kernel `values`
    that they share."""

    state: State
    node: Node
    products: tuple[Product, ...]
    factor: tuple[int, int]
    size: tuple[int, int]
    values: Array

    def exact(self, bias: Scaled | None) -> Exact:
        """The output, plus `bias`.  Raises Refusal if an int32 accumulator can overflow."""
        view = View.natural((1, *self.size, len(self.values)))
        products = self.products
        if bias is not None:
            products = tuple(product.with_bias(bias) for product in products)
        bound = max(product.exact(view, 1).bound for product in products)

        def make(
            type: TensorType, epilogue: EpilogueAttr | None
        ) -> qnn.Conv2dOp | qnn.DenseOp | qnn.InterleaveOp:
            if len(products) == 1:
                return products[0].make(type, epilogue)
            return self._interleaved(products, type, epilogue)

        def biased(bias: Scaled) -> Exact:
            check_bias(bias, view.dims, 1)
            return self.exact(bias)

        first = products[0]
        return Exact(
            self.node,
            view,
            make,
            bound,
            biased=None if bias else biased,
            weights=Weights(self.values, first.weight.pos, first.bias and first.bias.pos),
        )

    def _interleaved(
        self, products: Sequence[Product], type: TensorType, epilogue: EpilogueAttr | None
    ) -> qnn.InterleaveOp:
        pos, name = position_of(type), self.node.outputs[0]
        parts = [
            self.state.builder.add(
                product.make, epilogue, View.natural(_shape_of(product)), "", pos, name
            )
            for product in products
        ]
        return qnn.InterleaveOp([part.value for part in parts], self.factor, type)
