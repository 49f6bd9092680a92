"""Convolutions and fully connected layers, and the weights that they read.

ONNX has weights as COUT x CIN x KH x KW, ours are COUT x KH x KW x CIN.  A fully connected
layer reads the elements of its input in the order in which ONNX sees them; its columns are
reordered so that the input stays as it lies.  So are those of a convolution for another order
of its channels, with zeros for channels that it does not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import TensorType

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.frontend.graph import Dims, Node
from bsc.frontend.moves import feature_map, would_move
from bsc.frontend.pads import padded_input
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.registry import (
    Args,
    State,
    activation,
    argument,
    imports,
    weight,
)
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Scaled, Tensor, Value, Weights
from bsc.frontend.views import NCHW, NHWC, View
from bsc.frontend.windows import Pads, window_of
from bsc.geometry import Window
from bsc.mapped import give_back
from bsc.numerics import INT32_LIMIT, accumulator_bound

_MOST_UNREAD = 8
"""How many times as many elements as it reads a weight may have, zeros for all others."""


@dataclass(frozen=True)
class Product:
    """Weights times activations, plus a bias perhaps: a convolution or a dense layer.

    `layout` says how `values`, COUT x KH x KW x CIN, were made of the constant `weight`.
    """

    state: State
    node: Node
    input: Tensor
    weight: Scaled
    layout: object
    values: Array
    window: Window | None = None
    groups: int = 1
    bias: Scaled | None = None

    @property
    def pos(self) -> int:
        """The position of the products."""
        return self.input.pos + self.weight.pos

    def with_bias(self, bias: Scaled) -> Product:
        """The same plus `bias`, one value or one for each output channel."""
        full = np.broadcast_to(bias.array.reshape(-1), (len(self.values),))
        # Zeros have any scale; that of the products costs nothing.
        pos = bias.pos if full.any() else self.pos
        return replace(self, bias=replace(bias, array=full, pos=pos))

    def bound(self) -> int:
        """The largest magnitude that any input can give the accumulator, as an integer at
        the larger of the positions of products and bias."""
        if self.bias is None:
            return accumulator_bound(self.values)
        # 32 places are enough to see an overflow.
        shift = min(max(self.pos - self.bias.pos, -32), 32)
        bias = self.bias.array.astype(np.int64)
        if shift >= 0:
            return accumulator_bound(self.values, bias << shift)
        return (accumulator_bound(self.values) << -shift) + int(np.abs(bias).max())

    def exact(self, view: View, axis: int) -> Exact:
        """The product as ONNX views it, with COUT on `axis`.

        Raises Refusal if an int32 accumulator can overflow.
        """
        bound = self.bound()
        give_back(self.values)
        if bound >= INT32_LIMIT:
            raise Refusal(
                f"the accumulator can reach {bound} with weight {quoted(self.weight.name)}: "
                f"less than 2^31 = {INT32_LIMIT} is accepted"
            )

        def biased(bias: Scaled) -> Exact:
            check_bias(bias, view.dims, axis)
            return self.with_bias(bias).exact(view, axis)

        return Exact(
            self.node,
            view,
            self.make,
            bound,
            biased=None if self.bias else biased,
            weights=Weights(self.values, self.weight.pos, self.bias and self.bias.pos),
        )

    def make(
        self, type: TensorType, epilogue: EpilogueAttr | None
    ) -> qnn.Conv2dOp | qnn.DenseOp:
        """The operation, with its weight before it."""
        w, bias = self.weight, self.bias
        key = (w.name, w.view, w.pos, self.layout, bias and (bias.name, bias.view, bias.pos))
        value = self.state.builder.weight(
            key, w.name, self.values, w.pos, None if bias is None else (bias.array, bias.pos)
        )
        if self.window is None:
            return qnn.DenseOp(self.input.value, value, type, epilogue=epilogue)
        return qnn.Conv2dOp(
            self.input.value, value, type, self.window, self.groups, epilogue=epilogue
        )


def check_bias(bias: Scaled, dims: Dims, axis: int) -> None:
    """Raises Refusal unless adding `bias` to ONNX `dims` adds one value to each channel on
    `axis`, or one to all."""
    wide = (1,) * (len(dims) - len(bias.dims)) + bias.dims
    accepted = [(1, n) if i == axis else (1,) for i, n in enumerate(dims)]
    if len(wide) > len(dims) or any(n not in ns for n, ns in zip(wide, accepted, strict=True)):
        raise Refusal(
            f"adds constant {quoted(bias.name)} of shape {list(bias.dims)} to {list(dims)}: "
            "one value for each output channel is accepted"
        )


@imports("Conv")
def conv(state: State, node: Node, args: Args) -> Value:
    """A convolution over two dimensions, in any number of groups."""
    w = _int8_weight(node, args)
    if len(w.dims) != 4:
        raise Refusal(
            f"weight {quoted(w.name)} has shape {list(w.dims)}: four dimensions are accepted"
        )
    cout, group_cin, kh, kw = w.dims
    if min(w.dims) < 1:
        raise Refusal(f"weight {quoted(w.name)} has shape {list(w.dims)}: it is empty")
    kernel = node.numbers("kernel_shape")
    if kernel is not None and kernel != (kh, kw):
        raise Refusal(
            f"attribute kernel_shape is {list(kernel)}, weight {quoted(w.name)} has {[kh, kw]}"
        )
    groups = node.number("group", 1)
    x, pads, channels = _conv_input(state, node, args, groups)
    _, h, width, _ = x.shape
    cin = len(channels)
    if groups < 1 or cin % groups or cout % groups or group_cin * groups != cin:
        raise Refusal(
            f"weight {quoted(w.name)} of shape {list(w.dims)} in {groups} groups does not fit "
            f"an input of {cin} channels"
        )
    window = window_of(node, (kh, kw), h, width, pads)
    values = w.array.transpose(0, 2, 3, 1)
    layout: object = "conv"
    if not np.array_equal(channels, np.arange(x.shape[3])):
        values = _spread(values, channels, x.shape[3])
        layout = ("conv", x.shape[3], channels.tobytes())
    product = Product(state, node, x, w, layout, values, window, groups)
    if argument(args, 2) is not None:
        bias = weight(node, args, 2, "bias")
        if bias.dims != (cout,):
            raise Refusal(
                f"bias {quoted(bias.name)} has shape {list(bias.dims)}: [{cout}] is needed"
            )
        product = product.with_bias(bias)
    rows, cols = window.h.out_size(h), window.w.out_size(width)
    return product.exact(View.natural((1, rows, cols, cout)), 1)


def _conv_input(
    state: State, node: Node, args: Args, groups: int
) -> tuple[Tensor, Pads, Array]:
    """What a convolution reads, the zeros around it, and its channels in ONNX's order.

    Without groups some channels of a value, or another order, are a matter of the weights.
    """
    x, pads = padded_input(state, node, args)
    region = x.view.region()
    if groups == 1 and region is not None:
        _, h, w, c = x.shape
        rows, cols, channels = region
        whole = np.array_equal(rows, np.arange(h)) and np.array_equal(cols, np.arange(w))
        few = c > _MOST_UNREAD * len(channels)
        rising = bool((np.diff(channels) > 0).all())
        if whole and not few and (rising or len(np.unique(channels)) == len(channels)):
            return x, pads, channels
    x = feature_map(state, x)
    return x, pads, np.arange(x.shape[3])


def _spread(values: Array, channels: Array, count: int) -> Array:
    """A weight for some of `count` channels, with zeros for the others."""
    full: Array = np.zeros((*values.shape[:3], count), np.int8)
    full[..., channels] = values
    return full


def scaled_channels(
    state: State, node: Node, x: Tensor, factor: Scaled | int, summand: Scaled | None
) -> Exact:
    """x * factor + summand, with one number each, or one for each channel: a depthwise
    convolution of a single tap.  Normalization that was left standing is that."""
    w = (
        factor
        if isinstance(factor, Scaled)
        else Scaled("ones", np.full((), factor, np.int8), 0)
    )
    if w.array.dtype != np.int8:
        raise Refusal(f"constant {quoted(w.name)} is {w.array.dtype}: int8 is accepted")
    channels = x.shape[3]
    values = of_channels(w, x).reshape(channels, 1, 1, 1)
    product = Product(state, node, x, w, ("channels", x.view.key), values, Window(), channels)
    if summand is not None:
        bias = replace(summand, array=of_channels(summand, x))
        product = product.with_bias(bias)
    return product.exact(x.view, -1)


def of_channels(constant: Scaled, x: Tensor) -> Array:
    """A constant as one number for each channel of the value of `x`.

    Raises Refusal if it is broadcast otherwise, or makes the tensor larger.
    """
    dims, view = constant.dims, x.view
    wide = (1,) * (len(x.dims) - len(dims)) + dims
    found = [axis for axis, n in enumerate(wide) if n > 1]
    if len(wide) == len(x.dims) and not found:
        return np.full(x.shape[3], constant.array.reshape(-1)[0])
    steps = view.channels(found[0]) if len(found) == 1 and len(wide) == len(x.dims) else None
    if steps is None or len(steps) != wide[found[0]]:
        raise Refusal(
            f"reads constant {quoted(constant.name)} of shape {list(dims)} beside "
            f"{list(x.dims)}: one number, or one for each channel, is accepted"
        )
    ordered: Array = np.empty(x.shape[3], constant.array.dtype)
    ordered[steps] = constant.array.reshape(-1)
    return ordered


@imports("Gemm")
def gemm(state: State, node: Node, args: Args) -> Value:
    """A·B + C with constant B and C, and factors of 1."""
    x = activation(state, node, args)
    factors = {"alpha": node.real("alpha", 1.0), "beta": node.real("beta", 1.0)}
    for key, factor in factors.items():
        if factor != 1 and (key == "alpha" or argument(args, 2) is not None):
            raise Refusal(f"attribute {key} is {factor:g}: 1 is accepted")
    if node.number("transA", 0):
        raise Refusal("attribute transA is 1: 0 is accepted")
    if len(x.dims) != 2:
        raise Refusal(f"reads an input of shape {list(x.dims)}: two dimensions are accepted")
    transposed = bool(node.number("transB", 0))
    product = _dense(state, node, x, _int8_weight(node, args), transposed)
    view = View.row((1, 1, 1, len(product.values)))
    if argument(args, 2) is not None:
        bias = weight(node, args, 2, "bias")
        check_bias(bias, view.dims, 1)
        product = product.with_bias(bias)
    return product.exact(view, 1)


@imports("MatMul")
def matmul(state: State, node: Node, args: Args) -> Value:
    """One row of activations times a constant matrix."""
    x = activation(state, node, args)
    product = _dense(state, node, x, _int8_weight(node, args), transposed=False)
    count = len(product.values)
    view = View.row((1, 1, 1, count)).reshaped((*x.dims[:-1], count))
    assert view is not None
    return product.exact(view, len(x.dims) - 1)


def _dense(state: State, node: Node, x: Tensor, w: Scaled, transposed: bool) -> Product:
    """x, flattened, times a matrix of K x N, or N x K if `transposed`."""
    _, h, width, c = x.shape
    size = math.prod(x.dims)
    if not x.dims or x.dims[-1] != size:
        raise Refusal(f"reads an input of shape {list(x.dims)}: a single row is accepted")
    if len(w.dims) != 2 or w.dims[transposed] != size or not w.array.size:
        wanted = ["N", size] if transposed else [size, "N"]
        raise Refusal(
            f"weight {quoted(w.name)} has shape {list(w.dims)}: "
            f"{' x '.join(map(str, wanted))} is needed for an input of {list(x.dims)}"
        )
    if h * width * c > _MOST_UNREAD * size:
        raise would_move(x)
    rows = w.array if transposed else w.array.T
    layout = ("dense", transposed, x.view.key)
    return Product(state, node, x, w, layout, _as_the_input_lies(rows, x))


def _as_the_input_lies(rows: Array, x: Tensor) -> Array:
    """N x K weights of the elements of `x` as N x H x W x C."""
    _, h, width, c = x.shape
    for order in (NHWC, NCHW):
        natural = View.natural(x.shape, order)
        read = natural.reshaped(x.dims) if len(x.view.offsets[-1]) == h * width * c else None
        if read is not None and x.view.same(read):
            # The usual ways, without a detour for what may be hundreds of megabytes.
            nhwc = np.argsort(order)
            return rows.reshape(-1, *natural.dims[1:]).transpose(nhwc)
    values: Array = np.zeros((len(rows), h * width * c), np.int8)
    values[:, x.view.base + x.view.offsets[-1]] = rows
    return values.reshape(-1, h, width, c)


def _int8_weight(node: Node, args: Args) -> Scaled:
    w = weight(node, args, 1, "weight")
    if w.array.dtype != np.int8:
        raise Refusal(f"weight {quoted(w.name)} is {w.array.dtype}: int8 is accepted")
    return w
