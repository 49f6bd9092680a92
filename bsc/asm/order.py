"""The order of a program's text, which everything else refers to.

From top to bottom is one legal interleaving of what the array does at once, and it says
for each read which write it must see.  A stage runs iteration by iteration: in each, its
instructions with one level of iterations run once, and a run of instructions with two
levels does all its inner iterations.  Transfers from and to DDR belong to no stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from bsc.asm.isa import DDR_ENGINES
from bsc.asm.program import Instr, IntArray, Layer, Program, Ready
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


def stage_order(instrs: Sequence[Instr]) -> list[tuple[int, int]]:
    """The (instruction, iteration) pairs of a stage, in text order.

    Raises BscError if the instructions do not agree on the numbers of iterations.
    """
    places = stage_places(instrs)
    order = np.argsort(np.concatenate(places))
    members = np.repeat(np.arange(len(instrs)), [len(place) for place in places])[order]
    iterations = np.concatenate([np.arange(len(place)) for place in places])[order]
    return list(zip(members.tolist(), iterations.tolist(), strict=True))


def stage_places(instrs: Sequence[Instr]) -> list[IntArray]:
    """Where each iteration of each instruction stands in the text order of a stage, from 0.

    Raises BscError if the instructions do not agree on the numbers of iterations.
    """
    outer = {instr.iters[0] for instr in instrs}
    inner = {instr.iters[1] for instr in instrs if len(instr.iters) == 2}
    if len(outer) != 1 or len(inner) > 1:
        counts = ", ".join(f"{i.mnemonic} {'x'.join(map(str, i.iters))}" for i in instrs)
        raise BscError(f"the instructions of a stage iterate together, not {counts}")
    length = sum(instr.iters[1] if len(instr.iters) == 2 else 1 for instr in instrs)
    places: list[IntArray] = []
    first = 0
    for levels, group in groupby(instrs, lambda instr: len(instr.iters)):
        run = list(group)
        turns = 1 if levels == 1 else run[0].iters[1]
        begins = first + np.arange(run[0].iters[0])[:, None] * length
        each = (begins + np.arange(turns) * len(run)).reshape(-1)
        places += [each + member for member in range(len(run))]
        first += turns * len(run)
    return places
