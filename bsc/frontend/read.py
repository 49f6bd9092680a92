"""From protobuf messages to a `Graph`.

Messages are read here and nowhere later.  Each node is held against ONNX's own schema of
its operator, and each tensor's data against its dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import onnx
from onnx import AttributeProto, SparseTensorProto, TensorProto, helper

from bsc.frontend.given import GivenShapes
from bsc.frontend.graph import Constant, Declared, Graph, Node
from bsc.frontend.order import check_names, defined_already, in_order, producers
from bsc.frontend.problems import Problems, Refusal, quoted, text
from bsc.frontend.sparse import dense_array
from bsc.frontend.tensors import ExternalFiles, array_of, type_name

_checker = cast("Any", onnx.checker)  # partly typed

_TENSORS = (TensorProto, SparseTensorProto)


def read_graph(
    model: onnx.ModelProto,
    folder: Path | None,
    opset: int,
    given: GivenShapes,
    problems: Problems,
) -> Graph:
    """The graph of `model`; what is wrong with it is noted in `problems`.

    Raises UnicodeDecodeError for names that are not UTF-8.
    """
    proto = model.graph
    nodes = [_node(i, node) for i, node in enumerate(proto.node)]
    constants = _constants(proto, nodes, ExternalFiles(folder), problems)
    listed = [_declared(value) for value in proto.input]
    inputs = tuple(given.fill_input(d, problems) for d in listed if d.name not in constants)
    outputs = tuple(text(value.name) for value in proto.output)
    if not outputs:
        problems.add("the graph has no outputs: name the tensors to compute")
    others = [given.fill(_declared(value)) for value in (*proto.output, *proto.value_info)]
    context = _checker.C.CheckerContext()
    # A version that is not known has been noted.
    context.ir_version = min(max(model.ir_version, 1), int(onnx.IR_VERSION))
    context.opset_imports = {"": opset}
    valid = [n for n in nodes if _is_valid(n, proto.node[n.index], context, problems)]
    made = producers(nodes, [d.name for d in inputs], constants, problems)
    check_names(nodes, outputs, made.keys() | constants.keys(), problems)
    _check_constants(constants, (*listed, *others), problems)
    order = tuple(in_order(valid, made, problems))
    return Graph(tuple(nodes), order, inputs, outputs, constants, {d.name: d for d in others})


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

    An operator that ONNX does not know, or that holds a graph, is the importer's to refuse; a
    sparse Constant is judged where it is read, in words that name its tensor.
    """
    if node.op_type == "Constant" and "sparse_value" in node.attributes:
        return True
    if "." in node.op_type or not onnx.defs.has(node.op_type) or node.holds_graphs:
        return True
    if proto.domain:
        # "ai.onnx" is the default domain by its full name, which the checker does not know.
        plain = onnx.NodeProto()
        plain.CopyFrom(proto)
        plain.domain = ""
        proto = plain
    try:
        _checker.check_node(proto, context)
    except onnx.checker.ValidationError as e:
        reason = str(e).split("==>")[0].strip()
        problems.add(reason, node)
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
        if name in constants:
            problems.add(f"tensor {quoted(name)} is defined twice, by two initializers")
            continue
        constants[name] = _constant(name, sparse, files, problems)
    for node in nodes:
        if node.op_type == "Constant" and node.outputs:
            name = node.outputs[0]
            if name in constants:
                problems.add(defined_already(name), node)
            constants[name] = None
            with problems.at(node.subject):
                constants[name] = _constant(name, _constant_tensor(node), files, problems)
    return constants


def _constant(
    name: str,
    tensor: TensorProto | SparseTensorProto,
    files: ExternalFiles,
    problems: Problems,
) -> Constant | None:
    with problems.at(f"tensor {quoted(name)}"):
        if isinstance(tensor, SparseTensorProto):
            kind = type_name(tensor.values.data_type)
            return Constant(name, kind, dense_array(tensor, files))
        return Constant(name, type_name(tensor.data_type), array_of(tensor, files))
    return None


def _check_constants(
    constants: Mapping[str, Constant | None], declared: Iterable[Declared], problems: Problems
) -> None:
    """Notes constants that the file says to have another shape than their data have."""
    for d in declared:
        constant = constants.get(d.name)
        if constant is None or constant.array is None:
            continue
        if d.known not in (None, constant.dims):
            problems.add(
                f"tensor {quoted(d.name)} has dimensions {list(constant.dims)}, but is "
                f"declared as {list(d.known or ())}"
            )


def _constant_tensor(node: Node) -> TensorProto | SparseTensorProto:
    """The value of a Constant node, whichever of its attributes holds it."""
    given = [value for value in node.attributes.values() if isinstance(value, _TENSORS)]
    if len(given) > 1:
        raise Refusal("has both a dense and a sparse value: one of them is accepted")
    if given:
        return given[0]
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
    raise Refusal(f"has the value in attribute {kinds}: a tensor is accepted")
