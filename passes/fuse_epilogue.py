"""
`--fuse-epilogue`: fold requantize (relu, clip) and residual add into the producer.

A core applies an epilogue while the exact sum is still in its registers, so a folded
operation costs no transfers.  Every rounding that the model has is kept, in its order:

    %c = qnn.conv2d %x, %w … -> tensor<…, #qnn.pos<4>>
    %s = qnn.add %c, %r : … -> tensor<…, #qnn.pos<3>>
    %y = qnn.requantize %s {epilogue = #qnn.epilogue<round 3 [0, 127]>} : …
    // bsc-opt --fuse-epilogue
    %y = qnn.conv2d %x, %w residual %r : …
           {epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>} : …

A concat becomes placement: each input is requantized straight into its channels of the
result, and that requantization is folded like any other:

    %y = qnn.concat %a, %b : …
    // bsc-opt --fuse-epilogue
    %0 = tensor.insert_slice %a into %empty[0, 0, 0, 0] [1, 8, 8, 32] [1, 1, 1, 1] …
    %y = tensor.insert_slice %b into %0[0, 0, 0, 32] [1, 8, 8, 32] [1, 1, 1, 1] …

So does `qnn.interleave`, whose inputs take turns with rows and columns:

    %y = qnn.interleave %a, %b {factor = array<i64: 1, 2>} : …
    // bsc-opt --fuse-epilogue
    %0 = tensor.insert_slice %a into %empty[0, 0, 0, 0] [1, 8, 8, 32] [1, 1, 2, 1] …
    %y = tensor.insert_slice %b into %0[0, 0, 1, 0] [1, 8, 8, 32] [1, 1, 2, 1] …

Tensors that are no longer made are listed, each with the reason, in `qnn.elided`.
Needs no other pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from bsc.dialects.network import Network
from bsc.dialects.qnn import (
    AddOp,
    ConcatOp,
    InterleaveOp,
    RequantizeOp,
    ReshapeOp,
    WeightedOp,
)
from bsc.dialects.qnn_attributes import (
    ELIDED,
    Add,
    ElidedAttr,
    EpilogueAttr,
    Step,
    elided_of,
    shape_of,
    tensor,
)
from bsc.dialects.qnn_base import ComputeOp, Operand
from bsc.dialects.slices import Box, insert, location_name, tensor_name
from bsc.numerics import Requant, Residual
from bsc.splitting import assemble, part_location
from bsc.storage import only_insert


@dataclass(frozen=True)
class FuseEpiloguePass(ModulePass):
    """Fold requantize and residual add into the producing operation."""

    name = "fuse-epilogue"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network = Network(op)
        for concat in network.compute_ops():
            if isinstance(concat, ConcatOp):
                _place_inputs(concat)
        order = {o: i for i, o in enumerate(network.block.ops)}
        # In order, so that a chain (conv, add, requantize) folds link by link.
        for user in network.compute_ops():
            if isinstance(user, RequantizeOp):
                _fold_requantize(user, order)
            elif isinstance(user, AddOp):
                _fold_add(user, order)
        for whole in network.compute_ops():
            if isinstance(whole, InterleaveOp):
                _place_pixels(whole, order)


def _place_inputs(concat: ConcatOp) -> None:
    """Replace a concat by requantizations into the channels of its result."""
    empty = EmptyOp([], concat.result.type)
    ops: list[Operation] = [empty]
    whole, first = empty.tensor, 0
    for value in concat.inputs:
        shape = shape_of(value.type)
        part = RequantizeOp(value, tensor(shape, concat.pos), concat.epilogue)
        if concat.rounding is not None:
            part.properties["rounding"] = concat.rounding
        part.location = part_location(
            value.owner, f"in {_name(concat)}, c {first}:{first + shape[3]}"
        )
        placed = insert(part.result, whole, Box((0, 0, 0, first), shape))
        ops += [part, placed]
        whole, first = placed.result, first + shape[3]
    ops[-1].location = concat.location
    whole.name_hint = concat.result.name_hint
    Rewriter.replace_op(concat, ops, [whole])


def _place_pixels(whole: InterleaveOp, order: dict[Operation, int]) -> None:
    """Replace an interleave by requantizations into the rows and columns of its result, and
    fold those."""
    parts: list[RequantizeOp] = []

    def requantized() -> Iterator[tuple[ComputeOp, Box]]:
        for value, box in zip(whole.inputs, whole.boxes(), strict=True):
            part = RequantizeOp(value, tensor(box.sizes, whole.pos), whole.epilogue)
            if whole.rounding is not None:
                part.properties["rounding"] = whole.rounding
            (_, row, column, _), (rows, columns) = box.offsets, box.steps
            part.location = part_location(whole, f"h {row}::{rows}, w {column}::{columns}")
            order[part] = order[whole]
            Rewriter.insert_op(part, InsertPoint.before(whole))
            parts.append(part)
            yield part, box

    assemble(whole, requantized())
    for part in parts:
        _fold_requantize(part, order)


def _fold_requantize(user: RequantizeOp, order: dict[Operation, int]) -> None:
    producer = user.input.owner
    if (
        not isinstance(producer, ComputeOp)
        # An alias has no arithmetic at all.
        or isinstance(producer, ReshapeOp)
        or not _can_absorb(producer, user)
    ):
        return
    values = [read.value for read in producer.reads()]
    operands = producer.with_reads(values, producer.weight_value)
    placed = only_insert(user.result)
    reason = f"its rounding is a step of the epilogue of {_name(user)}"
    if placed is not None:
        reason = f"it is written straight into {_name(placed)}"
    _replace(user, producer, operands, _steps(producer) + _steps(user), reason, order)


def _fold_add(user: AddOp, order: dict[Operation, int]) -> None:
    """Fold an add into the later of its producers, so that the other operand is there."""
    found: list[tuple[WeightedOp, SSAValue]] = []
    if shape_of(user.lhs.type) != shape_of(user.rhs.type):
        # A residual has a number for each output.
        return
    for value, other in ((user.lhs, user.rhs), (user.rhs, user.lhs)):
        producer = value.owner
        if (
            isinstance(producer, WeightedOp)
            and producer.residual is None
            and _can_absorb(producer, user)
        ):
            found.append((producer, other))
    if not found:
        return
    producer, other = max(found, key=lambda pair: order[pair[0]])
    partial = [] if producer.partial is None else [producer.partial]
    operands = [producer.input, producer.weight, partial, [other]]
    reason = f"{_name(user)} adds it to the residual before it is stored"
    steps = (*_steps(producer), Add(), *_steps(user))
    _replace(user, producer, operands, steps, reason, order)


def _can_absorb(producer: ComputeOp, user: ComputeOp) -> bool:
    return (
        producer.result.has_one_use()
        and not producer.yields_partial_sum
        and producer.mode is user.mode
    )


def _steps(op: ComputeOp) -> tuple[Step, ...]:
    return tuple(Add() if isinstance(s, Residual) else s for s in op.steps())


def _merged(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same steps without roundings that round nothing: at the same position, a
    second rounding only narrows the bounds."""
    out: list[Step] = []
    for step in steps:
        last = out[-1] if out else None
        if isinstance(step, Requant) and isinstance(last, Requant) and step.pos == last.pos:
            lo, hi = (min(max(v, step.lo), step.hi) for v in (last.lo, last.hi))
            out[-1] = Requant(step.pos, lo, hi)
        else:
            out.append(step)
    return tuple(out)


def _replace(
    user: ComputeOp,
    producer: ComputeOp,
    operands: Sequence[Operand],
    steps: tuple[Step, ...],
    reason: str,
    order: dict[Operation, int],
) -> None:
    """Put one operation, at the place of `user`, in the place of both."""
    new = producer.rebuilt(
        operands,
        user.result.type,
        {"epilogue": EpilogueAttr(_merged(steps))},
    )
    elided = [*elided_of(producer), *elided_of(user)]
    if (name := tensor_name(producer.location)) is not None:
        elided.append(ElidedAttr(name, reason))
    if elided:
        new.attributes[ELIDED] = ArrayAttr(elided)
    new.location = user.location
    new.result.name_hint = user.result.name_hint
    order[new] = order[user]
    Rewriter.insert_op(new, InsertPoint.before(user))
    user.result.replace_all_uses_with(new.result)
    Rewriter.erase_op(user)
    Rewriter.erase_op(producer)


def _name(op: Operation) -> str:
    return location_name(op.location) or op.name
