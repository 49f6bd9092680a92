"""The order of a program's text, which everything else refers to.

From top to bottom is one legal interleaving of what the array does at once, and it says
for each read which write it must see.  A stage runs iteration by iteration: in each, its
instructions with one level of iterations run once, and a run of instructions with two
levels does all its inner iterations.  Transfers from and to DDR belong to no stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bsc.asm.isa import DDR_ENGINES
from bsc.asm.program import Instr, Layer, Program, Ready
from bsc.errors import BscError


def units(program: Program) -> Iterator[tuple[Layer, Ready | list[Instr]]]:
    """Stages, transfers from and to DDR on their own, and completed tensors; each with the
    layer that it belongs to."""
    layer = Layer(program.name, "", "")
    stage: list[Instr] = []
    for item in program.body:
        alone = isinstance(item, Instr) and item.spec.engine in DDR_ENGINES
        if (alone or not isinstance(item, Instr)) and stage:
            yield layer, stage
            stage = []
        match item:
            case Layer():
                layer = item
            case Ready():
                yield layer, item
            case Instr() if alone:
                yield layer, [item]
            case Instr():
                stage.append(item)
            case _:
                pass
    if stage:
        yield layer, stage


def stage_order(instrs: list[Instr]) -> Iterator[tuple[int, int]]:
    """The (instruction, iteration) pairs of a stage, in text order.

    Raises BscError if the instructions do not agree on the numbers of iterations.
    """
    outer = {instr.iters[0] for instr in instrs}
    inner = {instr.iters[1] for instr in instrs if len(instr.iters) == 2}
    if len(outer) != 1 or len(inner) > 1:
        counts = ", ".join(f"{i.mnemonic} {'x'.join(map(str, i.iters))}" for i in instrs)
        raise BscError(f"the instructions of a stage iterate together, not {counts}")
    runs = [
        (len(instrs[members[0]].iters), members)
        for _, group in groupby(range(len(instrs)), lambda i: len(instrs[i].iters))
        for members in [list(group)]
    ]
    for i in range(outer.pop()):
        for levels, members in runs:
            count = 1 if levels == 1 else instrs[members[0]].iters[1]
            for j in range(count):
                yield from ((index, i * count + j) for index in members)
