"""
`--verify-dataflow`: is the program one that the machine can run?

Checked, with the limit and the value in the message: memory of cores and memtiles, locks
and descriptors of a tile, that every byte that is read has been written, and that acquires
and releases balance and never wait in the order of the text.  Changes nothing.  Needs
--lower-to-dataflow; locks are checked once --chain-locks has run.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from bsc.codegen import build_program
from bsc.errors import BscError
from bsc.verify import verify_program


@dataclass(frozen=True)
class VerifyDataflowPass(ModulePass):
    """Check the program against the machine."""

    name = "verify-dataflow"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        try:
            verify_program(build_program(op))
        except BscError as e:
            raise PassFailedException(str(e)) from None
