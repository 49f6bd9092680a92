"""The graph of a model as plain Python: names, nodes in order, constants, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from onnx import GraphProto

from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.tensors import Array

Dims = tuple[int, ...]
"""The dimensions of an ONNX tensor, in ONNX's order."""


@dataclass(frozen=True)
class Node:
    """One ONNX node.  `op_type` has the domain in front if it is not ONNX's own; `shown` is
    that of the file where it is another one."""

    index: int
    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object]
    shown: str = ""

    @property
    def subject(self) -> str:
        """What messages call the node."""
        return f"node {quoted(self.name)} ({self.shown or self.op_type})"

    @property
    def holds_graphs(self) -> bool:
        """Whether it is control flow: a loop, or branches."""
        return any(isinstance(value, GraphProto) for value in self.attributes.values())

    def number(self, key: str, default: int) -> int:
        """A whole-number attribute."""
        value = self.attributes.get(key, default)
        if not isinstance(value, int):
            raise Refusal(f"attribute {key} must be a whole number, not {value!r}")
        return value

    def real(self, key: str, default: float) -> float:
        """A floating-point attribute."""
        value = self.attributes.get(key, default)
        if not isinstance(value, int | float):
            raise Refusal(f"attribute {key} must be a number, not {value!r}")
        return float(value)

    def numbers(self, key: str) -> tuple[int, ...] | None:
        """A list of whole numbers, or None if the node does not have it."""
        value = self.attributes.get(key)
        if value is None:
            return None
        items = cast("Iterable[object]", value) if isinstance(value, list | tuple) else [value]
        found = tuple(item for item in items if isinstance(item, int))
        if not isinstance(value, list | tuple) or len(found) != len(cast("list[Any]", value)):
            raise Refusal(f"attribute {key} must be a list of whole numbers, not {value!r}")
        return found

    def word(self, key: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(key, default)
        if not isinstance(value, str | bytes):
            raise Refusal(f"attribute {key} must be a string, not {value!r}")
        return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Constant:
    """A tensor of the file.  `array` is None for types that nothing here uses."""

    name: str
    type: str
    array: Array | None

    @property
    def dims(self) -> Dims:
        """The dimensions; those of a scalar for types that nothing here uses."""
        return () if self.array is None else self.array.shape


@dataclass(frozen=True)
class Declared:
    """What the file says of a tensor; a dimension is a name or None if it is left open."""

    name: str
    type: str
    dims: tuple[int | str | None, ...] | None

    @property
    def known(self) -> Dims | None:
        """The dimensions, if all of them are given."""
        found = tuple(n for n in self.dims or () if isinstance(n, int))
        return found if self.dims is not None and len(found) == len(self.dims) else None


@dataclass(frozen=True)
class Graph:
    """`listed` are all nodes, in the file's order; `nodes` those that are sound, in an order
    in which each tensor is made before it is read.

    `constants` are initializers and Constant nodes; None marks one that is broken.
    """

    listed: tuple[Node, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[Declared, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant | None]
    declared: Mapping[str, Declared]
