"""The graph of a model as plain Python: names, nodes in order, constants, inputs.

Protobuf messages are read here and nowhere later.  What is broken about the graph itself,
whatever its operators mean, is found here too: names used twice or never defined, cycles,
data that is not there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import onnx
from onnx import AttributeProto, TensorProto, helper

from bsc.frontend.problems import Problems, Refusal, quoted, text
from bsc.frontend.tensors import Array, ExternalFiles, array_of, type_name

_checker = cast("Any", onnx.checker)  # partly typed

Dims = tuple[int, ...]
"""The dimensions of an ONNX tensor, in ONNX's order."""


@dataclass(frozen=True)
class Node:
    """One ONNX node.  `op_type` has the domain in front if it is not ONNX's own."""

    index: int
    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object]

    @property
    def subject(self) -> str:
        """What messages call the node."""
        return f"node {quoted(self.name)} ({self.op_type})"

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
    """`nodes` are in an order in which each tensor is made before it is read.

    `constants` are initializers and Constant nodes; None marks one that is broken.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Declared, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant | None]
    declared: Mapping[str, Declared]


def read_graph(
    model: onnx.ModelProto, folder: Path | None, opset: int, problems: Problems
) -> Graph:
    """The graph of `model`; what is wrong with it is noted in `problems`.

    Raises UnicodeDecodeError for names that are not UTF-8.
    """
    proto = model.graph
    nodes = [_node(i, node) for i, node in enumerate(proto.node)]
    constants = _constants(proto, nodes, ExternalFiles(folder), problems)
    inputs = tuple(d for d in map(_declared, proto.input) if d.name not in constants)
    outputs = tuple(text(value.name) for value in proto.output)
    if not outputs:
        problems.add("the graph has no outputs: name the tensors to compute")
    others = [_declared(value) for value in (*proto.output, *proto.value_info)]
    context = _checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {"": opset}
    valid = [n for n in nodes if _is_valid(n, proto.node[n.index], context, problems)]
    made = _producers(nodes, [d.name for d in inputs], constants, problems)
    _check_names(nodes, outputs, made.keys() | constants.keys(), problems)
    return Graph(
        tuple(_sorted(valid, made, problems)),
        inputs,
        outputs,
        constants,
        {d.name: d for d in others},
    )


def _node(index: int, proto: onnx.NodeProto) -> Node:
    domain = text(proto.domain)
    op_type = text(proto.op_type)
    return Node(
        index,
        text(proto.name) or f"{op_type}#{index}",
        op_type if domain in ("", "ai.onnx") else f"{domain}.{op_type}",
        tuple(text(name) for name in proto.input),
        tuple(text(name) for name in proto.output),
        {text(a.name): _attribute(a) for a in proto.attribute},
    )


def _attribute(proto: AttributeProto) -> object:
    """The value of an attribute; None if it has a type that is not known."""
    try:
        return cast("object", helper.get_attribute_value(proto))
    except ValueError:
        return None


def _is_valid(node: Node, proto: onnx.NodeProto, context: Any, problems: Problems) -> bool:
    """Whether the node is what ONNX's own schema asks of it; notes why it is not.

    An operator that ONNX does not know is the importer's to refuse.
    """
    if "." in node.op_type or not onnx.defs.has(node.op_type):
        return True
    try:
        _checker.check_node(proto, context)
    except onnx.checker.ValidationError as e:
        reason = str(e).split("==>")[0].strip()
        problems.add(f"{node.subject}: {reason}")
        return False
    return True


def _declared(proto: onnx.ValueInfoProto) -> Declared:
    tensor = proto.type.tensor_type
    dims: list[int | str | None] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value"):
            dims.append(dim.dim_value)
        else:
            dims.append(text(dim.dim_param) or None)
    shape = tuple(dims) if tensor.HasField("shape") else None
    return Declared(text(proto.name), type_name(tensor.elem_type), shape)


def _constants(
    proto: onnx.GraphProto, nodes: list[Node], files: ExternalFiles, problems: Problems
) -> dict[str, Constant | None]:
    """Initializers and Constant nodes by name."""
    constants: dict[str, Constant | None] = {}
    for tensor in proto.initializer:
        name = text(tensor.name)
        if name in constants:
            problems.add(f"tensor {quoted(name)} is defined twice, by two initializers")
        constants[name] = _constant(name, tensor, files, problems)
    for sparse in proto.sparse_initializer:
        name = text(sparse.values.name)
        problems.add(
            f"tensor {quoted(name)} is a sparse initializer: only dense ones are accepted"
        )
        constants[name] = None
    for node in nodes:
        if node.op_type == "Constant" and node.outputs:
            name = node.outputs[0]
            if name in constants:
                problems.add(_defined_already(node, name))
            constants[name] = None
            with problems.at(node.subject):
                constants[name] = _constant(name, _constant_tensor(node), files, problems)
    return constants


def _constant(
    name: str, tensor: TensorProto, files: ExternalFiles, problems: Problems
) -> Constant | None:
    with problems.at(f"tensor {quoted(name)}"):
        return Constant(name, type_name(tensor.data_type), array_of(tensor, files))
    return None


def _constant_tensor(node: Node) -> TensorProto:
    """The value of a Constant node, whichever of its attributes holds it."""
    value = node.attributes.get("value")
    if isinstance(value, TensorProto):
        return value
    if "value_float" in node.attributes:
        return helper.make_tensor("", TensorProto.FLOAT, [], [node.real("value_float", 0.0)])
    if "value_int" in node.attributes:
        return helper.make_tensor("", TensorProto.INT64, [], [node.number("value_int", 0)])
    ints = node.numbers("value_ints")
    if ints is not None:
        return helper.make_tensor("", TensorProto.INT64, [len(ints)], ints)
    floats = node.attributes.get("value_floats")
    if floats is not None:
        items = cast("list[float]", floats)
        return helper.make_tensor("", TensorProto.FLOAT, [len(items)], items)
    kinds = ", ".join(node.attributes) or "none"
    raise Refusal(f"has the value in attribute {kinds}: a dense tensor is accepted")


def _producers(
    nodes: list[Node], inputs: list[str], constants: Mapping[str, object], problems: Problems
) -> dict[str, int]:
    """The index of the node that makes each tensor, -1 for graph inputs; notes names that
    are used twice."""
    made: dict[str, int] = {}
    for name in inputs:
        if name in made:
            problems.add(f"graph input {quoted(name)} is listed twice")
        made[name] = -1
    for node in nodes:
        if node.op_type == "Constant":
            continue
        for name in filter(None, node.outputs):
            if name in made or name in constants:
                problems.add(_defined_already(node, name))
            made.setdefault(name, node.index)
    return made


def _defined_already(node: Node, name: str) -> str:
    return (
        f"{node.subject}: tensor {quoted(name)} is defined already: each tensor needs a name "
        "of its own"
    )


def _check_names(
    nodes: list[Node], outputs: tuple[str, ...], known: set[str], problems: Problems
) -> None:
    """Notes tensors that are read and never made."""
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                problems.add(
                    f"{node.subject}: reads tensor {quoted(name)}, which is neither made by a "
                    "node, nor an initializer, nor a graph input"
                )
    for name in outputs:
        if name not in known:
            problems.add(f"graph output {quoted(name)} is not made by any node")


def _sorted(nodes: list[Node], made: Mapping[str, int], problems: Problems) -> list[Node]:
    """The nodes so that each comes after those it reads, in the file's order as far as
    possible.  Nodes on a cycle, and those that need them, are left out."""
    by_index = {node.index: node for node in nodes}
    readers: dict[int, list[int]] = {index: [] for index in by_index}
    waiting: dict[int, int] = {}
    for node in nodes:
        sources = {made.get(name, -1) for name in node.inputs} & by_index.keys()
        waiting[node.index] = len(sources)
        for source in sources:
            readers[source].append(node.index)
    ready = [index for index, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(by_index[index])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        done = {node.index for node in order}
        left = [by_index[index] for index in by_index if index not in done]
        problems.add(_cycle(left, made))
    return order


def _cycle(left: list[Node], made: Mapping[str, int]) -> str:
    """Names one cycle among nodes that all wait for another of them."""
    by_index = {node.index: node for node in left}
    path: dict[int, None] = {}
    index = left[0].index
    while index not in path:
        path[index] = None
        sources = (made.get(name, -1) for name in by_index[index].inputs)
        index = next(source for source in sources if source in by_index)
    indices = list(path)
    loop = indices[indices.index(index) :][::-1]
    names = [quoted(by_index[i].name) for i in (loop[-1], *loop)]
    shown = names if len(names) <= 6 else [*names[:3], "…", *names[-2:]]
    return f"the graph has a cycle: {' -> '.join(shown)}"
