"""What became of each ONNX node: on the array, on the host or refused, and why.

Compilers that hand nodes back to the host without a word are a common complaint, so the
reason is part of the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bsc.frontend.graph import Constant, Node
from bsc.frontend.qoperator import plain
from bsc.frontend.registry import State
from bsc.frontend.survey import Survey
from bsc.frontend.values import Scaled
from bsc.numerics import FLOAT32_EXACT

Where: TypeAlias = Literal["array", "host", "refused", "undecided"]
"""Where a node runs.  A refused one cannot be compiled, and of one that reads its results
nothing can be said."""

_OPERATIONS = {
    "Add": "qnn.add",
    "AveragePool": "qnn.avg_pool",
    "Concat": "qnn.concat",
    "Conv": "qnn.conv2d",
    "Gemm": "qnn.dense",
    "GlobalAveragePool": "qnn.global_avg_pool",
    "MatMul": "qnn.dense",
    "MaxPool": "qnn.max_pool",
    "Mul": "qnn.mul",
    "ReduceMean": "qnn.global_avg_pool",
}

_UNUSED = "its result is not used: left out"


@dataclass(frozen=True)
class NodeReport:
    """What became of the node `name`.

    `tensor` is the quantized tensor, by its ONNX name, that the node's operation yields:
    the operation with that name as its location has shapes, positions and weight.

    `accumulator_bound` is the largest magnitude, as an integer, that any input can give
    the sums of a convolution, dense layer, add or average; None for nodes that do not add.
    Up to 2^24 onnxruntime's float32 computes the same bits for every input.
    """

    name: str
    op_type: str
    where: Where
    reason: str
    tensor: str | None = None
    accumulator_bound: int | None = None

    @property
    def certified(self) -> bool:
        """Whether onnxruntime is exact here for every input."""
        return self.accumulator_bound is None or self.accumulator_bound <= FLOAT32_EXACT


def reports(survey: Survey) -> tuple[NodeReport, ...]:
    """One report for each node, in the order of the file."""
    regions = _Regions(survey)
    state = survey.state
    found: list[NodeReport] = []
    for node in survey.graph.listed:
        where, reason = regions.verdict(node)
        tensor = state.tensors.get(node.index) if where == "array" else None
        bound = state.bounds.get(node.index) if where == "array" else None
        found.append(NodeReport(node.name, node.op_type, where, reason, tensor, bound))
    return tuple(found)


class _Regions:
    """The parts of the graph: what the host does before the array, the array, the rest."""

    def __init__(self, survey: Survey):
        graph, state = survey.graph, survey.state
        makers = {name: node for node in graph.nodes for name in node.outputs}
        by_index = {node.index: node for node in graph.nodes}
        entering = [by_index[index] for index in state.entering]
        rounding = [by_index[index] for index in state.rounding]
        outputs = [makers[name] for name in graph.outputs if name in makers]
        self.state = state
        self.problems = survey.problems.of_nodes()
        self.sound = by_index.keys()
        self.before = _ancestors(entering, makers, set()) - state.entering
        self.on_array = _ancestors(rounding, makers, state.entering) - state.entering
        self.constant = {
            node.index
            for node in graph.nodes
            if all(isinstance(survey.values.get(n), Constant | Scaled) for n in node.outputs)
        }
        self.read = _ancestors(outputs, makers, set())
        self.used = self.read | self.before | self.on_array

    def verdict(self, node: Node) -> tuple[Where, str]:
        """Where a node is, and why."""
        index, state = node.index, self.state
        if index in self.problems:
            return "refused", self.problems[index].removeprefix(f"{node.subject}: ")
        if index in state.refused:
            return "refused", state.refused[index]
        if index in state.undecided:
            return "undecided", f"depends on {state.undecided[index]}"
        if index not in self.sound:
            return "refused", "is on a cycle of the graph"
        if index in self.on_array and index not in state.tail:
            if index in state.hosted:
                return "undecided", "needs results of nodes that are refused"
            return "array", self._on_array(node)
        return "host", self._on_host(node)

    def _on_array(self, node: Node) -> str:
        if node.index not in self.read:
            return _UNUSED
        return self.state.reasons.get(node.index) or _on_array(node, self.state)

    def _on_host(self, node: Node) -> str:
        index = node.index
        if index in self.state.entering:
            return (
                "QuantizeLinear of the graph input: done by the host while it lays the "
                "tensor out"
            )
        if index in self.before:
            return "on the way of a graph input to its QuantizeLinear: on the host"
        if index not in self.used:
            return _UNUSED
        if index in self.constant:
            return "a constant, which the host reads"
        return _on_host(node, self.state)


def _ancestors(nodes: Iterable[Node], makers: dict[str, Node], stop: set[int]) -> set[int]:
    """The indices of `nodes` and of all that they need; what `stop` needs is left out."""
    found: set[int] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node.index in found:
            continue
        found.add(node.index)
        if node.index not in stop:
            stack += [makers[name] for name in node.inputs if name in makers]
    return found


def _on_array(node: Node, state: State) -> str:
    """Why a node that is no QuantizeLinear or DequantizeLinear is on the array."""
    if node.op_type in ("Relu", "Clip"):
        return "the bounds of the rounding that follows"
    if node.op_type == "Add" and node.index not in state.bounds:
        return "the bias of the accumulator that it adds to"
    exact = state.exacts.get(node.index)
    product = exact is not None and exact.weights is not None
    if product and plain(node.op_type) not in ("Conv", "Gemm", "MatMul"):
        return "qnn.conv2d, each channel by itself"
    if node.op_type == "Pad":
        return "zeros around what the next operation reads"
    if plain(node.op_type) in _OPERATIONS:
        return _OPERATIONS[plain(node.op_type)]
    if node.op_type == "Constant":
        return "a constant, which the compiler reads"
    return "names the same data otherwise: nothing is moved"


def _on_host(node: Node, state: State) -> str:
    """Why a node behind the last rounding is on the host."""
    if node.op_type == "DequantizeLinear" and node.index not in state.hosted:
        return "DequantizeLinear of a result: done by the host when it reads the tensor"
    why = state.hosted.get(node.index)
    own = f" (it {why})" if why else ""
    return f"{node.op_type} of a result, after the last rounding: done by the host{own}"
