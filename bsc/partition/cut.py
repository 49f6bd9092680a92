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
from typing import Any

import onnx
from onnx import TensorProto, helper

from bsc.errors import BscError
from bsc.frontend.load import load
from bsc.frontend.survey import Survey, survey
from bsc.sessions import failures_in_a_line, open_session


@dataclass(frozen=True)
class Part:
    """A part of a model.  Its inputs and outputs have their names in the whole."""

    model: onnx.ModelProto
    on_array: bool


def cut(source: str | Path | onnx.ModelProto) -> tuple[Part, ...]:
    """The parts of a quantized model, in an order in which they can run.

    What else the array does not take is found when the parts are compiled.  Raises BscError for
    what is no model of ONNX, or has its weights in other files.
    """
    model = load(source).model
    if any(t.data_location == TensorProto.EXTERNAL for t in model.graph.initializer):
        raise BscError("a model is cut with its weights inside: save it in one file")
    graph = _Graph(model, survey(model))
    return tuple(_extract(graph, _crossings(graph)))


class _Graph:
    """The nodes of a model in order, and the part that each belongs to."""

    def __init__(self, model: onnx.ModelProto, found: Survey) -> None:
        self.model = model
        self.nodes = [model.graph.node[node.index] for node in found.graph.nodes]
        self.makers = {name: i for i, n in enumerate(self.nodes) for name in n.output if name}
        self.outputs = {value.name for value in model.graph.output}
        self.constants = {name for name in found.graph.constants if name not in self.makers}
        self.inputs = {declared.name for declared in found.graph.inputs}
        indices = [node.index for node in found.graph.nodes]
        state = found.state
        hosted = state.hosted.keys() | state.tail
        self.hosted = {i for i, index in enumerate(indices) if index in hosted}
        self.shared = {i for i, index in enumerate(indices) if index in state.shared}
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
    """Type and shape of each tensor that goes from part to part, as onnxruntime has them."""
    names = {
        name: None
        for number in graph.numbers
        for name in graph.needs(graph.members(number))
        if name in graph.makers
    }
    if not names:
        return {}
    trial = onnx.ModelProto()
    trial.CopyFrom(graph.model)
    del trial.graph.output[:]
    trial.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    with failures_in_a_line():
        session = open_session(trial)
    return {value.name: _described(value) for value in session.get_outputs()}


def _described(value: Any) -> onnx.ValueInfoProto:
    """What onnxruntime says of an output, as ONNX says it."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    return helper.make_tensor_value_info(
        value.name, TensorProto.DataType.Value(kind.upper()), value.shape
    )


def _extract(graph: _Graph, crossings: Mapping[str, onnx.ValueInfoProto]) -> Iterator[Part]:
    """The parts as models; where there is nothing to do, there is no part."""
    source = graph.model.graph
    inputs = {value.name: value for value in source.input} | dict(crossings)
    outputs = {value.name: value for value in source.output} | dict(crossings)
    for number in graph.numbers:
        members = graph.members(number)
        made = {name for i in members for name in graph.nodes[i].output}
        results = [n for n in outputs if n in made and graph.home[graph.makers[n]] == number]
        if not results:
            continue
        used = {name for i in members for name in graph.nodes[i].input}
        part = onnx.ModelProto(ir_version=graph.model.ir_version)
        part.opset_import.extend(graph.model.opset_import)
        part.graph.name = f"{source.name} part {number}"
        part.graph.node.extend(graph.nodes[i] for i in sorted(members))
        part.graph.input.extend(inputs[name] for name in graph.needs(members))
        part.graph.output.extend(outputs[name] for name in results)
        part.graph.initializer.extend(t for t in source.initializer if t.name in used)
        part.graph.sparse_initializer.extend(
            t for t in source.sparse_initializer if t.values.name in used
        )
        yield Part(part, number % 2 == 0)
