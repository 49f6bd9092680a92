"""What `bsc explain` prints: a row a node, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from bsc.blocks import DEFAULT_BLOCK
from bsc.frontend.explain import Blocks, Explanation, NodeFacts
from bsc.frontend.report import NodeReport
from bsc.numerics import FLOAT32_EXACT, INT32_LIMIT
from bsc.report.blocks import WeightBlocks, block_lines, shape_text
from bsc.report.host import host_lines
from bsc.report.units import plural, ratio, scaled

_ROUTINE = ("Constant", "QuantizeLinear", "DequantizeLinear")
"""Operators of which a model has hundreds, with little to say."""

_NUMBERS = ("shift", "density", "sum up to", "/2^24")
_COLUMNS = ("node", "op", "where", "part", "shape", "pos", *_NUMBERS, "block", "why")


def node_table(nodes: Sequence[NodeFacts], brief: bool, block: bool = False) -> Table:
    """A row a node, in the order of the file; with `block`, the shape and density of the
    blocks that were asked for as well, and of a model in parts, the parts that it is in.

    `pos` are the positions of inputs, weight and bias, and of the result; `brief` leaves out
    quantizers and constants of which there is nothing particular to say.
    """
    parts = any(facts.parts for facts in nodes)
    hidden = {"block": not block, "part": not parts}
    columns = [title for title in _COLUMNS if not hidden.get(title)]
    shown = [
        [text for title, text in zip(_COLUMNS, _cells(facts), strict=True) if title in columns]
        for facts in nodes
        if not (brief and facts.report.where == "array" and facts.report.op_type in _ROUTINE)
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, *column in zip(columns, *shown, strict=True):
        side = "right" if title in _NUMBERS else "left"
        # Measured here: for thousands of rows that takes rich as long as to print them.
        width = max(map(cell_len, (title, *column)))
        table.add_column(title, justify=side, no_wrap=True, width=width)
    for row in shown:
        table.add_row(*map(Text, row))
    return table


def _cells(facts: NodeFacts) -> tuple[str, ...]:
    report, bound, blocks = facts.report, facts.report.accumulator_bound, facts.blocks
    return (
        report.name,
        report.op_type,
        report.where,
        ", ".join(facts.parts),
        "" if facts.dims is None else "x".join(map(str, facts.dims)) or "scalar",
        _positions(facts),
        "" if facts.shift is None else str(facts.shift),
        "" if blocks is None else ratio(blocks.stored, blocks.all),
        "" if bound is None else scaled(bound),
        "" if bound is None else f"{bound / FLOAT32_EXACT:.3f}",
        _chosen(facts.chosen),
        # A problem's line on stderr has the rest.
        report.reason.partition("; ")[0],
    )


def _chosen(blocks: Blocks | None) -> str:
    """`16x4 0.25`: a shape and its density."""
    if blocks is None or blocks.shape is None:
        return "" if blocks is None else shape_text(None)
    return f"{shape_text(blocks.shape)} {ratio(blocks.stored, blocks.all)}"


def _positions(facts: NodeFacts) -> str:
    """`4 w7 b11 > 5`: of the inputs, the weight, the bias and the result."""
    before = [str(pos) for pos in facts.inputs]
    if facts.weight is not None:
        before.append(f"w{facts.weight}")
    if facts.bias is not None:
        before.append(f"b{facts.bias}")
    after = [] if facts.result is None else [">", str(facts.result)]
    return " ".join(before + (after if before else after[1:]))


def explanation_lines(explanation: Explanation) -> list[str]:
    """What the table comes to: where the nodes run, density, certificate, warnings."""
    nodes = explanation.nodes
    lines = host_lines([facts.report for facts in nodes]) + _part_lines(nodes)
    counts = {
        where: sum(facts.report.where == where for facts in nodes)
        for where in ("refused", "undecided")
    }
    if counts["refused"] or counts["undecided"]:
        lines.append(
            f"{plural(counts['refused'], 'node')} refused, {counts['undecided']:,} undecided "
            "because of them"
        )
    blocks = [facts.blocks for facts in nodes if facts.blocks is not None]
    if blocks:
        stored, every = sum(b.stored for b in blocks), sum(b.all for b in blocks)
        lines.append(
            f"{stored:,} of {every:,} blocks of {shape_text(DEFAULT_BLOCK)} channels are not "
            f"zero: density {ratio(stored, every)}"
        )
    chosen = [facts.chosen for facts in nodes if facts.chosen is not None]
    lines += block_lines([WeightBlocks(b.shape, b.stored, b.almost_zero) for b in chosen])
    lines += _certificate([f for f in nodes if f.report.accumulator_bound is not None])
    return lines + [f"warning: {text}" for text in explanation.warnings]


def _part_lines(nodes: Sequence[NodeFacts]) -> list[str]:
    """The parts of a model, in the order in which they run."""
    found: dict[str, list[NodeReport]] = {}
    for facts in nodes:
        for name in facts.parts:
            found.setdefault(name, []).append(facts.report)
    order = sorted(found, key=lambda name: int(name.removesuffix(".onnx").rpartition("-")[2]))
    return [
        f"{name}: {part_text(name, [(node.name, node.op_type) for node in found[name]])}"
        for name in order
    ]


def part_text(name: str, nodes: Sequence[tuple[str, str]]) -> str:
    """What is in the part `name`, whose nodes have these names and operators."""
    if not name.endswith(".onnx"):
        return f"on the array: {plural(len(nodes), 'ONNX node')}"
    return "on the host: " + ", ".join(f"{node} ({op_type})" for node, op_type in nodes)


def _certificate(nodes: Sequence[NodeFacts]) -> list[str]:
    """The largest sum that any input can give: it decides what is exact."""
    if not nodes:
        return []
    bounds = {facts.report.name: facts.report.accumulator_bound or 0 for facts in nodes}
    name = max(bounds, key=bounds.__getitem__)
    largest = bounds[name]
    certified = sum(facts.report.certified for facts in nodes)
    return [
        f"largest sum for any input: {largest:,} in {name}, {largest / FLOAT32_EXACT:.3f} of "
        f"2^24, {largest / INT32_LIMIT:.4f} of 2^31",
        f"{certified} of {plural(len(nodes), 'node')} with sums certified: at most 2^24, so "
        "that onnxruntime computes the same bits for every input",
    ]
