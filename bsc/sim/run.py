"""Running a program in the order of its text (`bsc.asm.order`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bsc.asm.order import stage_order, units
from bsc.asm.packed import Bytes
from bsc.asm.program import Instr, IntArray, Program, Ready, Tensor
from bsc.errors import BscError
from bsc.geometry import CHANNEL_GRANULE
from bsc.numerics import Ints
from bsc.sim import host
from bsc.sim.box import Box
from bsc.sim.kernels import compute
from bsc.sim.locks import LockBank
from bsc.sim.memory import Machine
from bsc.sim.put import Put
from bsc.sim.resolved import Resolved
from bsc.sim.tags import Data, expect, tag_of
from bsc.sim.threads import one_thread
from bsc.sim.transfers import move, parts


@dataclass
class Result:
    """`outputs` and, if asked for, every one of the `tensors` that the program makes, by ONNX
    name; those that only the program has a name for (partial sums) are `others`.

    Outputs have their ONNX dimensions; tensors are (1, C, H, W), int8 or, among the others,
    int32.
    """

    outputs: dict[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])
    tensors: dict[str, Ints] = field(default_factory=dict[str, Ints])
    others: dict[str, Ints] = field(default_factory=dict[str, Ints])


def run_program(
    program: Program,
    blob: Bytes,
    inputs: Mapping[str, npt.NDArray[Any]],
    every_tensor: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Simulate `program` on `inputs` (by ONNX name, as the ONNX model takes them).

    `progress(done, all)` is called after each instruction.  Raises BscError, with the line
    of the program, for anything that the machine could not do or that the text gets wrong.
    """
    check_blob(program, blob)
    with one_thread():
        return _run(program, blob, inputs, every_tensor, progress)


def _run(
    program: Program,
    blob: Bytes,
    inputs: Mapping[str, npt.NDArray[Any]],
    every_tensor: bool,
    progress: Callable[[int, int], None] | None,
) -> Result:
    machine, locks = Machine(program, blob), LockBank(program)
    host.store_inputs(machine, program, inputs)
    result = Result()
    done, total = 0, len(program.body)
    for _, unit in units(program):
        if isinstance(unit, Ready):
            if every_tensor:
                _capture(machine, program, unit, result)
            done += 1
        else:
            _run_stage(machine, locks, unit)
            done += len(unit)
        if progress is not None:
            progress(done, total)
    locks.check_end()
    check_memories(machine)
    for port in program.outputs:
        result.outputs[port.onnx_name] = host.load_output(machine, program, port)
    return result


def check_blob(program: Program, blob: Bytes) -> None:
    """The blob must be the one that the program was printed with.  Raises BscError."""
    digest = hashlib.sha256(blob.data).hexdigest() if blob.size else ""
    if blob.size != program.blob_bytes or digest != program.blob_sha256:
        raise BscError("weights.bin is not the blob of this program: size or hash differ")


def _run_stage(machine: Machine, locks: LockBank, instrs: list[Instr]) -> None:
    current, iteration = instrs[0], 0
    try:
        resolved = [Resolved(instr, machine.arch) for instr in instrs]
        for index, iteration in stage_order(instrs):
            current = instrs[index]
            locks.acquire(current, iteration)
            _execute(machine, resolved[index], iteration)
            locks.release(current, iteration)
    except BscError as e:
        raise BscError(
            f"line {current.line}: {current.mnemonic}, iteration {iteration}: {e}"
        ) from None


def operate(machine: Machine, resolved: Resolved, iteration: int, part: int) -> Iterator[Put]:
    """What one part of one iteration of an instruction puts where."""
    if resolved.instr.spec.is_compute:
        return compute(machine, resolved, iteration, *divmod(part, machine.arch.cols))
    return move(machine, resolved, iteration, part)


def _execute(machine: Machine, resolved: Resolved, iteration: int) -> None:
    for part in range(parts(resolved.instr.spec.engine, machine.arch)):
        for put in operate(machine, resolved, iteration, part):
            put.do()


def _capture(machine: Machine, program: Program, ready: Ready, result: Result) -> None:
    """Read a complete tensor where the program says that it is."""
    tensor = program.tensors[ready.tensor]
    dtype = np.int8 if tensor.type == "i8" else np.int32
    try:
        if tensor.pixel % dtype().itemsize:
            raise BscError(
                f"{tensor.pixel} bytes of a pixel are no whole {tensor.type} numbers"
            )
        pieces = _pieces(machine, tensor, ready)
        for piece in pieces:
            expect(piece.tag, tag_of(dtype, tensor.pos), "it")
    except BscError as e:
        raise BscError(f"line {ready.line}: {ready.tensor} is not ready: {e}") from None
    raw = np.concatenate([piece.bytes for piece in pieces], axis=2 if ready.axis == "c" else 1)
    values = np.ascontiguousarray(raw).view(dtype)[:, :, : tensor.shape[2]]
    if tensor.order:
        values = values[:, :, _places(tensor)]
    nchw = np.ascontiguousarray(values.transpose(2, 0, 1))[None]
    if not tensor.onnx_name:
        result.others[tensor.name] = nchw
        return
    names = [tensor.onnx_name]
    names += [alias.onnx_name for alias in program.aliases if alias.of == ready.tensor]
    result.tensors |= dict.fromkeys(names, nchw)


def _places(tensor: Tensor) -> IntArray:
    """Where each channel of the model is stored."""
    each = np.array(tensor.order)[:, None] * CHANNEL_GRANULE + np.arange(CHANNEL_GRANULE)
    return np.argsort(each.reshape(-1))[: tensor.shape[2]]


def _pieces(machine: Machine, tensor: Tensor, ready: Ready) -> list[Data]:
    """What each memtile holds of a tensor, or all of it from DDR."""
    h, w, _ = tensor.shape
    if ready.memtile is None:
        return [machine.ddr.read(machine.ddr.tensor_box(tensor))]
    if ready.axis == "all":
        box = Box(ready.memtile, h, w, tensor.pixel, w * tensor.pixel, tensor.pixel)
        first, *others = (memtile.read(box) for memtile in machine.memtiles)
        if any(not np.array_equal(first.bytes, other.bytes) for other in others):
            raise BscError("the memtiles do not all hold the same")
        return [first]
    element = 1 if tensor.type == "i8" else 4
    found: list[Data] = []
    for col, (lo, hi) in enumerate(pairwise(ready.bounds)):
        width, pixel = (
            (hi - lo, tensor.pixel) if ready.axis == "w" else (w, (hi - lo) * element)
        )
        if hi > lo:
            box = Box(ready.memtile, h, width, pixel, width * pixel, pixel)
            found.append(machine.memtiles[col].read(box))
    return found


def check_memories(machine: Machine) -> None:
    """Nothing may be left over: all data must have been taken.  Raises BscError."""
    for col, memtile in enumerate(machine.memtiles):
        if count := memtile.unused_weights():
            raise BscError(f"memtile {col}: {count} bytes of weights were loaded and not used")
    for row, cores in enumerate(machine.cores):
        for col, core in enumerate(cores):
            if count := core.unused():
                raise BscError(f"core ({row}, {col}): {count} bytes were handed over unread")
