"""The walk over the graph, from a file to a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import onnx
from xdsl.dialects.builtin import ModuleOp

from bsc.errors import BscError
from bsc.frontend import elementwise, host, linear, pools, quantize, shapes
from bsc.frontend.builder import Builder, check_size
from bsc.frontend.graph import Declared, Dims, Graph, Node
from bsc.frontend.load import load, opset_of
from bsc.frontend.problems import Problems, Refusal, quoted, text
from bsc.frontend.read import read_graph
from bsc.frontend.registry import IMPORTERS, State
from bsc.frontend.report import NodeReport, reports
from bsc.frontend.values import (
    Constant,
    Exact,
    Hosted,
    Input,
    Scaled,
    Tensor,
    Unknown,
    Value,
)

# Their importers register themselves when they are imported.
_OPERATORS = (elementwise, host, linear, pools, quantize, shapes)

_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")

_UNKNOWN = Unknown()


@dataclass(frozen=True)
class Imported:
    """A model as a module of `qnn` and `bsw`.

    `nodes` says of each ONNX node where it runs and why, in the order of the file.
    `shapes` has the ONNX shape of each quantized tensor of the array by its ONNX name.
    """

    module: ModuleOp
    nodes: tuple[NodeReport, ...]
    shapes: Mapping[str, Dims]


def import_onnx(source: str | Path | onnx.ModelProto) -> Imported:
    """Import a quantized model in QDQ form: a file, or a model in memory.

    The weights of a model in memory, or mapped from files beside the model, are shared
    where their layout allows.

    Raises BscError with everything that is wrong with the model, one line a problem.
    """
    file = load(source)
    problems = Problems(file.where)
    try:
        opset = opset_of(file.model, problems)
        graph = read_graph(file.model, file.folder, opset, problems)
    except UnicodeDecodeError as e:
        name = ascii(bytes(e.object))
        raise BscError(f"{file.where}: not an ONNX model: {name} is not UTF-8") from None
    _check_form(graph, problems)
    inputs = [declared.name for declared in graph.inputs]
    state = State(Builder(inputs), _inference(file.model))
    values = _walk(graph, state, problems)
    results = _results(graph, values, problems)
    problems.raise_if_any()
    return Imported(state.builder.finish(results), reports(graph, state), state.quantized)


def _check_form(graph: Graph, problems: Problems) -> None:
    """Raises BscError for a model that is not quantized: every node would be wrong."""
    if not graph.nodes:
        if not problems:
            problems.add("the graph has no nodes: nothing to compute")
        problems.raise_if_any()
    if not any(node.op_type in _QUANTIZERS or _is_fused(node.op_type) for node in graph.nodes):
        problems.add(
            "is a float model (it has no QuantizeLinear and no DequantizeLinear): quantize it "
            "first, e.g. with 'bsc prepare'"
        )
        problems.raise_if_any()


def _is_fused(op_type: str) -> bool:
    """Whether an operator belongs to the other form of quantized models, QOperator."""
    name = op_type.rpartition(".")[2]
    return name.startswith("QLinear") or name in ("QGemm", "ConvInteger", "MatMulInteger")


def _inference(model: onnx.ModelProto) -> Callable[[], Mapping[str, Dims]]:
    """The shapes that ONNX's own inference finds, found when they are first asked for."""

    @cache
    def shapes() -> Mapping[str, Dims]:
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        # Inference gives up on operators of domains that are not imported.
        imported = {item.domain for item in copied.opset_import}
        for domain in {node.domain for node in copied.graph.node} - imported:
            copied.opset_import.add(domain=domain, version=1)
        try:
            inferred = onnx.shape_inference.infer_shapes(copied)
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
            # It has no shapes for a broken model; the problem itself is found elsewhere.
            return {}
        known: dict[str, Dims] = {}
        for value in inferred.graph.value_info:
            dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            if min(dims, default=0) > 0:
                known[text(value.name)] = dims
        return known

    return shapes


def _walk(graph: Graph, state: State, problems: Problems) -> dict[str, Value]:
    """The value of each tensor; what cannot be imported is noted and goes on as Unknown."""
    values: dict[str, Value] = {
        name: _UNKNOWN if constant is None else constant
        for name, constant in graph.constants.items()
    }
    for declared in graph.inputs:
        values[declared.name] = _UNKNOWN
        with problems.at(f"graph input {quoted(declared.name)}"):
            values[declared.name] = _input(declared)
    for node in graph.nodes:
        if node.op_type == "Constant":
            continue
        value: Value = _UNKNOWN
        with problems.at(node.subject):
            value = _import(node, values, state)
            _check_declared(node, value, graph)
        values |= dict.fromkeys(filter(None, node.outputs), value)
    return values


def _input(declared: Declared) -> Value:
    """A graph input of fixed shape."""
    dims = declared.dims
    if dims is None:
        raise Refusal("has no shape: a fixed one is accepted")
    for i, n in enumerate(dims):
        if not isinstance(n, int):
            what = "is not given" if n is None else f"is the symbol {quoted(n)}"
            raise Refusal(f"dimension {i} {what}: fix it, e.g. the batch to 1")
    fixed = cast("Dims", dims)
    check_size(fixed)
    if fixed and fixed[0] != 1:
        raise Refusal(f"has a batch of {fixed[0]} in {list(fixed)}: 1 is accepted")
    return Input(declared.name, declared.type, fixed, fixed)


def _import(node: Node, values: Mapping[str, Value], state: State) -> Value:
    importer = IMPORTERS.get(node.op_type)
    if importer is None:
        raise Refusal(_unsupported(node.op_type))
    args = [values.get(name, _UNKNOWN) if name else None for name in node.inputs]
    if node.op_type not in _QUANTIZERS and any(isinstance(arg, Unknown) for arg in args):
        return _UNKNOWN
    return importer(state, node, args)


def _unsupported(op_type: str) -> str:
    if _is_fused(op_type):
        return (
            f"operator {op_type} is not supported: give the model in QDQ form "
            "(quant_format=QDQ), with QuantizeLinear and DequantizeLinear around plain "
            "operators"
        )
    known = ", ".join(sorted(IMPORTERS))
    return f"operator {op_type} is not supported; these are: {known}"


def _check_declared(node: Node, value: Value, graph: Graph) -> None:
    """Raises Refusal if the file says another shape than the one that comes out."""
    if isinstance(value, Tensor | Exact) and node.outputs:
        declared = graph.declared.get(node.outputs[0])
        if declared is not None and declared.known not in (None, value.dims):
            raise Refusal(
                f"makes {list(value.dims)}, but the model says that tensor "
                f"{quoted(node.outputs[0])} has shape {list(declared.known or ())}"
            )


def _results(graph: Graph, values: Mapping[str, Value], problems: Problems) -> list[Tensor]:
    """The tensors of the array that the graph's outputs are made of."""
    found: dict[str, Tensor] = {}
    for name in graph.outputs:
        with problems.at(f"graph output {quoted(name)}"):
            for tensor in _sources(values.get(name, _UNKNOWN)):
                found[tensor.name] = tensor
    if not found and not problems:
        problems.add("no output depends on a quantized tensor: nothing to compute")
    return list(found.values())


def _sources(value: Value) -> tuple[Tensor, ...]:
    match value:
        case Tensor():
            return (value,)
        case Hosted():
            return value.sources
        case Unknown():
            return ()
        case Exact():
            raise Refusal(
                f"is the result of {value.node.subject}, which no QuantizeLinear has rounded: "
                "a QuantizeLinear and a DequantizeLinear are expected after it"
            )
        case Input() | Constant() | Scaled():
            raise Refusal("is not computed by any operator of the array")
