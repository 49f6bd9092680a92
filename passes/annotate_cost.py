"""
`--annotate-cost`: when each instruction starts, how long it takes, and what bounds it.

    %b = dataflow.conv "iteration 9 …"
    // bsc-opt --annotate-cost
    %b = dataflow.conv "iteration 9 …" cost <start 48600.000, duration 91600.000, "compute">

Times are nanoseconds under the chosen `timing`; `serial` has the paper's rules (section
4.5), `overlap` is what the locks allow and needs --chain-locks.  The network's total and its
lower bound go on the program.  Needs --lower-to-dataflow.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FloatAttr, ModuleOp, f64
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from bsc.codegen import build_program, program_op
from bsc.cost.network import TIMINGS, cost_of
from bsc.dialects.instructions import CostAttr, InstrOp
from bsc.options import check_options, choice


@dataclass(frozen=True)
class AnnotateCostPass(ModulePass):
    """Attach start, duration and bound to every instruction."""

    name = "annotate-cost"

    timing: str = choice(TIMINGS[0], "the rules of what runs beside what", TIMINGS)

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        program = program_op(op)
        if self.timing == "overlap" and any(item.operands for item in program.body.ops):
            raise PassFailedException("overlap is what locks allow: run --chain-locks first")
        cost = cost_of(build_program(op), self.timing)
        instrs = [item for item in program.body.ops if isinstance(item, InstrOp)]
        for item, span in zip(instrs, cost.spans, strict=True):
            values = (span.start * 1e9, span.duration * 1e9, span.bound)
            item.properties["cost"] = CostAttr(values)
        program.attributes["total_s"] = FloatAttr(cost.total_s, f64)
        program.attributes["lower_bound_s"] = FloatAttr(cost.lower_bound_s, f64)
