"""Small quantized ONNX models, for tests.

`QdqBuilder` writes QDQ graphs one layer a call; weights come from its seed, and results
get a scale that keeps them within int8.  `random_network` makes whole ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Pair: TypeAlias = tuple[int, int]
Pads: TypeAlias = tuple[int, int, int, int]


class Signal(NamedTuple):
    """A dequantized tensor: its name, ONNX dimensions and position."""

    name: str
    dims: tuple[int, ...]
    pos: int


class QdqBuilder:
    """A QDQ model in the making; every method adds nodes and returns what they make."""

    def __init__(self, seed: int = 0, opset: int = 17):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._count = 0

    # Pieces ----------------------------------------------------------------------------

    def name(self, stem: str) -> str:
        """A new name."""
        self._count += 1
        return f"{stem}_{self._count}"

    def constant(self, value: Array, stem: str = "const") -> str:
        """An initializer."""
        name = self.name(stem)
        self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        output = self.name(op_type.lower())
        self.nodes.append(
            helper.make_node(op_type, list(inputs), [output], f"{output}_node", **attributes)
        )
        return output

    def scale(self, pos: int, stem: str = "scale") -> str:
        """A scale of 2^-pos."""
        return self.constant(np.array(2.0**-pos, np.float32), stem)

    def zero(self, dtype: npt.DTypeLike = np.int8) -> str:
        """A zero point of 0."""
        value: Array = np.zeros((), dtype)
        return self.constant(value, "zero")

    def quantize(self, name: str, dims: Sequence[int], pos: int) -> Signal:
        """QuantizeLinear and DequantizeLinear."""
        scale, zero = self.scale(pos), self.zero()
        quantized = self.node("QuantizeLinear", [name, scale, zero])
        real = self.node("DequantizeLinear", [quantized, scale, zero])
        return Signal(real, tuple(dims), pos)

    def input(self, dims: Sequence[int], pos: int = 4, stem: str = "x") -> Signal:
        """A float input of the graph, quantized."""
        name = self.name(stem)
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims)))
        return self.quantize(name, dims, pos)

    def weight(self, values: Array, pos: int, stem: str = "w") -> str:
        """A dequantized int8 or int32 constant."""
        name = self.constant(values, stem)
        scale, zero = self.scale(pos), self.zero(values.dtype)
        return self.node("DequantizeLinear", [name, scale, zero])

    def ints(
        self, dims: Sequence[int], limit: int = 127, dtype: npt.DTypeLike = np.int8
    ) -> Array:
        """Random whole numbers of at most `limit`."""
        return self.rng.integers(-limit, limit + 1, list(dims)).astype(dtype)

    # Layers ----------------------------------------------------------------------------

    def conv(
        self,
        x: Signal,
        cout: int,
        kernel: Pair = (1, 1),
        strides: Pair = (1, 1),
        pads: Pads = (0, 0, 0, 0),
        dilations: Pair = (1, 1),
        groups: int = 1,
        bias: type | None = np.int32,
        activation: str | None = None,
        **attributes: Any,
    ) -> Signal:
        """A convolution; `bias` is its type, `activation` Relu or Clip before the rounding.

        With `auto_pad` among the attributes, `pads` must be what it comes to.
        """
        cin = x.dims[1] // groups
        names = [x.name, self.weight(self.ints((cout, cin, *kernel)), 7)]
        spread = round(math.log2(80 * math.sqrt(cin * math.prod(kernel))))
        pos = x.pos + 7 - spread
        if bias is np.int32:
            names.append(self.weight(self.ints((cout,), 9000, np.int32), x.pos + 7, "b"))
        elif bias is not None:
            names.append(self.weight(self.ints((cout,)), pos + 1, "b"))
        if "auto_pad" not in attributes:
            attributes["pads"] = list(pads)
        y = self.node(
            "Conv",
            names,
            strides=list(strides),
            dilations=list(dilations),
            group=groups,
            **attributes,
        )
        dims = (1, cout, *windowed(x.dims, kernel, strides, pads, dilations))
        return self.quantize(self.activation(y, activation, pos), dims, pos)

    def conv_transpose(
        self,
        x: Signal,
        cout: int,
        kernel: Pair = (3, 3),
        size: Pair | None = None,
        groups: int = 1,
        bias: bool = True,
        activation: str | None = None,
        **attributes: Any,
    ) -> Signal:
        """A transposed convolution; what it makes has `size`, where that is needed later."""
        cin = x.dims[1]
        names = [x.name, self.weight(self.ints((cin, cout // groups, *kernel)), 7)]
        pos = x.pos + 7 - round(math.log2(80 * math.sqrt(cin // groups * math.prod(kernel))))
        if bias:
            names.append(self.weight(self.ints((cout,), 9000, np.int32), x.pos + 7, "b"))
        y = self.node("ConvTranspose", names, group=groups, **attributes)
        return self.quantize(
            self.activation(y, activation, pos), (1, cout, *(size or (0, 0))), pos
        )

    def activation(self, name: str, kind: str | None, pos: int) -> str:
        """Relu, Clip with bounds that no int8 hits exactly, or nothing."""
        if kind is None:
            return name
        if kind == "Relu":
            return self.node("Relu", [name])
        bounds = (-40.5 * 2.0**-pos, 61.3 * 2.0**-pos)
        limits = [self.constant(np.array(bound, np.float32), "limit") for bound in bounds]
        return self.node("Clip", [name, *limits])

    def unary(self, op_type: str, x: Signal, pos: int | None = None, **attrs: Any) -> Signal:
        """An operator that keeps the shape, rounded to `pos`."""
        y = self.node(op_type, [x.name], **attrs)
        return self.quantize(y, x.dims, x.pos if pos is None else pos)

    def binary(
        self, op_type: str, a: Signal, b: Signal, activation: str | None = None
    ) -> Signal:
        """Add or Mul."""
        pos = min(a.pos, b.pos) - 1 if op_type == "Add" else a.pos + b.pos - 7
        y = self.activation(self.node(op_type, [a.name, b.name]), activation, pos)
        return self.quantize(y, a.dims, pos)

    def pool(
        self,
        op_type: str,
        x: Signal,
        kernel: Pair,
        strides: Pair = (1, 1),
        pads: Pads = (0, 0, 0, 0),
        pos: int | None = None,
        **attributes: Any,
    ) -> Signal:
        """MaxPool or AveragePool."""
        y = self.node(
            op_type,
            [x.name],
            kernel_shape=list(kernel),
            strides=list(strides),
            pads=list(pads),
            **attributes,
        )
        dims = (1, x.dims[1], *windowed(x.dims, kernel, strides, pads))
        return self.quantize(y, dims, x.pos if pos is None else pos)

    def global_pool(self, x: Signal) -> Signal:
        """GlobalAveragePool, with two more bits."""
        y = self.node("GlobalAveragePool", [x.name])
        return self.quantize(y, (1, x.dims[1], 1, 1), x.pos + 2)

    def concat(self, parts: Sequence[Signal], pos: int | None = None) -> Signal:
        """Concat along the channels."""
        y = self.node("Concat", [part.name for part in parts], axis=1)
        dims = (1, sum(part.dims[1] for part in parts), *parts[0].dims[2:])
        return self.quantize(y, dims, min(p.pos for p in parts) if pos is None else pos)

    def flatten(self, x: Signal, rounded: bool = False) -> Signal:
        """Flatten, with or without a QuantizeLinear of its own."""
        y = self.node("Flatten", [x.name])
        dims = (1, math.prod(x.dims))
        return self.quantize(y, dims, x.pos) if rounded else Signal(y, dims, x.pos)

    def gemm(self, x: Signal, count: int, transposed: bool = True) -> Signal:
        """A fully connected layer with an int32 bias."""
        size = x.dims[1]
        values = self.ints((count, size) if transposed else (size, count))
        w = self.weight(values, 7)
        b = self.weight(self.ints((count,), 9000, np.int32), x.pos + 7, "b")
        y = self.node("Gemm", [x.name, w, b], transB=int(transposed))
        pos = x.pos + 7 - round(math.log2(80 * math.sqrt(size)))
        return self.quantize(y, (1, count), pos)

    # Models ----------------------------------------------------------------------------

    def model(self, *outputs: Signal | str, name: str = "small") -> onnx.ModelProto:
        """The model that computes `outputs`."""
        names = [out if isinstance(out, str) else out.name for out in outputs]
        graph = helper.make_graph(
            self.nodes,
            name,
            self.inputs,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names],
            list(self.initializers.values()),
        )
        return helper.make_model(
            graph, ir_version=8, opset_imports=[helper.make_opsetid("", self.opset)]
        )


def random_pool(b: QdqBuilder, x: Signal, kernel: Pair, strides: Pair, pads: Pads) -> Signal:
    """A pool with a window, or a relu where it does not fit; onnxruntime wants less padding
    than kernel."""
    top, left, bottom, right = (min(p, k - 1) for p, k in zip(pads, kernel * 2, strict=True))
    pads = (top, left, bottom, right)
    if min(windowed(x.dims, kernel, strides, pads)) < 1:
        return b.unary("Relu", x)
    if b.rng.random() < 0.5:
        return b.pool("MaxPool", x, kernel, strides, pads)
    include = int(b.rng.random() < 0.5)
    return b.pool("AveragePool", x, kernel, strides, pads, count_include_pad=include)


def windowed(
    dims: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
) -> Pair:
    """Rows and columns of a window over NCHW `dims`; 0 or less where none fits."""
    rows, cols = (
        (dims[2 + i] + pads[i] + pads[2 + i] - (kernel[i] - 1) * dilations[i] - 1) // strides[i]
        + 1
        for i in range(2)
    )
    return rows, cols


def random_input(model: onnx.ModelProto, seed: int = 0) -> dict[str, Array]:
    """Values for the inputs of `model`, over all of int8 and a little beyond."""
    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    constants.update(node.output[0] for node in model.graph.node if not node.input)
    feeds: dict[str, Array] = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.elem_type == TensorProto.INT8:
            feeds[value.name] = rng.integers(-128, 128, dims).astype(np.int8)
        else:
            feeds[value.name] = np.asarray(rng.standard_normal(dims) * 4, np.float32)
    return feeds


def random_network(seed: int, layers: int = 6) -> onnx.ModelProto:
    """A network of `layers` random layers over sizes 1 to 20, and an end chosen at random."""
    b = QdqBuilder(seed, opset=int(np.random.default_rng(seed).choice([13, 17, 21])))
    channels, rows, cols = (int(n) for n in b.rng.integers(1, 21, 3))
    signals = [b.input((1, channels, rows, cols))]
    for _ in range(layers):
        signals.append(_random_layer(b, signals))
    last = signals[-1]
    match int(b.rng.integers(0, 4)):
        case 0:
            return b.model(last)
        case 1:
            return b.model(b.gemm(b.flatten(last), int(b.rng.integers(1, 20))))
        case 2:
            pooled = b.flatten(b.global_pool(last), rounded=True)
            classes = b.gemm(pooled, int(b.rng.integers(1, 20)), transposed=False)
            return b.model(b.node("Softmax", [classes.name], axis=-1), last)
        case _:
            return b.model(b.node("Identity", [last.name]))


def _random_layer(b: QdqBuilder, signals: Sequence[Signal]) -> Signal:
    x = signals[int(b.rng.integers(max(0, len(signals) - 2), len(signals)))]
    alike = [signal for signal in signals if signal.dims[2:] == x.dims[2:]]
    same = [signal for signal in alike if signal.dims == x.dims]
    activation = [None, "Relu", "Clip"][int(b.rng.integers(0, 3))]
    match int(b.rng.integers(0, 8)):
        case 0:
            return b.binary("Add", x, same[int(b.rng.integers(0, len(same)))], activation)
        case 1:
            return b.concat([x, alike[int(b.rng.integers(0, len(alike)))]])
        case 2:
            return b.unary("Relu", x, x.pos + int(b.rng.integers(-1, 2)))
        case 3:
            op_type = ["MaxPool", "AveragePool"][int(b.rng.integers(0, 2))]
            kernel, strides, pads, _ = _random_window(b, x, dilated=False)
            pads = (*(min(p, k - 1) for p, k in zip(pads, kernel * 2, strict=True)),)
            if min(windowed(x.dims, kernel, strides, pads)) > 0:
                return b.pool(op_type, x, kernel, strides, pads)  # pyright: ignore
            return b.unary("Relu", x)
        case _:
            return _random_conv(b, x, activation)


def _random_window(b: QdqBuilder, x: Signal, dilated: bool) -> tuple[Pair, Pair, Pads, Pair]:
    """Kernel, strides, pads and dilations that leave an output."""
    while True:
        kernel, strides, dilations = (
            (int(b.rng.integers(1, most)), int(b.rng.integers(1, most))) for most in (6, 4, 3)
        )
        top, left, bottom, right = (int(n) for n in b.rng.integers(0, 3, 4))
        pads = (top, left, bottom, right)
        if not dilated:
            dilations = (1, 1)
        if min(windowed(x.dims, kernel, strides, pads, dilations)) > 0:
            return kernel, strides, pads, dilations


def _random_conv(b: QdqBuilder, x: Signal, activation: str | None) -> Signal:
    cin = x.dims[1]
    divisors = [g for g in range(1, cin + 1) if cin % g == 0]
    groups = int(b.rng.choice(divisors)) if b.rng.random() < 0.4 else 1
    cout = groups * int(b.rng.integers(1, max(2, 20 // groups + 1)))
    kernel, strides, pads, dilations = _random_window(b, x, dilated=True)
    bias = [np.int32, np.int8, None][int(b.rng.integers(0, 3))]
    return b.conv(x, cout, kernel, strides, pads, dilations, groups, bias, activation)


def scrambled(model: onnx.ModelProto, seed: int = 0) -> onnx.ModelProto:
    """The same model as careless producers write it: nodes in any order and unnamed,
    initializers among the inputs, constants as nodes, scales of shape [1], unused domains.
    """
    rng = np.random.default_rng(seed)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    graph.ClearField("node")
    graph.ClearField("initializer")
    nodes: list[onnx.NodeProto] = list(model.graph.node)
    for tensor in model.graph.initializer:
        if "scale" in tensor.name and rng.random() < 0.5:
            tensor = numpy_helper.from_array(
                numpy_helper.to_array(tensor).reshape(1), tensor.name
            )
        if rng.random() < 0.3:
            nodes.append(helper.make_node("Constant", [], [tensor.name], value=tensor))
            continue
        graph.initializer.append(tensor)
        if rng.random() < 0.3:
            listed = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(listed)
    order: list[int] = rng.permutation(len(nodes)).tolist()
    for i in order:
        graph.node.append(nodes[i])
        if rng.random() < 0.7:
            graph.node[-1].ClearField("name")
    result.opset_import.extend([helper.make_opsetid("com.unused", 7)])
    return result
