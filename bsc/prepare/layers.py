"""A float graph put together layer by layer, with random weights.

Weights are He-initialised (normal, variance 2 / fan-in), which keeps activations in range
through any depth; batch normalization gets its statistics later, from `batchnorm.measure`.
Nodes and tensors have the name of their layer: the output of a normalization that of its
convolution, which is what both become when folded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bsc.prepare.graph import infer_shapes

Array: TypeAlias = np.ndarray[Any, Any]
Activation: TypeAlias = Literal["Relu", "Relu6"]
Pair: TypeAlias = int | tuple[int, int]
"""Rows and columns; one number is for both."""

OPSET = 17
"""The ONNX opset of the built-in networks."""


def normal(shape: Sequence[int], deviation: float, rng: np.random.Generator) -> Array:
    """float32 numbers around 0."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def weights(shape: Sequence[int], rng: np.random.Generator) -> Array:
    """The weights of a convolution or a Gemm, COUT × CIN × any kernel shape."""
    return normal(shape, math.sqrt(2 / math.prod(shape[1:])), rng)


def batch_norm(channels: int, rng: np.random.Generator) -> list[Array]:
    """Scale, bias, mean and variance; the last two are not measured yet."""
    scale = rng.uniform(0.5, 1.5, channels).astype(np.float32)
    return [scale, normal([channels], 0.2, rng), np.zeros_like(scale), np.ones_like(scale)]


class Layers:
    """A network that grows by a layer with each call; tensors are known by name."""

    def __init__(self, name: str, channels: int, size: int, rng: np.random.Generator) -> None:
        self._name = name
        self._rng = rng
        self._input = helper.make_tensor_value_info(
            "data", TensorProto.FLOAT, [1, channels, size, size]
        )
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._channels = {"data": channels}

    def channels(self, x: str) -> int:
        """How many channels, or features, `x` has."""
        return self._channels[x]

    def conv(
        self,
        x: str,
        name: str,
        cout: int,
        kernel: Pair = 1,
        *,
        stride: int = 1,
        pad: Pair = 0,
        groups: int = 1,
        activation: Activation | None = "Relu",
    ) -> str:
        """A convolution without bias, batch normalization, and an activation."""
        shape = [cout, self._channels[x] // groups, *_pair(kernel)]
        weight = self._constant(f"{name}_w", weights(shape, self._rng))
        attributes: dict[str, Any] = dict(_window(kernel, stride, pad))
        if groups > 1:
            attributes["group"] = groups
        conv = self._node("Conv", [x, weight], name, f"{name}_conv", cout, **attributes)
        values = zip(("s", "b", "rm", "riv"), batch_norm(cout, self._rng), strict=True)
        inputs = [conv, *(self._constant(f"{name}_bn_{key}", value) for key, value in values)]
        self._node("BatchNormalization", inputs, f"{name}_bn", name, cout, epsilon=1e-3)
        if activation is None:
            return name
        return self.relu(name) if activation == "Relu" else self.relu6(name)

    def dense(self, x: str, name: str, features: int) -> str:
        """A fully connected layer with a bias."""
        weight = self._constant(f"{name}_w", weights([features, self._channels[x]], self._rng))
        bias = self._constant(f"{name}_b", normal([features], 0.1, self._rng))
        return self._node("Gemm", [x, weight, bias], name, name, features, transB=1)

    def relu(self, x: str) -> str:
        """What is above 0."""
        return self._same("Relu", x, f"{x}_relu")

    def relu6(self, x: str) -> str:
        """What is above 0, and 6 at most."""
        bounds = [
            self._constant(f"{x}_{name}", np.array(value, np.float32))
            for name, value in (("least", 0), ("most", 6))
        ]
        return self._node("Clip", [x, *bounds], f"{x}_relu6", f"{x}_relu6", self._channels[x])

    def add(self, x: str, y: str, name: str) -> str:
        """The sum, element by element."""
        return self._node("Add", [x, y], name, name, self._channels[x])

    def max_pool(self, x: str, name: str, kernel: int, stride: int) -> str:
        """The maximum under a window without padding."""
        return self._same("MaxPool", x, name, **_window(kernel, stride, 0))

    def avg_pool(self, x: str, name: str, kernel: int, pad: int) -> str:
        """The mean under a window with stride 1, padding counted in as zeros."""
        return self._same(
            "AveragePool", x, name, **_window(kernel, 1, pad), count_include_pad=1
        )

    def mean(self, x: str, name: str) -> str:
        """The mean over the image."""
        return self._same("GlobalAveragePool", x, name)

    def concat(self, inputs: Sequence[str], name: str) -> str:
        """All channels of all inputs, in their order."""
        channels = sum(self._channels[x] for x in inputs)
        return self._node("Concat", list(inputs), name, name, channels, axis=1)

    def flatten(self, x: str, name: str, pixels: int) -> str:
        """All pixels of an image as features."""
        return self._node("Flatten", [x], name, name, self._channels[x] * pixels)

    def finish(self, x: str) -> onnx.ModelProto:
        """The network that ends with the softmax of `x`."""
        result = self._same("Softmax", x, f"{x}_softmax")
        shape = [1, self._channels[x]]
        output = helper.make_tensor_value_info(result, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self._nodes, self._name, [self._input], [output])
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        while self._constants:  # not held twice
            model.graph.initializer.append(self._constants.pop(0))
        infer_shapes(model)
        return model

    def _same(self, op: str, x: str, name: str, **attributes: Any) -> str:
        """A node that keeps the channels of its input."""
        return self._node(op, [x], name, name, self._channels[x], **attributes)

    def _node(
        self,
        op: str,
        inputs: list[str],
        name: str,
        output: str,
        channels: int,
        **attributes: Any,
    ) -> str:
        self._nodes.append(helper.make_node(op, inputs, [output], name, **attributes))
        self._channels[output] = channels
        return output

    def _constant(self, name: str, value: Array) -> str:
        self._constants.append(numpy_helper.from_array(value, name))
        return name


def _pair(extent: Pair) -> tuple[int, int]:
    return (extent, extent) if isinstance(extent, int) else extent


def _window(kernel: Pair, stride: int, pad: Pair) -> dict[str, tuple[int, ...]]:
    """The attributes of a window, padded alike on opposite sides."""
    return {
        "kernel_shape": _pair(kernel),
        "strides": (stride, stride),
        "pads": _pair(pad) * 2,
    }
