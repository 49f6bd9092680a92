"""A good model and the ways to spoil it, for tests of what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import helper, numpy_helper
from qdq_models import Array, QdqBuilder

from bsc.errors import ModelError
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

    def check(self, name: str, bsc: Bsc) -> None:
        """Spoil a model and look at what the command says: one line, and nothing else."""
        edit, expected = self[name]
        net = Net.make()
        edit(net)
        (line,) = refused_by_commands(bsc, net.model.SerializeToString())
        assert re.search(expected, line), line


def refused_by_commands(bsc: Bsc, content: bytes) -> list[str]:
    """The problems with which `bsc compile` and `bsc explain` refuse a file, with exit code 1
    and without having written anything."""
    path = Path("model.onnx")
    path.write_bytes(content)
    before = sorted(Path().rglob("*"))
    code, out, err = bsc("compile", str(path), "-o", "out")
    assert (code, out) == (1, "")
    assert bsc("explain", str(path))[::2] == (1, err)
    assert sorted(Path().rglob("*")) == before
    prefix = f"bsc: error: {path}: "
    lines = err.splitlines()
    assert all(line.startswith(prefix) for line in lines), err
    return [line.removeprefix(prefix) for line in lines]


def problems_of(net: Net) -> list[str]:
    """The lines with which the model is refused."""
    with pytest.raises(ModelError) as caught:
        import_onnx(net.model)
    lines = str(caught.value).splitlines()
    assert lines == [f"model 'small': {problem}" for problem in caught.value.problems]
    return lines
