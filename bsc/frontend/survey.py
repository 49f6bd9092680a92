"""The walk over the graph: everything that can be found out about a model.

A survey never stops at a problem.  `import_onnx` makes a module of one without problems;
`explain` tells what is in one, whatever became of it.  So that a node is refused, is on the
array or on the host is decided once, here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import onnx

from bsc.errors import ModelError
from bsc.frontend import (
    elementwise,
    folding,
    host,
    linear,
    pads,
    pools,
    qoperator,
    quantize,
    resize,
    shapes,
    tables,
    tails,
    transposed,
)
from bsc.frontend.builder import Builder, check_size
from bsc.frontend.given import Given, GivenShapes
from bsc.frontend.graph import Declared, Dims, Graph, Node
from bsc.frontend.host import check_known, check_stays_on_host, hosted, is_fused
from bsc.frontend.inference import inference
from bsc.frontend.layouts import channels_last
from bsc.frontend.load import File, load, opset_of
from bsc.frontend.moves import Moves
from bsc.frontend.problems import Problems, Refusal, quoted
from bsc.frontend.read import read_graph
from bsc.frontend.registry import IMPORTERS, Args, Importer, Results, State, Unrounded
from bsc.frontend.values import (
    Exact,
    Hosted,
    Input,
    Missing,
    Tensor,
    Unknown,
    Value,
)
from bsc.frontend.views import View

# Their importers register themselves when they are imported.
_OPERATORS = (
    elementwise,
    folding,
    host,
    linear,
    pads,
    pools,
    qoperator,
    quantize,
    resize,
    shapes,
    tables,
    transposed,
)

_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")

_FOLDED = ("BatchNormalization",)
"""What quantizers fold into the operators before them."""


@dataclass(frozen=True)
class Survey:
    """A model as far as it was understood.

    `values` has what is known of each ONNX tensor; `results` are the tensors of the array
    that the outputs are made of.  With `problems` it cannot be compiled.
    """

    graph: Graph
    opset: int
    state: State
    values: Mapping[str, Value]
    results: tuple[Tensor, ...]
    problems: Problems


def survey(
    source: str | Path | onnx.ModelProto | File,
    given: Given | None = None,
    inferred: Mapping[str, Dims] | None = None,
) -> Survey:
    """Look at all of a model; `given` are the dimensions that the file leaves open, `inferred`
    shapes of tensors that ONNX's inference need not find.

    Raises ModelError for what is no ONNX model at all.
    """
    file = load(source)
    problems = Problems(file.where)
    try:
        opset = opset_of(file.model, problems)
        known = GivenShapes(given or {}, file.model.graph, problems)
        graph = read_graph(file.model, file.folder, opset, known, problems)
    except UnicodeDecodeError as e:
        name = ascii(bytes(e.object))
        reason = f"not an ONNX model: {name} is not UTF-8"
        raise ModelError(file.where, [reason]) from None
    inputs = [declared.name for declared in graph.inputs]
    state = State(Builder(inputs), inference(file.model, graph, opset, inferred or {}))
    is_float = _check_form(graph, problems)
    values = _walk(graph, opset, state, problems, is_float)
    check_stays_on_host(graph, state, problems)
    tails.leave_to_host(graph, state, values, problems)
    problems.sort()
    results = () if is_float else tails.results(graph, state, values, problems)
    return Survey(graph, opset, state, values, results, problems)


def _check_form(graph: Graph, problems: Problems) -> bool:
    """Whether the model is not quantized at all, which is noted: every node would be wrong."""
    if not graph.listed:
        if not problems:
            problems.add("the graph has no nodes: nothing to compute")
        return True
    if any(node.op_type in _QUANTIZERS or is_fused(node.op_type) for node in graph.listed):
        return False
    problems.add(
        "is a float model (it has no QuantizeLinear and no DequantizeLinear): quantize it "
        "first, e.g. with 'bsc prepare'"
    )
    return True


def _walk(
    graph: Graph, opset: int, state: State, problems: Problems, is_float: bool
) -> dict[str, Value]:
    """The value of each tensor; what cannot be imported is noted and goes on as Unknown."""
    values: dict[str, Value] = {
        name: Unknown(f"tensor {quoted(name)}") if constant is None else constant
        for name, constant in graph.constants.items()
    }
    last = channels_last(graph)
    for declared in graph.inputs:
        subject = f"graph input {quoted(declared.name)}"
        values[declared.name] = Unknown(subject)
        with problems.at(subject):
            found = _input(declared, subject, problems)
            values[declared.name] = replace(found, channels_last=declared.name in last)
    for node in graph.nodes:
        if node.op_type == "Constant":
            continue
        value: Results
        args = _arguments(node, values)
        try:
            if is_float:
                value = _float(node, args, opset, state)
            else:
                value = _import(node, args, opset, state)
                _check_declared(node, value, graph)
        except Missing as e:
            value = e.value
            state.undecided[node.index] = value.cause
        except Refusal as e:
            state.refused[node.index] = str(e)
            problems.add(str(e), e.node or node)
            value = Unknown(node.subject, host.has_channels_last(args))
        each = value if isinstance(value, tuple) else (value,) * len(node.outputs)
        for name, result in zip(node.outputs, each, strict=False):
            # The first one who makes a tensor counts; that there is another has been noted.
            if name:
                values.setdefault(name, result)
    return values


def _arguments(node: Node, values: Mapping[str, Value]) -> list[Value | None]:
    """The inputs of a node, each of them known or Unknown."""
    found: list[Value | None] = []
    for name in node.inputs:
        value = values.get(name) if name else None
        if name and value is None:
            value = Unknown(f"tensor {quoted(name)}")
        found.append(value)
    return found


def _input(declared: Declared, subject: str, problems: Problems) -> Input:
    """A graph input of fixed shape."""
    dims = declared.dims
    if declared.type == "undefined":
        raise Refusal("is no tensor with a type: a float32 or an int8 one is accepted")
    if dims is None:
        raise Refusal("has no shape: a fixed one is accepted")
    open_dims = [i for i, n in enumerate(dims) if not isinstance(n, int)]
    if open_dims:
        refusal = Refusal(_not_fixed(declared.name, dims))
        if open_dims != [0]:
            raise refusal
        # It can only be a batch of 1: with that the rest of the model can be looked at.
        problems.add(f"{subject}: {refusal}")
        dims = (1, *dims[1:])
    fixed = cast("Dims", dims)
    check_size(fixed)
    if fixed and fixed[0] != 1:
        raise Refusal(f"has a batch of {fixed[0]} in {list(fixed)}: 1 is accepted")
    return Input(declared.name, declared.type, fixed, View.flat(fixed))


def _not_fixed(name: str, dims: tuple[int | str | None, ...]) -> str:
    """What to do about the dimensions of an input that the file leaves open."""
    found: list[str] = []
    hints: dict[str, None] = {}
    for i, n in enumerate(dims):
        size = 1 if i == 0 else "N"
        if isinstance(n, str):
            found.append(f"dimension {i} is the symbol {quoted(n)}")
            hints[f"{n}={size}"] = None
        elif n is None:
            found.append(f"dimension {i} is not given")
    if None in dims:
        shape = "x".join(str(n) if isinstance(n, int) else "1" if i == 0 else "N"
                         for i, n in enumerate(dims))  # fmt: skip
        hints = {f"{name}={shape}": None}
    shapes = " ".join(f"--shape {hint}" for hint in hints)
    return f"{', '.join(found)}: fix it in the model, or give {shapes}"


def _float(node: Node, args: Args, opset: int, state: State) -> Results:
    """A node of a model that is not quantized: only its operator can be judged."""
    if node.op_type not in IMPORTERS:
        check_known(node, opset)
        if node.op_type not in _FOLDED:
            return hosted(state, node, args, host.why_not(node.op_type))
    elif any(isinstance(arg, Hosted) for arg in args):
        if not tails.is_product(node):
            return hosted(state, node, args)
        state.returning.append(node.index)
    raise Missing(Unknown("the model, which is not quantized"))


def _import(node: Node, args: Args, opset: int, state: State) -> Results:
    if folding.is_folded(node, args):
        state.reasons[node.index] = "computed from constants by the compiler"
        return folding.folded(node, args, opset)
    importer = IMPORTERS.get(node.op_type)
    if importer is None:
        check_known(node, opset)
        return hosted(state, node, args, host.why_not(node.op_type))
    if node.op_type not in _QUANTIZERS:
        for arg in args:
            if isinstance(arg, Unknown):
                raise Missing(arg)
    try:
        if node.op_type not in _QUANTIZERS and any(isinstance(arg, Hosted) for arg in args):
            return _behind_host(importer, node, args, state)
        return importer(state, node, args)
    except (Unrounded, Moves) as e:
        maker = e.value.node if isinstance(e, Unrounded) else node
        if tails.is_product(node) or tails.is_product(maker):
            raise
        state.unrounded[node.index] = str(e)
        if node.index in state.returning:
            state.returning.remove(node.index)
        return hosted(state, node, args)


def _behind_host(importer: Importer, node: Node, args: Args, state: State) -> Results:
    """A node that the array could run, if it did not read what the host computes."""
    renaming = node.op_type in host.RENAMING
    try:
        known = host.on_array(state, node, args)
    except (Refusal, Missing) as e:
        if not renaming:
            raise
        back = e.value if isinstance(e, Missing) else e
        return replace(hosted(state, node, args), back=back)
    if known is None:
        return hosted(state, node, args)
    value = importer(state, node, known)
    if not renaming:
        return value
    back = value if isinstance(value, Tensor) else Unknown(node.subject)
    return replace(hosted(state, node, args), back=back)


def _check_declared(node: Node, results: Results, graph: Graph) -> None:
    """Raises Refusal if the file says another shape than the one that comes out."""
    value = results[0] if isinstance(results, tuple) else results
    if isinstance(value, Tensor | Exact) and node.outputs:
        declared = graph.declared.get(node.outputs[0])
        if declared is not None and declared.known not in (None, value.dims):
            raise Refusal(
                f"makes {list(value.dims)}, but the model says that tensor "
                f"{quoted(node.outputs[0])} has shape {list(declared.known or ())}"
            )
