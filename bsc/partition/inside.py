"""The weights of a model in other files, brought inside: a part is a model by itself.

Parts of the host are written into another folder, and a reference from there back to the
files of the whole would lead outside the folder, which no model may.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto

from bsc.errors import ModelError
from bsc.frontend.load import LARGEST_FILE, File
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.tensors import ExternalFiles, array_of, type_name


def take_inside(model: onnx.ModelProto, whole: File) -> None:
    """Read all weights of `model`, a part of `whole`, that are in other files.

    Raises ModelError if one cannot be read, or if the model gets larger than one can be.
    """
    files = ExternalFiles(whole.folder)
    outside = [t for t in _tensors(model.graph) if t.data_location == TensorProto.EXTERNAL]
    size = model.ByteSize()
    for tensor in outside:
        try:
            array = array_of(tensor, files)
        except Refusal as e:
            raise ModelError(whole.where, [f"tensor {quoted(tensor.name)}: {e}"]) from None
        if array is None:
            kind = type_name(tensor.data_type)
            raise ModelError(
                whole.where,
                [f"tensor {quoted(tensor.name)}: is {kind} in another file: save it inside"],
            )
        size += array.nbytes
        if size > LARGEST_FILE:
            raise ModelError(
                whole.where,
                [
                    f"tensor {quoted(tensor.name)}: with it a part has {size} bytes, and at "
                    f"most {LARGEST_FILE} are accepted"
                ],
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = array.tobytes()


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """All tensors of a graph, those of Constant nodes and the halves of sparse ones too."""
    yield from graph.initializer
    sparse = [*graph.sparse_initializer]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                sparse.append(attribute.sparse_tensor)
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices
