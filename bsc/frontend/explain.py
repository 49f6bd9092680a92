"""What the frontend makes of a model, node by node, before anything is compiled.

A model that cannot be compiled is explained as far as it was understood, so that all of
its problems stand beside what would have become of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from bsc.arch import DEFAULT_ARCH, load_arch
from bsc.blocks import DEFAULT_BLOCK, DEFAULT_SHAPE, Block, find_blocks, parse_block
from bsc.errors import ModelError
from bsc.frontend.given import Given
from bsc.frontend.graph import Constant, Declared, Dims, Node
from bsc.frontend.qoperator import plain
from bsc.frontend.report import NodeReport, reports
from bsc.frontend.survey import Survey, survey
from bsc.frontend.values import (
    Exact,
    Hosted,
    Input,
    Scaled,
    Tensor,
    Unknown,
    Value,
    Weights,
)

_POOLS = ("AveragePool", "GlobalAveragePool", "MaxPool", "ReduceMean")
_INEXACT_MEANS = (
    "com.microsoft.QLinearAveragePool",
    "com.microsoft.QLinearGlobalAveragePool",
)
_SHIFTS = range(17)
_FARTHEST_ADD = 7


@dataclass(frozen=True)
class Blocks:
    """How many blocks of a weight there are, how many are not all zero, and how many of those
    almost.  `shape` is None where leaving blocks out would be no less work than the whole."""

    stored: int
    all: int
    almost_zero: int
    shape: Block | None


@dataclass(frozen=True)
class NodeFacts:
    """A node: what became of it (`report`), and the numbers that it works with.

    `dims` is the ONNX shape of its result.  The positions are those of its inputs, weight,
    bias and result, an integer standing for itself times 2^-position; None for what it does
    not have.  `shift` says by how many places a sum of products is shifted to become the
    result.  `blocks` are those of 8x8 channels, `chosen` those of the shape asked for.
    `parts` are those that the node is in, if the model is cut into parts.
    """

    report: NodeReport
    dims: Dims | None = None
    inputs: tuple[int, ...] = ()
    weight: int | None = None
    bias: int | None = None
    result: int | None = None
    blocks: Blocks | None = None
    chosen: Blocks | None = None
    parts: tuple[str, ...] = ()

    @property
    def shift(self) -> int | None:
        if self.weight is None or self.result is None or not self.inputs:
            return None
        return self.inputs[0] + self.weight - self.result


@dataclass(frozen=True)
class Explanation:
    """All that is known of the model `where`: its nodes in the order of the file, what is
    worth a warning, and why it cannot be compiled, if so."""

    where: str
    nodes: tuple[NodeFacts, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    def raise_if_refused(self) -> None:
        """Raises ModelError with all problems, if there are any."""
        if self.problems:
            raise ModelError(self.where, self.problems)


def explain(
    model: str | Path | onnx.ModelProto,
    shapes: Given | None = None,
    block: str = DEFAULT_SHAPE,
) -> Explanation:
    """Look at all of a model; `shapes` are the dimensions that the file leaves open: the value
    of a symbol, or the whole shape of an input, by name.  `block` is the shape of the blocks
    that would be left out, or "auto", as `bsc.compile` has it.

    Raises ModelError for what is no ONNX model at all, and BscError for what is no shape.
    """
    return explain_survey(survey(model, shapes), block)


def explain_survey(found: Survey, block: str = DEFAULT_SHAPE) -> Explanation:
    """What there is to say of a model that somebody has looked at."""
    asked = parse_block(block)
    inferred = {**_declared(found), **found.state.inferred()}
    nodes = tuple(
        _facts(node, report, found, inferred, asked)
        for node, report in zip(found.graph.listed, reports(found), strict=True)
    )
    warnings = tuple(text for facts in nodes for text in _warnings(facts))
    error = found.problems.error()
    return Explanation(error.where, nodes, warnings, error.problems)


def _declared(found: Survey) -> dict[str, Dims]:
    """The shapes that the file says."""
    every: tuple[Declared, ...] = tuple(found.graph.declared.values())
    return {d.name: d.known for d in every if d.known is not None}


def _facts(
    node: Node,
    report: NodeReport,
    found: Survey,
    inferred: dict[str, Dims],
    block: Block | None,
) -> NodeFacts:
    args = [found.values.get(name) for name in node.inputs if name]
    name = next(filter(None, node.outputs), "")
    value = found.values.get(name)
    dims = inferred.get(name) if value is None else _dims(value, inferred.get(name))
    if report.where != "array":
        return NodeFacts(report, dims)
    # What a refused node makes has a position too, once it has been quantized.
    activations = (arg.back if isinstance(arg, Hosted) else arg for arg in args)
    inputs = tuple(arg.pos for arg in activations if isinstance(arg, Tensor))
    result = found.values.get(report.tensor or name)
    pos = result.pos if isinstance(result, Tensor | Scaled) else None
    weight = bias = blocks = chosen = None
    weights = _weights(node, value, found)
    if weights is not None:
        weight, bias = weights.pos, weights.bias
        blocks = chosen = _blocks(weights, DEFAULT_BLOCK)
        if block != DEFAULT_BLOCK:
            chosen = _blocks(weights, block)
    return NodeFacts(report, dims, inputs, weight, bias, pos, blocks, chosen)


def _blocks(weights: Weights, block: Block | None) -> Blocks:
    """What a weight shows, on the usual machine: all have the same matrix unit."""
    found = find_blocks(weights.array, block, load_arch(DEFAULT_ARCH))
    shape = found.block if found.pays else None
    return Blocks(int(found.stored.sum()), found.stored.size, found.almost_zero, shape)


def _weights(node: Node, value: Value | None, found: Survey) -> Weights | None:
    """What a product multiplies by, whether its result could be rounded or not."""
    exact = found.state.exacts.get(node.index)
    if exact is None and isinstance(value, Exact) and value.node is node:
        exact = value
    return None if exact is None else exact.weights


def _dims(value: Value, inferred: Dims | None) -> Dims | None:
    match value:
        case Unknown() | Hosted() | Constant(array=None):
            return inferred
        case Constant() | Scaled() | Input() | Tensor() | Exact():
            return value.dims


# Warnings --------------------------------------------------------------------------------


def _warnings(facts: NodeFacts) -> list[str]:
    """What works here, but not everywhere."""
    report, found = facts.report, list[str]()
    subject = f"node {report.name!r} ({report.op_type})"
    if not report.certified:
        found.append(
            f"{subject}: its sums can reach {report.accumulator_bound:,}, beyond 2^24, where "
            "onnxruntime's float32 need not be exact"
        )
    if report.op_type in _INEXACT_MEANS and report.accumulator_bound:
        count = report.accumulator_bound // 128
        if count % 2 == 0 and count & (count - 1):
            found.append(
                f"{subject}: onnxruntime multiplies by a rounded 1/{count} here, so that a "
                "mean right between two numbers may become the other one; in QDQ form not"
            )
    return found + [f"{subject}: {text}" for text in _beyond_amd(facts)]


def _beyond_amd(facts: NodeFacts) -> list[str]:
    """The limits of AMD's own compiler that a node does not keep to."""
    op_type, inputs, result = plain(facts.report.op_type), facts.inputs, facts.result
    shift = facts.shift
    if shift is not None and shift not in _SHIFTS:
        return [
            f"shift {shift} = {facts.inputs[0]} + {facts.weight} - {result}, of input, weight "
            f"and result: AMD's compiler takes {_SHIFTS[0]} to {_SHIFTS[-1]}"
        ]
    if op_type == "Add" and len(inputs) == 2 and abs(inputs[0] - inputs[1]) > _FARTHEST_ADD:
        return [
            f"positions {inputs[0]} and {inputs[1]} of its inputs: AMD's compiler takes at "
            f"most {_FARTHEST_ADD} between them"
        ]
    if op_type == "Concat" and result is not None and {*inputs} - {result}:
        listed = ", ".join(map(str, inputs))
        return [
            f"positions {listed} of its inputs and {result} of its result: AMD's compiler "
            "takes one position, the smallest"
        ]
    if op_type in _POOLS and result is not None and {*inputs} - {result}:
        return [
            f"position {inputs[0]} of its input and {result} of its result: AMD's compiler "
            "takes the same"
        ]
    return []
