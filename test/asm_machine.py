"""A simulated machine to try single instructions on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.instr_parser import parse_words
from bsc.asm.program import Instr, Lock, Program, Tensor
from bsc.sim.locks import LockBank
from bsc.sim.memory import Machine
from bsc.sim.put import Put
from bsc.sim.resolved import Resolved
from bsc.sim.tags import Data, tag_of
from bsc.sim.transfers import move, parts

Bytes = npt.NDArray[np.uint8]


def small_arch(rows: int = 1, cols: int = 1, memtile: int = 4096) -> Arch:
    """A machine with small memories."""
    return Arch("test", rows, cols, memtile_bytes=memtile, core_data_bytes=8192)


def machine_of(
    arch: Arch, tensors: tuple[Tensor, ...] = (), blob: Bytes | None = None
) -> Machine:
    """Its memories, with nothing in them."""
    program = Program("test", arch, tensors={tensor.name: tensor for tensor in tensors})
    return Machine(program, np.zeros(0, np.uint8) if blob is None else blob)


def locks_of(arch: Arch, *locks: Lock) -> LockBank:
    """Its locks, at their initial values."""
    return LockBank(Program("test", arch, locks={lock.name: lock for lock in locks}))


def instr_of(text: str) -> Instr:
    """An instruction from its words."""
    return parse_words(text.split(), 0)


def do(puts: Iterable[Put]) -> None:
    """Put everything where it belongs, one after another."""
    for put in puts:
        put.do()


def run_transfer(machine: Machine, text: str) -> None:
    """All iterations of a transfer, on all of the machine."""
    resolved = Resolved(instr_of(text), machine.arch)
    for iteration in range(resolved.instr.count):
        for part in range(parts(resolved.instr.spec.engine, machine.arch)):
            do(move(machine, resolved, iteration, part))


def int8_data(values: npt.NDArray[np.int8], pos: int = 0) -> Data:
    """Numbers as the memories hold them."""
    return Data(values.view(np.uint8), tag_of(np.int8, pos))
