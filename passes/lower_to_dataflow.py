"""
`--lower-to-dataflow`: tensor operations become transfers and computations.

Every movement between DDR and memtiles becomes a LOAD, LOADW or WRITE; every operation
becomes its passes, tiles and stages of LOADFM, LOADWDM, a computation and WRITEFM
(section 4.4 of the paper).  What must wait for what is in tokens, found from the bytes
that the instructions touch:

    %y = qnn.conv2d %m, %v {dataflow.place = …, subvolume = …, packed = …} : …
    // bsc-opt --lower-to-dataflow
    dataflow.layer "conv1" op "conv2d"
    dataflow.stage "head"
    %a = dataflow.loadfm "memtile 0x01c00 core 0x2480|0x4080 iter 1 h=6 w=[15,…] …" after %w
    %b = dataflow.conv "iteration 1 in=0x2480|0x4080 …" after %a
    %c = dataflow.writefm "memtile 0x0e000 core 0x6000|0x6800 iter 1 …" after %b

Needs all passes before it, from --split-width to --pack-weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from bsc.dialects.bsw import WeightOp
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.lowering.program import lower
from bsc.options import check_options, option

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class LowerToDataflowPass(ModulePass):
    """Replace the network by a program called `program`."""

    name = "lower-to-dataflow"

    program: str = option(
        "main",
        "the name of the program",
        "a name of letters, digits and _, beginning with none of the digits",
        lambda name: _NAME.fullmatch(name) is not None,
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network = Network(op)
        program = lower(network, arch_of(op), self.program)
        op.body.block.insert_op_before(program, network.main)
        Rewriter.erase_op(network.main)
        for weight in list(op.ops):
            if isinstance(weight, WeightOp):
                Rewriter.erase_op(weight)
