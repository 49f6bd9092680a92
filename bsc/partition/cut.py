"""Where a model is cut, and the models that its parts are.

Parts are numbered by how often a value has gone between array and host on its way: even ones
are the array's, odd ones the host's.  What a node needs of an earlier part is an input of its
part.  Values cross as integers where the model has them: a DequantizeLinear, which is exact,
is repeated in each part that reads it, as constants are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from bsc.frontend.given import Given
from bsc.frontend.load import File, load
from bsc.frontend.survey import Survey, survey
from bsc.partition.inside import take_inside
from bsc.partition.types import input_types, survey_with_shapes, tensor_types


@dataclass(frozen=True)
class Part:
    """A part of a model.  Its inputs and outputs have their names in the whole; `nodes` are
    the numbers that its nodes have there."""

    model: onnx.ModelProto
    on_array: bool
    nodes: tuple[int, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why a part for the array cannot be compiled, if so."""
        return survey(self.model).problems.error().problems if self.on_array else ()


def part_name(index: int, on_array: bool) -> str:
    """What the part number `index` is called: a folder for the array, a file for the host."""
    return f"part-{index}" if on_array else f"part-{index}.onnx"


def cut(
    source: str | Path | onnx.ModelProto | File, shapes: Given | None = None
) -> tuple[Part, ...]:
    """The parts of a quantized model, in an order in which they can run.

    `shapes` are the dimensions that the file leaves open, as `bsc.compile` has them; the parts
    leave none open, and have all their weights inside.

    Raises ModelError with everything that is wrong with the model and would be in parts, too.
    What is wrong with a part for the array by itself is found when it is compiled.
    """
    file = load(source)
    return cut_survey(file, survey_with_shapes(file, shapes))


def cut_survey(file: File, found: Survey) -> tuple[Part, ...]:
    """The parts of a model that somebody has looked at."""
    found.problems.of_parts().raise_if_any()
    graph = _Graph(file, found)
    return tuple(_extract(graph, _crossings(graph)))


def on_host(found: Survey) -> set[int]:
    """The numbers of the nodes that are the host's where a model is cut."""
    return found.state.hosted.keys() | found.state.tail


class _Graph:
    """The nodes of a model in order, and the part that each belongs to."""

    def __init__(self, file: File, found: Survey) -> None:
        self.file, self.model, self.found = file, file.model, found
        self.named = found.graph.nodes
        self.nodes = [self.model.graph.node[node.index] for node in self.named]
        self.makers = {name: i for i, n in enumerate(self.nodes) for name in n.output if name}
        self.outputs = {value.name for value in self.model.graph.output}
        self.constants = {name for name in found.graph.constants if name not in self.makers}
        self.inputs = input_types(file, found)
        hosted, shared = on_host(found), found.state.shared
        self.hosted = {i for i, node in enumerate(self.named) if node.index in hosted}
        self.shared = {i for i, node in enumerate(self.named) if node.index in shared}
        self.repeated = self._repeated()
        self.home = self._homes()
        self.numbers = sorted({number for number in self.home if number is not None})

    def _repeated(self) -> set[int]:
        """The nodes that every part has which needs them: they cost nothing, and are exact."""
        constant = set(self.constants)
        repeated: set[int] = set()
        for i, node in enumerate(self.nodes):
            if all(name in constant for name in node.input if name):
                constant.update(node.output)
                repeated.add(i)
            elif node.op_type == "DequantizeLinear" or i in self.shared:
                repeated.add(i)
        return repeated

    def _homes(self) -> list[int | None]:
        """The number of the part that each node belongs to.

        A node that is repeated belongs to none, unless the user reads it, which is the host's.
        """
        stage: dict[str, int] = {}
        found: list[int | None] = []
        for i, node in enumerate(self.nodes):
            number = max((stage.get(name, 0) for name in node.input), default=0)
            if i not in self.repeated:
                number += number % 2 != (i in self.hosted)
            stage |= dict.fromkeys(node.output, number)
            if i not in self.repeated:
                found.append(number)
            else:
                found.append(None if self.outputs.isdisjoint(node.output) else number | 1)
        return found

    def members(self, number: int) -> set[int]:
        """The nodes of a part, with those that are repeated in it."""
        nodes = self.nodes
        found = {i for i, home in enumerate(self.home) if home == number}
        stack = list(found)
        while stack:
            for name in nodes[stack.pop()].input:
                maker = self.makers.get(name)
                if maker in self.repeated and maker not in found:
                    found.add(maker)
                    stack.append(maker)
        return found

    def needs(self, members: set[int]) -> dict[str, None]:
        """The tensors that come to a part from the graph's inputs or from other parts."""
        return {
            name: None
            for i in sorted(members)
            for name in self.nodes[i].input
            if name in self.inputs or (name in self.makers and self.makers[name] not in members)
        }


def _crossings(graph: _Graph) -> dict[str, onnx.ValueInfoProto]:
    """Type and shape of each tensor that goes from part to part."""
    names = {
        name: None
        for number in graph.numbers
        for name in graph.needs(graph.members(number))
        if name in graph.makers
    }
    return tensor_types(graph.file, graph.found, names) if names else {}


def _extract(graph: _Graph, crossings: Mapping[str, onnx.ValueInfoProto]) -> Iterator[Part]:
    """The parts as models; where there is nothing to do, there is no part."""
    source = graph.model.graph
    inputs = graph.inputs | dict(crossings)
    outputs = {value.name: value for value in source.output} | dict(crossings)
    for number in graph.numbers:
        members = graph.members(number)
        made = {name for i in members for name in graph.nodes[i].output}
        results = [n for n in outputs if n in made and graph.home[graph.makers[n]] == number]
        if not results:
            continue
        order = sorted(members)
        used = {name for i in members for name in graph.nodes[i].input}
        part = onnx.ModelProto(ir_version=graph.model.ir_version)
        part.opset_import.extend(graph.model.opset_import)
        part.graph.name = f"{source.name} part {number}"
        part.graph.node.extend(graph.nodes[i] for i in order)
        for node, i in zip(part.graph.node, order, strict=True):
            # One without a name is called by its number, which is another one in the part.
            node.name = graph.named[i].name
        part.graph.input.extend(inputs[name] for name in graph.needs(members))
        part.graph.output.extend(outputs[name] for name in results)
        part.graph.initializer.extend(t for t in source.initializer if t.name in used)
        part.graph.sparse_initializer.extend(
            t for t in source.sparse_initializer if t.values.name in used
        )
        take_inside(part, graph.file)
        yield Part(part, number % 2 == 0, tuple(graph.named[i].index for i in order))
