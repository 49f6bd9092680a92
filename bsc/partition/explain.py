"""What becomes of each node of a model in parts: `bsc explain --partition`.

A part of the array is explained as the model that it is, so that what is said of it is what
`bsc compile --partition` finds when it compiles that part.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import onnx

from bsc.blocks import DEFAULT_SHAPE, parse_block
from bsc.frontend.explain import Explanation, NodeFacts, explain_survey
from bsc.frontend.given import Given
from bsc.frontend.load import load
from bsc.frontend.report import NodeReport
from bsc.frontend.survey import Survey, survey
from bsc.partition.cut import Part, cut_survey, on_host, part_name
from bsc.partition.types import survey_with_shapes


def explain(
    model: str | Path | onnx.ModelProto,
    shapes: Given | None = None,
    block: str = DEFAULT_SHAPE,
) -> Explanation:
    """As `bsc.explain`, of a model that is cut into parts; each node says in which it is.

    A model that cannot be cut is explained without parts.
    """
    parse_block(block)
    file = load(model)
    found = survey_with_shapes(file, shapes)
    whole = explain_survey(found, block)
    remaining = found.problems.of_parts()
    nodes = _hosted(whole.nodes, found, remaining.of_nodes())
    if remaining:
        return replace(whole, nodes=nodes, problems=remaining.error().problems)
    return _with_parts(replace(whole, nodes=nodes), cut_survey(file, found), block)


def _hosted(
    nodes: tuple[NodeFacts, ...], found: Survey, problems: Collection[int]
) -> tuple[NodeFacts, ...]:
    """The facts, with what the host computes between layers of the array as the host's."""
    hosted = on_host(found)
    return tuple(
        replace(facts, report=_on_host(facts.report, found.state.hosted.get(node.index, "")))
        if node.index in hosted and node.index not in problems and facts.report.where != "host"
        else facts
        for node, facts in zip(found.graph.listed, nodes, strict=True)
    )


def _on_host(report: NodeReport, why: str) -> NodeReport:
    own = f" (it {why})" if why else ""
    reason = f"{report.op_type} between parts of the array: done by the host{own}"
    return NodeReport(report.name, report.op_type, "host", reason)


def _with_parts(whole: Explanation, parts: tuple[Part, ...], block: str) -> Explanation:
    """The explanation of the whole, where a part says more with that of the part."""
    nodes, of_array = list(whole.nodes), set[int]()
    warnings: list[str] = []
    problems: dict[str, None] = {}
    for number, part in enumerate(parts):
        name = part_name(number, part.on_array)
        if part.on_array:
            found = explain_survey(survey(part.model), block)
            for index, facts in zip(part.nodes, found.nodes, strict=True):
                if index not in of_array:
                    nodes[index] = replace(facts, parts=nodes[index].parts)
            of_array.update(part.nodes)
            warnings += found.warnings
            problems |= dict.fromkeys(found.problems)
        for index in part.nodes:
            nodes[index] = replace(nodes[index], parts=(*nodes[index].parts, name))
    return replace(
        whole, nodes=tuple(nodes), warnings=tuple(warnings), problems=tuple(problems)
    )
