"""Where the array ends, and the host goes on.

What leaves the array are quantized tensors, under the names that the model gives them.
Whatever else the host reads, or the user, is the host's as well, up to those tensors: a mean
that no QuantizeLinear has rounded before a Softmax, and the Flatten between them.

There are two exceptions.  Products of weights are what the array is for: one that nothing
rounds is a mistake of the model, more likely than not.  And what the array rounds for itself is
not computed once more by the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from bsc.frontend.builder import layout_of
from bsc.frontend.graph import Graph, Node
from bsc.frontend.moves import straight
from bsc.frontend.problems import Problems, Refusal, quoted
from bsc.frontend.qoperator import plain
from bsc.frontend.registry import State
from bsc.frontend.values import Constant, Exact, Hosted, Input, Scaled, Tensor, Value

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")

_EXPECTED = "a QuantizeLinear and a DequantizeLinear are expected"

_Values = Mapping[str, Value]


class _Reader(NamedTuple):
    """Who wants a tensor, under which name: a node of the host, or the user."""

    node: Node | None
    name: str


def is_product(node: Node) -> bool:
    """Whether a node multiplies by weights."""
    return plain(node.op_type) in _PRODUCTS


def leave_to_host(graph: Graph, state: State, values: _Values, problems: Problems) -> None:
    """Find what the host computes although the array could, from the end of the graph on."""
    used = set(graph.outputs)
    asked = {name: _Reader(None, name) for name in graph.outputs}
    on_array: set[str] = set()
    refused = problems.of_nodes().keys()
    for node in reversed(graph.nodes):
        made = [name for name in node.outputs if name in used]
        if not made:
            continue
        needs = [name for name in node.inputs if name]
        used.update(needs)
        wanted = [name for name in made if name in asked and _is_missing(values, name, state)]
        if all(isinstance(values.get(name), Constant | Scaled) for name in made):
            # Who needs a constant needs nothing that it was computed from, such as a shape.
            if wanted:
                state.tail.add(node.index)
        elif node.index in state.hosted:
            asked |= {name: _Reader(node, name) for name in needs}
        elif not wanted:
            on_array.update(needs)
        else:
            reader, value = asked[wanted[0]], values[wanted[0]]
            asked |= dict.fromkeys(needs, reader)
            returns = not on_array.isdisjoint(made)
            if returns and not _is_unrounded(value, state):
                state.shared.add(node.index)
                on_array.update(needs)
                continue
            state.tail.add(node.index)
            told = reader.node is not None and reader.node.index in refused
            if (returns or is_product(node)) and not told:
                _refuse(reader, value, problems)


def _is_missing(values: _Values, name: str, state: State) -> bool:
    """Whether the array does not give the host the tensor `name`."""
    match values.get(name):
        case Tensor() as value:
            return value.real or value.name != name or name in state.made
        case Exact() | Constant() | Scaled():
            return True
        case _:
            return False


def _is_unrounded(value: Value | None, state: State) -> bool:
    """Whether a tensor exists on the array only before a rounding, or without one."""
    return isinstance(value, Exact) or (isinstance(value, Tensor) and value.name in state.made)


def _refuse(reader: _Reader, value: Value, problems: Problems) -> None:
    """Note that the host or the user reads what the array does not give away."""
    name = quoted(reader.name)
    if isinstance(value, Exact):
        what, done = f"the result of {value.node.subject}", "rounded"
    else:
        what, done = "made by the array alone", "made"
    if reader.node is None:
        problems.add(
            f"graph output {name}: is {what}, which no QuantizeLinear has {done}: "
            f"{_EXPECTED} after it",
            cut=True,
        )
    else:
        problems.add(
            f"reads {name}, {what} that no QuantizeLinear has {done}: {_EXPECTED} between",
            reader.node,
            cut=True,
        )


# What leaves the array ------------------------------------------------------------------


def results(
    graph: Graph, state: State, values: _Values, problems: Problems
) -> tuple[Tensor, ...]:
    """The tensors of the array that the graph's outputs are made of, as the host reads them."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    found: dict[str, Tensor] = {}
    seen: set[str] = set()
    for name in graph.outputs:
        with problems.at(f"graph output {quoted(name)}"):
            if isinstance(values.get(name), Input | Constant | Scaled):
                raise Refusal("is not computed by any operator of the array")
            for tensor in _sources(name, makers, state, values, seen):
                found[tensor.name] = _readable(state, tensor)
    if not found and not problems:
        problems.add("no output depends on a quantized tensor: nothing to compute")
    return tuple(found.values())


def _sources(
    output: str, makers: Mapping[str, Node], state: State, values: _Values, seen: set[str]
) -> list[Tensor]:
    """The tensors of the array that the host computes `output` from, but those `seen`."""
    found: list[Tensor] = []
    stack = [output]
    while stack:
        name = stack.pop()
        value = values.get(name)
        if name in seen or value is None:
            continue
        seen.add(name)
        if isinstance(value, Tensor) and not _is_unrounded(value, state):
            found.append(value)
        elif isinstance(value, Hosted | Exact | Tensor):
            stack += reversed(makers[name].inputs)
    return found


def _readable(state: State, tensor: Tensor) -> Tensor:
    """The quantized tensor of the model that `tensor` is, so that the host can read it."""
    whole = replace(tensor, view=state.quantized.get(tensor.name, tensor.view))
    return whole if layout_of(whole.view) else straight(state, whole)
