"""A good model and the ways to spoil it, for tests of what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from qdq_models import Array, QdqBuilder

from bsc.errors import BscError
from bsc.frontend import import_onnx


class Net(NamedTuple):
    """A good model, to be spoilt: input, convolution, relu, pool, mean, dense layer."""

    model: onnx.ModelProto

    @staticmethod
    def make() -> Net:
        b = QdqBuilder()
        x = b.conv(b.input((1, 4, 8, 8)), 4, (3, 3), activation="Relu")
        x = b.pool("MaxPool", x, (2, 2))
        x = b.binary("Add", x, x)
        return Net(b.model(b.gemm(b.flatten(b.global_pool(x)), 5)))

    def node(self, op_type: str, index: int = 0) -> onnx.NodeProto:
        return [n for n in self.model.graph.node if n.op_type == op_type][index]

    def tensor(self, name: str) -> onnx.TensorProto:
        return next(t for t in self.model.graph.initializer if t.name == name)

    def set(self, name: str, value: Array) -> None:
        self.tensor(name).CopyFrom(numpy_helper.from_array(value, name))

    def maker(self, name: str) -> onnx.NodeProto:
        return next(n for n in self.model.graph.node if name in n.output)

    def weight(self, op_type: str = "Conv", index: int = 1) -> onnx.TensorProto:
        """The int8 weight, or the bias, of the first operator of a type."""
        return self.tensor(self.maker(self.node(op_type).input[index]).input[0])

    def attribute(self, op_type: str, **values: Any) -> None:
        node = self.node(op_type)
        kept = [a for a in node.attribute if a.name not in values]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in values.items())

    @property
    def scale(self) -> str:
        """The scale of the convolution's result."""
        return self.node("QuantizeLinear", 1).input[1]


def number(value: float, dtype: str = "f4") -> Array:
    return np.array(value, dtype)


Edit: TypeAlias = Callable[[Net], object]


class Cases(dict[str, tuple[Edit, str]]):
    """Edits that spoil the model, each with a pattern of the one line that tells it."""

    def refused(self, expected: str) -> Callable[[Edit], Edit]:
        """The edit makes a model that is refused in one line, which matches `expected`."""

        def register(edit: Edit) -> Edit:
            self[edit.__name__] = (edit, expected)
            return edit

        return register

    def check(self, name: str) -> None:
        """Spoil a model and look at the line."""
        edit, expected = self[name]
        net = Net.make()
        edit(net)
        (line,) = problems_of(net)
        assert line.startswith("model 'small': ")
        assert re.search(expected, line), line


def problems_of(net: Net) -> list[str]:
    """The lines with which the model is refused."""
    with pytest.raises(BscError) as caught:
        import_onnx(net.model)
    return str(caught.value).splitlines()
