"""
`--chain-locks`: tokens become lock acquire and release chains, with ping and pong.

Channels, links and cores take their own instructions in text order; everything else is up
to locks (counting semaphores, as on AIE2).  Within a stage the buffers of a core are handed
over from LOADFM to the computation to WRITEFM; head, body and tail have locks of their own,
and the body's pong one more:

    %a = dataflow.loadfm "memtile 0x01c00 core 0x4080|0x2480 iter 9 …" after %w
    %b = dataflow.conv "iteration 9 …" after %a
    // bsc-opt --chain-locks
    %a = dataflow.loadfm "Lock k_2|k_2p memtile 0x01c00 core 0x4080|0x2480 iter 9 … acq=f_in"
    %b = dataflow.conv "iteration 9 … acq=k_2|k_2p,f_out rel=f_in,k_3|k_3p"

`bsc.lowering.locks` tells what the families are for.  Needs --lower-to-dataflow.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from bsc.asm.isa import DDR_ENGINES
from bsc.codegen import program_op
from bsc.dialects.instructions import (
    InstrAttr,
    InstrOp,
    LayerOp,
    LockOp,
    ProgramOp,
    StageOp,
)
from bsc.dialects.machine import arch_of
from bsc.lowering.locks import LockChains, StageSteps, Step


@dataclass(frozen=True)
class ChainLocksPass(ModulePass):
    """Replace tokens by locks."""

    name = "chain-locks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        program = program_op(op)
        ops = [item for item in program.body.ops if isinstance(item, InstrOp)]
        if any(isinstance(item, LockOp) for item in program.body.ops):
            raise PassFailedException("the program has locks already")
        index: dict[SSAValue, int] = {item.token: i for i, item in enumerate(ops)}
        steps = [
            Step(i, item.data, [index[token] for token in item.after])
            for i, item in enumerate(ops)
        ]
        chains = LockChains(steps, _stages(program), arch_of(op).lock_max)
        chains.chain()
        first = program.body.block.first_op
        if first is None:
            return
        for lock in sorted(chains.locks.values()):
            declared = LockOp(lock.name, lock.tile, lock.init)
            program.body.block.insert_op_before(declared, first)
        for item, step in zip(ops, steps, strict=True):
            item.properties["instr"] = InstrAttr(step.chained())
            item.operands = []


def _stages(program: ProgramOp) -> list[StageSteps]:
    """The stages of a program; transfers from and to DDR stand alone."""
    found: list[StageSteps] = []
    label, layer, steps, count = "", 0, list[int](), 0
    for item in program.body.ops:
        alone = isinstance(item, InstrOp) and item.data.spec.engine in DDR_ENGINES
        if steps and (alone or isinstance(item, LayerOp | StageOp)):
            found.append(StageSteps(label, layer, tuple(steps)))
            steps = []
        if isinstance(item, LayerOp):
            layer += 1
        elif isinstance(item, StageOp):
            label = item.label.data
        elif isinstance(item, InstrOp):
            if alone:
                found.append(StageSteps("", layer, (count,)))
            else:
                steps.append(count)
            count += 1
    if steps:
        found.append(StageSteps(label, layer, tuple(steps)))
    return found
