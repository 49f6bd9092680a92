"""The comparison that decides: an imported model against onnxruntime, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from qdq_models import Array, random_input
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from bsc import oracle
from bsc.dialects.slices import location_name
from bsc.frontend import Imported, import_onnx
from bsc.interpreter import run_every_tensor
from bsc.numerics import Int8


def main_of(imported: Imported) -> FuncOp:
    """The function of the module."""
    (main,) = (op for op in imported.module.ops if isinstance(op, FuncOp))
    return main


def operations(imported: Imported) -> list[Operation]:
    """The operations of `main` that compute."""
    return [op for op in main_of(imported).body.block.ops if op.name.startswith("qnn.")]


def argument_names(imported: Imported) -> list[str]:
    """The ONNX names of the arguments of `main`."""
    names = [location_name(arg.location) for arg in main_of(imported).body.block.args]
    return [name for name in names if name is not None]


def assert_exact(
    model: onnx.ModelProto, seed: int = 0, feeds: Mapping[str, Array] | None = None
) -> Imported:
    """Import `model`, run it on `feeds` or random values, and compare all quantized tensors
    with onnxruntime's."""
    imported = import_onnx(model)
    imported.module.verify()
    feeds = random_input(model, seed) if feeds is None else feeds
    expected = oracle.quantized_tensors(model, feeds, imported.views)
    views = imported.views
    inputs: list[Int8] = [argument.value(expected) for argument in imported.arguments]
    given = zip(main_of(imported).body.block.args, inputs, strict=True)
    found = {name: x for arg, x in given if (name := location_name(arg.location)) is not None}
    found |= run_every_tensor(imported.module, inputs)
    on_host = {node.name for node in imported.nodes if node.where == "host"}
    others = {
        name
        for i, node in enumerate(model.graph.node)
        if (node.name or f"{node.op_type}#{i}") in on_host
        for name in node.output
    }
    assert found.keys() == views.keys() <= expected.keys()
    assert expected.keys() - views.keys() <= others
    for name, tensor in ((name, expected[name]) for name in views):
        assert views[name].dims == tensor.shape
        np.testing.assert_array_equal(views[name].of_value(found[name]), tensor, err_msg=name)
    return imported
