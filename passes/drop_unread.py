"""
`--drop-unread`: leave out what nothing reads.

A model may have layers whose results nobody needs: a head that is left from training, an output
that was taken away.  They change no output of the network: neither are they computed, nor are
their weights stored, and what they read may have one reader left, and be fused with that:

    %a = qnn.conv2d %x, %v : … loc("conv1")
    %b = qnn.max_pool %a {kernel = [2, 2]} : … loc("pool1")
    %y = qnn.requantize %a : …
    func.return %y : …
    // bsc-opt --drop-unread
    %a = qnn.conv2d %x, %v : … loc("conv1")
    %y = qnn.requantize %a : …
    func.return {qnn.elided = [#qnn.elided<"pool1", "nothing reads it">]} %y : …

Inputs and outputs of the network stay.  Needs no other pass; comes first, as it is the whole
model that shows what is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp, InsertSliceOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from bsc.dialects.bsw import GetOp, SliceOp, WeightOp
from bsc.dialects.network import Network
from bsc.dialects.qnn_attributes import ELIDED, ElidedAttr, elided_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import tensor_name

_REASON = "nothing reads it"
_ON_TENSORS = ComputeOp, ExtractSliceOp, InsertSliceOp, EmptyOp, GetOp, SliceOp
"""What does nothing but to make its result."""


@dataclass(frozen=True)
class DropUnreadPass(ModulePass):
    """Erase operations without readers, and weights that nothing gets."""

    name = "drop-unread"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network = Network(op)
        dropped = [each for each in reversed(network.block.ops) if _erase_if_unread(each)]
        elided = [entry for each in reversed(dropped) for entry in _entries(each)]
        last = network.block.last_op
        if elided and last is not None:
            last.attributes[ELIDED] = ArrayAttr([*elided_of(last), *elided])
        if dropped:
            _drop_weights(op)


def _erase_if_unread(op: Operation) -> bool:
    """Erase an operation on tensors if nobody uses its result; whether it was."""
    unread = isinstance(op, _ON_TENSORS) and not any(result.uses for result in op.results)
    if unread:
        Rewriter.erase_op(op)
    return unread


def _entries(op: Operation) -> list[ElidedAttr]:
    """The tensors of the model that an operation made, or listed."""
    made = tensor_name(op.location) if isinstance(op, ComputeOp | InsertSliceOp) else None
    own = [] if made is None else [ElidedAttr(made, _REASON)]
    return [*elided_of(op), *own]


def _drop_weights(module: ModuleOp) -> None:
    """Erase the weights that nothing gets any more."""
    used = {op.symbol.string_value() for op in module.walk() if isinstance(op, GetOp)}
    for op in list(module.ops):
        if isinstance(op, WeightOp) and op.sym_name.data not in used:
            Rewriter.erase_op(op)
