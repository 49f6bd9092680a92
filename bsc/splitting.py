"""Splits in time: one operation becomes several on slices (section 4.3 of the paper).

    Y = Conv(X, W) = sum over w of Conv(X_w, W)        (equation 7)

A piece of the output reads the slice of each input that its window covers, halo included;
padding stays with the pieces at the border.  A grouped convolution is cut between groups, and
a piece reads the input channels of its own.  The pieces are put together again with
`tensor.insert_slice`, straight into the tensor that the operation itself was a piece of,
if it was one, so that splits nest without copies.  Splits of CIN and of the window make
chains of partial sums instead (`bsc.sums`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeGuard

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
    i64,
)
from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from bsc.dialects.bsw import SliceOp
from bsc.dialects.placement import SpreadAttr
from bsc.dialects.qnn import (
    ConcatOp,
    Conv2dOp,
    GlobalAvgPoolOp,
    InterleaveOp,
    PoolOp,
    ReshapeOp,
    ResizeOp,
    WeightedOp,
)
from bsc.dialects.qnn_attributes import ELIDED, ORDER, elided_of, shape_of
from bsc.dialects.qnn_base import ComputeOp, Operand, Read
from bsc.dialects.slices import Box, box_of, extract, insert, name_of
from bsc.geometry import CHANNEL_GRANULE, Span, group_granule
from bsc.storage import only_insert
from bsc.tiling.layer import slice_spread

H, W, C = 1, 2, 3
"""The dimensions of an NHWC tensor that can be split."""

WindowedOp = WeightedOp | PoolOp | GlobalAvgPoolOp
"""Operations whose window can be cut."""

_LETTER = {H: "h", W: "w", C: "c"}


def splittable(op: ComputeOp, dim: int) -> bool:
    """Whether the output can be cut along `dim`.

    Not so: an alias, which computes nothing; the channels of a concat, and what is interleaved,
    whose pieces would not be operations of the same kind.
    """
    if isinstance(op, ReshapeOp | InterleaveOp) or op.shape[dim] == 1:
        return False
    return dim != C or not isinstance(op, ConcatOp)


def cin_splittable(op: WeightedOp) -> bool:
    """Whether the input channels can be cut: all but those of a grouped convolution."""
    return not is_grouped(op) and op.weight_type.shape[3] > 1


def window_splittable(op: ComputeOp) -> TypeGuard[WindowedOp]:
    """Whether the window can be cut: if it has more taps than one."""
    return isinstance(op, WindowedOp) and op.window.taps > 1


def splits_left(op: ComputeOp, of_weights: bool = False) -> list[str]:
    """The splits in time that can still make an operation smaller, or its weights."""
    left: list[str] = []
    if not of_weights:
        left += [name for name, dim in (("height", H), ("width", W)) if splittable(op, dim)]
    if splittable(op, C) and op.shape[C] > _granule_of(op):
        left.append("cout")
    if isinstance(op, WeightedOp) and cin_splittable(op):
        left += ["cin"] if op.weight_type.shape[3] > CHANNEL_GRANULE else []
    if window_splittable(op):
        left.append("window")
    return left


def is_grouped(op: ComputeOp) -> TypeGuard[Conv2dOp]:
    """Whether an operation is a convolution of several groups; it is cut between them."""
    return isinstance(op, Conv2dOp) and op.group_count > 1


def _granule_of(op: ComputeOp) -> int:
    """The least piece of the output channels, as far as blocks of weights allow it."""
    if not is_grouped(op):
        return CHANNEL_GRANULE
    outputs, inputs = op.shape[C] // op.group_count, op.weight_type.shape[3]
    return group_granule(outputs, inputs, CHANNEL_GRANULE)


def cut_output(op: ComputeOp, dim: int, bounds: Sequence[int]) -> list[ComputeOp]:
    """Replace `op` by one operation for each piece of its output along `dim`.

    `bounds` rise from 0 to the size of that dimension.  Returns the pieces in order.
    """
    parts = list(pairwise(_useful_bounds(op, dim, bounds)))
    if len(parts) < 2:
        return [op]

    def cut() -> Iterator[tuple[ComputeOp, Box]]:
        for lo, hi in parts:
            piece, offsets = _piece(op, dim, lo, hi), [0, 0, 0, 0]
            offsets[dim] = lo
            yield piece, Box((0, offsets[1], offsets[2], offsets[3]), piece.shape)

    return assemble(op, cut())


def assemble(op: ComputeOp, pieces: Iterable[tuple[ComputeOp, Box]]) -> list[ComputeOp]:
    """Replace `op` by the pieces of its output, each of which is written into its box.  They
    are put before `op` as they are asked for.  Returns them in order."""
    into, base = _destination(op)
    made: list[ComputeOp] = []
    for piece, box in pieces:
        placed = insert(piece.result, into, base.part(box))
        Rewriter.insert_op(placed, InsertPoint.before(op))
        into = placed.result
        made.append(piece)
    _finish(op, into)
    return made


def _useful_bounds(op: ComputeOp, dim: int, bounds: Sequence[int]) -> list[int]:
    """The boundaries without empty pieces, and without pieces that read only padding."""
    kept = [bounds[0]]
    for bound in bounds[1:]:
        if _touches(op, dim, kept[-1], bound):
            kept.append(bound)
    kept[-1] = bounds[-1]
    return kept


def _touches(op: ComputeOp, dim: int, lo: int, hi: int) -> bool:
    if dim == C or lo == hi:
        return lo < hi
    return all(span_of(read, dim, lo, hi).size > 0 for read in op.reads())


def span_of(read: Read, dim: int, lo: int, hi: int) -> Span:
    """What the output [lo, hi) along H or W reads."""
    axis = read.window.h if dim == H else read.window.w
    return axis.source(lo, hi, shape_of(read.value.type)[dim])


def _destination(op: ComputeOp) -> tuple[SSAValue, Box]:
    """The tensor that the pieces go into, and where the operation lies in it."""
    if (outer := only_insert(op.result)) is not None:
        return outer.dest, box_of(outer)
    empty = EmptyOp([], op.result.type)
    Rewriter.insert_op(empty, InsertPoint.before(op))
    return empty.tensor, Box((0, 0, 0, 0), op.shape)


def _finish(op: ComputeOp, assembled: SSAValue) -> None:
    """Let the assembled tensor take the place of the operation's result, and its name."""
    target, last = only_insert(op.result), assembled.owner
    replaced = target.result if target is not None else op.result
    assert isinstance(last, Operation)
    last.location = (op if target is None else target).location
    elided = [e for source in (op, target) for e in elided_of(source)]
    if elided:
        last.attributes[ELIDED] = ArrayAttr(elided)
    order = (op if target is None else target).attributes.get(ORDER)
    if order is not None:
        last.attributes[ORDER] = order
    assembled.name_hint = replaced.name_hint
    replaced.replace_all_uses_with(assembled)
    if target is not None:
        Rewriter.erase_op(target)
    slices = [v.owner for v in op.operands if isinstance(v.owner, ExtractSliceOp | SliceOp)]
    Rewriter.erase_op(op)
    for unused in dict.fromkeys(slices):
        if not unused.result.uses:
            Rewriter.erase_op(unused)


def _piece(op: ComputeOp, dim: int, lo: int, hi: int) -> ComputeOp:
    """The operation that computes the output [lo, hi) along `dim`, before `op`."""
    reads = op.reads()
    values = [_slice_of(op, read, dim, lo, hi) for read in reads]
    weight = op.weight_value
    if dim == C and weight is not None:
        weight = inserted_weight(op, SliceOp(weight, cout=(lo, hi)))
    new = piece_of(op, dim, lo, hi, op.with_reads(values, weight))
    Rewriter.insert_op(new, InsertPoint.before(op))
    return new


def piece_of(
    op: ComputeOp, dim: int, lo: int, hi: int, operands: Sequence[Operand]
) -> ComputeOp:
    """The operation that computes the output [lo, hi) along `dim` from slices of what `op`
    reads; it stands nowhere yet."""
    shape = list(op.shape)
    shape[dim] = hi - lo
    result = TensorType(op.result.type.element_type, shape, op.result.type.encoding)
    new = op.rebuilt(operands, result, _changes(op, dim, lo, hi))
    for of_whole in (ELIDED, ORDER):
        new.attributes.pop(of_whole, None)
    new.location = part_location(op, f"{_LETTER[dim]} {lo}:{hi}")
    return new


def _slice_of(op: ComputeOp, read: Read, dim: int, lo: int, hi: int) -> SSAValue:
    if dim == C and read.all_channels:
        if not is_grouped(op):
            return read.value
        # The groups that make these outputs read inputs of their own.
        inputs, outputs = shape_of(read.value.type)[C], op.shape[C]
        lo, hi = lo * inputs // outputs, hi * inputs // outputs
    if dim == C:
        return extracted(op, read.value, dim, lo, hi)
    span = span_of(read, dim, lo, hi)
    return extracted(op, read.value, dim, span.lo, span.hi)


def extracted(op: Operation, value: SSAValue, dim: int, lo: int, hi: int) -> SSAValue:
    """The part [lo, hi) of a value along `dim`, cut before `op`."""
    offsets, sizes = [0, 0, 0, 0], list(shape_of(value.type))
    offsets[dim], sizes[dim] = lo, hi - lo
    box = Box((0, offsets[1], offsets[2], offsets[3]), (1, sizes[1], sizes[2], sizes[3]))
    return extracted_box(op, value, box)


def extracted_box(op: Operation, value: SSAValue, box: Box) -> SSAValue:
    """A part of a value, cut before `op` out of the whole that the value is a part of."""
    if box.sizes == shape_of(value.type):
        return value
    if isinstance(value.owner, ExtractSliceOp):
        outer = box_of(value.owner)
        _, h, w, c = (a + b for a, b in zip(box.offsets, outer.offsets, strict=True))
        value, box = value.owner.source, box._replace(offsets=(0, h, w, c))
    new = extract(value, box)
    Rewriter.insert_op(new, InsertPoint.before(op))
    return new.result


def inserted_weight(op: Operation, new: SliceOp) -> SSAValue:
    """The result of a slice of a weight, put before `op`."""
    Rewriter.insert_op(new, InsertPoint.before(op))
    return new.result


def _changes(op: ComputeOp, dim: int, lo: int, hi: int) -> dict[str, Attribute | None]:
    """Padding stays at the border; what was decided for the whole is decided anew."""
    changed: dict[str, Attribute | None] = {"subvolume": None}
    if dim == W:
        changed["columns"] = None
    if dim == C:
        changed["rows"] = None
        if is_grouped(op):
            groups = (hi - lo) * op.group_count // op.shape[C]
            changed["groups"] = IntegerAttr(groups, i64)
        if op.columns is not None:
            # Columns that share C keep what they have of the whole.
            offsets, sizes = (0, 0, 0, lo), (1, op.shape[H], op.shape[W], hi - lo)
            changed["columns"] = SpreadAttr(slice_spread(op.columns.data, Box(offsets, sizes)))
    if dim != C and isinstance(op, ResizeOp):
        phase, axes = list(op.phase.get_values()), (op.window.h, op.window.w)
        phase[dim - H] = (phase[dim - H] + lo) % axes[dim - H].repeat
        changed["phase"] = DenseArrayBase.from_list(i64, phase)
    if dim != C and isinstance(op, Conv2dOp | PoolOp):
        changed["pads"] = DenseArrayBase.from_list(i64, _pads(op, dim, lo, hi))
    return changed


def _pads(op: Conv2dOp | PoolOp, dim: int, lo: int, hi: int) -> list[int]:
    top, left, bottom, right = op.pads.get_values()
    span = span_of(op.reads()[0], dim, lo, hi)
    if dim == H:
        return [span.pad_lo, left, span.pad_hi, right]
    return [top, span.pad_lo, bottom, span.pad_hi]


def part_location(whole: Operation | Block, part: str) -> NameLoc:
    """`conv1` becomes `conv1[h 0:28]`, nested in the location of the whole."""
    location = whole.location if isinstance(whole, Operation) else UnknownLoc()
    name = name_of(whole) if isinstance(whole, Operation) else "input"
    if not isinstance(location, NameLoc):
        location = NameLoc(StringAttr(name), UnknownLoc())
    return NameLoc(StringAttr(f"{name}[{part}]"), location)
