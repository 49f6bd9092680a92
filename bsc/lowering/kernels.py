"""The fields of a computation that follow from the operation alone."""

from __future__ import annotations

import numpy as np

from bsc.asm.program import FieldValue, Post
from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import position_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.numerics import Rounding


def kernel_fields(
    op: ComputeOp, block: tuple[int, int] | None
) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
    """The constant fields, and the names of the fields for the buffers of the sources."""
    fields: dict[str, FieldValue] = {}
    steps = op.steps()
    if steps:
        fields["post"] = Post(steps)
    if op.mode is not Rounding.HALF_EVEN:
        fields["rounding"] = op.mode.value
    fields["xpos"] = position_of(op.reads()[0].value.type)
    if isinstance(op, qnn.WeightedOp):
        assert block is not None
        return _weighted(op, fields, block)
    if isinstance(op, qnn.BinaryOp):
        fields["ypos"] = position_of(op.rhs.type)
        fields["s2"] = (op.repeats.h.stride, op.repeats.w.stride)
        return fields, ("in", "in2")
    if isinstance(op, qnn.LookupOp):
        fields["table"] = np.array(op.entries, np.int8).tobytes().hex()
        fields["tpos"] = op.table_pos.value.data
    elif isinstance(op, qnn.GlobalAvgPoolOp):
        fields["count"] = "window"
    elif isinstance(op, qnn.AvgPoolOp) and not op.yields_partial_sum:
        if op.count is not None:
            fields["elements"] = op.count.value.data
        else:
            fields["count"] = "window" if op.count_pad is not None else "inside"
    return fields, ("in", "part") if isinstance(op, qnn.PoolOp) else ("in",)


def _weighted(
    op: qnn.WeightedOp, fields: dict[str, FieldValue], block: tuple[int, int]
) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
    operands = ["in"]
    fields["blk"] = block
    fields["wpos"] = op.weight_type.pos.data
    products = position_of(op.input.type) + op.weight_type.pos.data
    bias = op.weight_type.bias_pos
    fields["bpos"] = products if bias is None else bias
    if op.partial is not None:
        operands.append("part")
        fields["ppos"] = position_of(op.partial.type)
    if op.residual is not None:
        operands.append("res")
    if op.yields_partial_sum:
        fields["opos"] = op.pos
    return fields, tuple(operands)
