"""From the `dataflow` dialect to the program text: the target `bsc-asm`.

    bsc-opt --bsc-compile model.onnx -t bsc-asm > program.asm

Each operation of a `dataflow.program` is one line.  What stands behind `##` is for the
reader and carries no meaning (`bsc.remarks`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException
from xdsl.utils.target import Target

from bsc.asm.canonical import trimmed
from bsc.asm.packed import Bytes
from bsc.asm.printer import print_program
from bsc.asm.program import (
    Alias,
    Elided,
    Layer,
    Lock,
    Port,
    Program,
    Ready,
    Stage,
    Tensor,
)
from bsc.dialects import instructions as code
from bsc.dialects.bsw import BlobOp
from bsc.dialects.instructions import InstrOp, ProgramOp
from bsc.dialects.machine import arch_or_default
from bsc.dialects.placement import Memory
from bsc.remarks import remarks


def program_op(module: ModuleOp) -> ProgramOp:
    """The program of a module.  Raises PassFailedException if there is none."""
    for op in module.ops:
        if isinstance(op, ProgramOp):
            return op
    raise PassFailedException("there is no dataflow.program: run --lower-to-dataflow first")


def blob_of(module: ModuleOp) -> BlobOp | None:
    """The packed weights of a module, if it has any."""
    return next((op for op in module.ops if isinstance(op, BlobOp)), None)


def build_program(module: ModuleOp) -> Program:
    """The program as data.  Raises PassFailedException if the module has none."""
    op = program_op(module)
    program = Program(op.sym_name.data, arch_or_default(module))
    blob = blob_of(module)
    if blob is not None and blob.data.data.size:
        program.blob_bytes = blob.data.data.size
        program.blob_sha256 = blob.data.data.digest
    for elided in op.elided or ():
        program.elided.append(Elided(elided.onnx_name.data, elided.reason.data))
    for item in op.body.ops:
        _ADD.get(type(item), _add_instr)(program, item)
    return program


def comments(module: ModuleOp) -> dict[int, str]:
    """What stands behind `##` on each line of the body, by its index."""
    return remarks(program_op(module))


def _add_instr(program: Program, op: Operation) -> None:
    if not isinstance(op, InstrOp):
        raise PassFailedException(f"{op.name} has no place in a program")
    # The dialect names every slot of a buffer, which locks are counted with.
    program.body.append(trimmed(op.data))


def _add_tensor(program: Program, op: Operation) -> None:
    assert isinstance(op, code.TensorOp)
    h, w, c = op.shape.get_values()
    ddr = None if op.ddr is None else op.ddr.value.data
    program.tensors[op.tensor.data] = Tensor(
        op.tensor.data,
        op.onnx_name.data,
        (h, w, c),
        op.element.data,
        op.pos.value.data,
        op.pixel.value.data,
        ddr,
        () if op.order is None else op.order.get_values(),
    )


def _add_port(program: Program, op: Operation) -> None:
    assert isinstance(op, code.PortOp)
    host = op.host
    port = Port(
        op.tensor.data,
        host.onnx_name.data,
        host.dtype.data,
        host.layout.data,
        host.shape,
        host.zero.data,
    )
    (program.inputs if op.direction.data == "input" else program.outputs).append(port)


def _add_alias(program: Program, op: Operation) -> None:
    assert isinstance(op, code.AliasOp)
    program.aliases.append(Alias(op.onnx_name.data, op.tensor.data))


def _add_lock(program: Program, op: Operation) -> None:
    assert isinstance(op, code.LockOp)
    program.locks[op.lock.data] = Lock(op.lock.data, op.tile.data, op.init.value.data)


def _add_layer(program: Program, op: Operation) -> None:
    assert isinstance(op, code.LayerOp)
    part = "" if op.part is None else op.part.data
    program.body.append(Layer(op.layer.data, part, op.kind.data))


def _add_stage(program: Program, op: Operation) -> None:
    assert isinstance(op, code.StageOp)
    program.body.append(Stage(op.label.data))


def _add_ready(program: Program, op: Operation) -> None:
    assert isinstance(op, code.ReadyOp)
    place = op.place.data
    if place.memory is Memory.DDR:
        program.body.append(Ready(op.tensor.data))
        return
    assert place.spread is not None
    axis, bounds = place.spread
    program.body.append(Ready(op.tensor.data, place.address, axis.value, bounds))


_ADD: dict[type[Operation], Callable[[Program, Operation], None]] = {
    code.TensorOp: _add_tensor,
    code.PortOp: _add_port,
    code.AliasOp: _add_alias,
    code.LockOp: _add_lock,
    code.LayerOp: _add_layer,
    code.StageOp: _add_stage,
    code.ReadyOp: _add_ready,
}


def weights_of(module: ModuleOp) -> Bytes:
    """The content of `weights.bin`; empty without weights."""
    blob = blob_of(module)
    return np.zeros(0, np.uint8) if blob is None else blob.data.data.content


@dataclass(frozen=True)
class BscAsmTarget(Target):
    """Print the program text."""

    name = "bsc-asm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(print_program(build_program(module), comments(module)))
