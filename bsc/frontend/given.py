"""Dimensions that the file leaves open and the user gives.

batch=1              a symbol, wherever it stands
images=1x3x224x224   the whole shape of an input
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import onnx

from bsc.errors import BscError
from bsc.frontend.graph import Declared, Dims
from bsc.frontend.problems import Problems, quoted, text
from bsc.suggest import did_you_mean

Given: TypeAlias = Mapping[str, int | Dims]
"""Values of symbols and shapes of inputs, by name."""


class GivenShapes:
    """What `given` says of the tensors of a graph."""

    def __init__(self, given: Given, graph: onnx.GraphProto, problems: Problems):
        self._given = given
        dims = [d for v in graph.input for d in v.type.tensor_type.shape.dim]
        symbols = {text(d.dim_param): None for d in dims if d.dim_param}
        inputs = {text(v.name): None for v in graph.input}
        for name, value in given.items():
            known = symbols if isinstance(value, int) else inputs
            if name not in known:
                what = "symbol" if isinstance(value, int) else "graph input"
                names = ", ".join(map(quoted, known)) or "none"
                problems.add(
                    f"has no {what} {quoted(name)} to give a shape to: it has {names}"
                    f"{did_you_mean(name, known)}"
                )

    def fill(self, declared: Declared) -> Declared:
        """`declared` with the values of its symbols."""
        if declared.dims is None:
            return declared
        filled: list[int | str | None] = []
        for n in declared.dims:
            value = self._given.get(n) if isinstance(n, str) else None
            filled.append(value if isinstance(value, int) else n)
        return replace(declared, dims=tuple(filled))

    def fill_input(self, declared: Declared, problems: Problems) -> Declared:
        """A graph input with the shape that is given for it."""
        filled = self.fill(declared)
        shape = self._given.get(declared.name)
        if shape is None or isinstance(shape, int):
            return filled
        dims = (None,) * len(shape) if filled.dims is None else filled.dims
        fits = len(dims) == len(shape) and all(
            n == s or not isinstance(n, int) for n, s in zip(dims, shape, strict=True)
        )
        if not fits:
            problems.add(
                f"graph input {quoted(declared.name)}: has shape {list(dims)}, which cannot "
                f"be {list(shape)}"
            )
            return filled
        return replace(filled, dims=shape)


def parse_shapes(texts: Iterable[str]) -> Given:
    """Shapes as a command line has them, `NAME=N` or `NAME=NxNxNxN`."""
    given: dict[str, int | Dims] = {}
    for item in texts:
        name, equals, value = item.rpartition("=")
        numbers = value.split("x")
        if not (name and equals) or not all(n.isascii() and n.isdigit() for n in numbers):
            raise BscError(
                f"--shape must be of the form batch=1 or input=1x3x224x224, not '{item}'"
            )
        first, *rest = (int(n) for n in numbers)
        given[name] = (first, *rest) if rest else first
    return given
