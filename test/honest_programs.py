"""Four small programs that between them use nearly all of the instruction set.

`chain` is a padded residual network on 4 x 4 cores, in stages of head, body and tail;
`squeezed` a sparse network on 2 x 2
cores with so little memory that it is split in COUT and CIN and spilled to DDR; `mixed` has
pools, depthwise, dense, concat, sums and products, on 3 x 2 cores; `gated` squeezes, takes a
function from a table, multiplies each channel and enlarges, on 2 x 3 cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from qdq_models import Array, QdqBuilder, random_input
from varied_networks import compiled, specs_with

from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program
from bsc.errors import BscError
from bsc.sim import run_program

Results = dict[str, Array]


@dataclass(frozen=True)
class Subject:
    """A program, what it is run on, and the model that it comes from."""

    model: onnx.ModelProto
    text: str
    blob: Bytes
    inputs: dict[str, Array]


def _chain() -> tuple[onnx.ModelProto, Arch]:
    b = QdqBuilder(1)
    x = b.conv(b.input((1, 5, 12, 11)), 16, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    y = b.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    z = b.binary("Add", x, y, "Relu")
    out = b.conv(z, 20, (3, 3), strides=(2, 2), pads=(1, 1, 1, 1), bias=np.int8)
    return b.model(out, name="chain"), Arch("chain", rows=4, cols=4)


def _squeezed() -> tuple[onnx.ModelProto, Arch]:
    b = QdqBuilder(2)
    x = b.input((1, 88, 4, 4))
    y = b.conv(x, 8, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    (weight,) = (t for t in b.initializers.values() if list(t.dims) == [8, 88, 3, 3])
    values = onnx.numpy_helper.to_array(weight).copy()
    for block in b.rng.choice(11, 5, replace=False):
        values[:, 8 * block : 8 * block + 8] = 0
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    z = b.binary("Add", x, b.conv(y, 88))
    arch = Arch(
        "squeezed",
        rows=2,
        cols=2,
        memtile_bytes=4096,
        core_data_bytes=2048,
        core_scratch_bytes=2048,
    )
    return b.model(z, y, name="squeezed"), arch


def _mixed() -> tuple[onnx.ModelProto, Arch]:
    b = QdqBuilder(3)
    x, other = b.input((1, 12, 9, 7)), b.input((1, 12, 9, 7), pos=5)
    y = b.conv(b.binary("Add", x, other), 12, (3, 3), pads=(1, 1, 1, 1), groups=12)
    most = b.pool("MaxPool", y, (3, 3), (2, 2), (1, 1, 1, 1))
    mean = b.pool("AveragePool", other, (3, 3), (2, 2), (1, 1, 1, 1), pos=6)
    # One pixel is a window that cannot be cut, in a program where the others are.
    pixel = b.pool("AveragePool", other, (1, 1), (2, 2), pos=6)
    both = b.concat([b.binary("Mul", most, mean), pixel, most])
    scores = b.gemm(b.flatten(b.global_pool(both), rounded=True), 10)
    arch = Arch("mixed", rows=3, cols=2, memtile_bytes=16384, core_data_bytes=8192)
    return b.model(scores, both, name="mixed"), arch


def _gated() -> tuple[onnx.ModelProto, Arch]:
    b = QdqBuilder(4)
    x = b.conv(b.input((1, 6, 7, 8)), 16, (3, 3), pads=(1, 1, 1, 1))
    gate = b.unary("HardSigmoid", b.conv(b.global_pool(x), 16), 7, alpha=1 / 6)
    y = b.binary("Mul", x, gate)
    scales = b.constant(np.array([1, 1, 2, 2], np.float32), "scales")
    modes = {"mode": "nearest", "nearest_mode": "floor"}
    modes["coordinate_transformation_mode"] = "asymmetric"
    z = b.node("Resize", [y.name, "", scales], **modes)
    large = b.quantize(z, (1, 16, 14, 16), y.pos)
    arch = Arch("gated", rows=2, cols=3, memtile_bytes=16384, core_data_bytes=8192)
    return b.model(large, y, name="gated"), arch


_MODELS: dict[str, Callable[[], tuple[onnx.ModelProto, Arch]]] = {
    "chain": _chain,
    "squeezed": _squeezed,
    "mixed": _mixed,
    "gated": _gated,
}
NAMES = tuple(_MODELS)

_BY_HAND = {
    "chain": {"select-subvolume": "rows=3 cin=16 stationary=weights"},
    "squeezed": {"split-width": "factor=2"},
    "mixed": {"split-window": "factor=2"},
    "gated": {"select-subvolume": "rows=3 width=3"},
}
"""Options of passes: what tests need is not left to what the compiler finds best."""


@cache
def subject(name: str) -> Subject:
    """One of the four."""
    model, arch = _MODELS[name]()
    text, blob = compiled(model, arch, specs_with(_BY_HAND[name]))
    return Subject(model, text, blob, random_input(model, 0))


def results(text: str, blob: Bytes, inputs: dict[str, Array]) -> Results:
    """All that a program says and makes: its outputs, its tensors, and the names of those
    that it does not make."""
    program = parse_program(text)
    run = run_program(program, blob, inputs, every_tensor=True)
    return {
        **{f"tensor {name}": value for name, value in run.tensors.items()},
        **{f"other {name}": value for name, value in run.others.items()},
        **{f"output {name}": value for name, value in run.outputs.items()},
        **{f"elided {elided.onnx_name}": np.zeros(0) for elided in program.elided},
    }


def noticed(text: str, blob: Bytes, inputs: dict[str, Array], wanted: Results) -> str:
    """How a changed program is found out: by an `error`, or by results of other `names` or
    `values`; empty if it is not."""
    try:
        found = results(text, blob, inputs)
    except BscError:
        return "error"
    if found.keys() != wanted.keys():
        return "names"
    same = all(
        found[name].dtype == value.dtype and np.array_equal(found[name], value)
        for name, value in wanted.items()
    )
    return "" if same else "values"
