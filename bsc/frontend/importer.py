"""From a file to a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from xdsl.dialects.builtin import ModuleOp

from bsc.frontend.builder import Argument
from bsc.frontend.given import Given
from bsc.frontend.graph import Dims
from bsc.frontend.report import NodeReport, reports
from bsc.frontend.survey import survey
from bsc.frontend.views import View


@dataclass(frozen=True)
class Imported:
    """A model as a module of `qnn` and `bsw`.

    `nodes` says of each ONNX node where it runs and why, in the order of the file.
    `views` says of each quantized tensor of the array, by its ONNX name, how it lies in the
    value that holds it; `inputs` has the shape of each graph input.  `arguments` are those of
    the function, made of quantized tensors.
    """

    module: ModuleOp
    nodes: tuple[NodeReport, ...]
    views: Mapping[str, View]
    inputs: Mapping[str, Dims]
    arguments: tuple[Argument, ...]

    @property
    def shapes(self) -> Mapping[str, Dims]:
        """The ONNX shape of each quantized tensor of the array by its ONNX name."""
        return {name: view.dims for name, view in self.views.items()}


def import_onnx(source: str | Path | onnx.ModelProto, given: Given | None = None) -> Imported:
    """Import a quantized model in QDQ form: a file, or a model in memory.

    `given` are the dimensions that the file leaves open: the value of a symbol (`batch`), or
    the whole shape of an input, by name.  The weights of a model in memory, or mapped from
    files beside the model, are shared where their layout allows.

    Raises ModelError with everything that is wrong with the model, one line a problem.
    """
    found = survey(source, given)
    found.problems.raise_if_any()
    module = found.state.builder.finish(found.results)
    inputs = {d.name: d.known for d in found.graph.inputs if d.known is not None}
    arguments = tuple(found.state.builder.arguments)
    return Imported(module, reports(found), found.state.quantized, inputs, arguments)
