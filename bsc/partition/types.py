"""Types and shapes of tensors inside a model, as onnxruntime has them.

ONNX's own inference knows nothing of operators of other domains, as QOperator models have
them, so that it goes no further than the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnx
from onnx import TensorProto, helper

from bsc.errors import BscError, ModelError
from bsc.frontend.given import Given
from bsc.frontend.graph import Declared, Dims
from bsc.frontend.load import File
from bsc.frontend.survey import Survey, survey
from bsc.sessions import failures_in_a_line, open_session


def survey_with_shapes(file: File, shapes: Given | None) -> Survey:
    """A survey in which the shape of all that the host makes between layers is known."""
    found = survey(file, shapes)
    state = found.state
    if found.problems.of_parts() or not (state.undecided and state.hosted):
        return found
    hosted = [name for n in found.graph.nodes if n.index in state.hosted for name in n.outputs]
    types = tensor_types(file, found, filter(None, hosted))
    dims = {name: _dims(value) for name, value in types.items()}
    return survey(file, shapes, {name: known for name, known in dims.items() if known})


def input_types(file: File, found: Survey) -> dict[str, onnx.ValueInfoProto]:
    """The inputs of the graph, each with the shape that was found for it."""
    given = {declared.name: declared for declared in found.graph.inputs}
    listed = [value for value in file.model.graph.input if value.name in given]
    return {value.name: _fixed(value, given[value.name]) for value in listed}


def tensor_types(
    file: File, found: Survey, names: Iterable[str]
) -> dict[str, onnx.ValueInfoProto]:
    """Type and shape of tensors that nodes make."""
    trial = onnx.ModelProto()
    trial.CopyFrom(file.model)
    # What the file says of tensors may still have symbols.
    del trial.graph.output[:], trial.graph.value_info[:]
    trial.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    inputs = input_types(file, found)
    for value in trial.graph.input:
        value.CopyFrom(inputs.get(value.name, value))
    external = "" if file.folder is None else str(file.folder)
    try:
        with failures_in_a_line():
            session = open_session(trial, external=external)
    except BscError as e:
        raise ModelError(file.where, [str(e)]) from None
    return {value.name: _described(value) for value in session.get_outputs()}


def _fixed(value: onnx.ValueInfoProto, declared: Declared) -> onnx.ValueInfoProto:
    kind = value.type.tensor_type.elem_type
    return helper.make_tensor_value_info(value.name, kind, declared.known)


def _described(value: Any) -> onnx.ValueInfoProto:
    """What onnxruntime says of an output, as ONNX says it."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    return helper.make_tensor_value_info(
        value.name, TensorProto.DataType.Value(kind.upper()), value.shape
    )


def _dims(value: onnx.ValueInfoProto) -> Dims | None:
    """The dimensions, if all of them are known."""
    dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return dims if min(dims, default=0) > 0 else None
