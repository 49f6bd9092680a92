"""
`--verify-dataflow`: is the program one that the machine can run?

Checked, with the limit and the value in the message: memory of cores and memtiles, locks
and descriptors of a tile, that every byte that is read has been written, and the chains of
locks: that each lock joins one engine that releases with one that acquires, that they balance,
that no timing makes them wait for ever or rise above their limit, and that whatever touches
the same bytes, one of them writing, keeps the order of the text under any timing.  An error
names both instructions.  Changes nothing.  Needs --lower-to-dataflow; locks are checked once
--chain-locks has run.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from bsc.codegen import build_program, program_op
from bsc.errors import BscError
from bsc.verify import verify_program


@dataclass(frozen=True)
class VerifyDataflowPass(ModulePass):
    """Check the program against the machine."""

    name = "verify-dataflow"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        try:
            program = build_program(op)
            tokens = any(item.operands for item in program_op(op).body.ops)
            verify_program(program, chained=not tokens)
        except BscError as e:
            raise PassFailedException(str(e)) from None
