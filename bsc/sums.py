"""Splits in time of what adds up to one output: pieces of CIN, and of the window.

    Y = sum over KH, KW and CIN of X and W        (equation 7 of the paper)

is exact in int32 in any order, so one operation becomes a chain of several.  Each adds what it
computes to the *partial sum* of those before; rounding, residual and epilogue come once, with
the last one.  The largest element of a max pool and the sum of a mean are made in the same
way: a mean is divided, by the count of all its elements, with the last piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
from xdsl.dialects.builtin import (
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    TensorType,
    i8,
    i32,
    i64,
)
from xdsl.dialects.tensor import ExtractSliceOp
from xdsl.ir import Attribute, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from bsc.dialects.bsw import SliceOp
from bsc.dialects.placement import Spread, SpreadAttr, SpreadAxis
from bsc.dialects.qnn import (
    AvgPoolOp,
    Conv2dOp,
    GlobalAvgPoolOp,
    MaxPoolOp,
    PoolOp,
    WeightedOp,
)
from bsc.dialects.qnn_attributes import ELIDED, ORDER, PosAttr, shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import Box
from bsc.geometry import Window, stored_channels
from bsc.numerics import Int64, pool_counts
from bsc.splitting import (
    C,
    H,
    W,
    WindowedOp,
    extracted,
    extracted_box,
    inserted_weight,
    part_location,
)

_OPEN: dict[str, Attribute | None] = {"subvolume": None, "epilogue": None}
"""What a partial sum has not got, or must have decided anew."""


def _shares_of_sum(op: ComputeOp) -> dict[str, Attribute | None]:
    """The shares of the columns and rows of a partial sum.

    It is a tensor of its own and fills up its last granule, which the operation may not do
    if other channels of the tensor that it is a part of come next.  Rows share what a column
    has: all channels, or its part of them.
    """
    shares: dict[str, Attribute | None] = {"columns": op.columns, "rows": op.rows}
    end = stored_channels(op.shape[C])
    if op.columns is not None and op.columns.data.axis is SpreadAxis.C:
        columns = _ending_at(op.columns.data, end)
        shares["columns"], end = SpreadAttr(columns), max(columns.sizes)
    if op.rows is not None:
        shares["rows"] = SpreadAttr(_ending_at(op.rows.data, end))
    return shares


def _ending_at(spread: Spread, end: int) -> Spread:
    """A spread of channels whose last part ends elsewhere."""
    bounds = (end if b == spread.bounds[-1] else min(b, end) for b in spread.bounds)
    return Spread(SpreadAxis.C, tuple(bounds))


class _Link(NamedTuple):
    """What a link of a chain reads, the sum of the links before, and whether it is the last."""

    value: SSAValue
    partial: SSAValue | None
    last: bool

    @property
    def partials(self) -> list[SSAValue]:
        """The sum before, if there is one."""
        return [] if self.partial is None else [self.partial]


def _append(op: WindowedOp, new: WindowedOp, part: str) -> None:
    """Put a link before `op`.  One that is only `part` of it has a name of its own, and
    nothing of what is said of the whole."""
    if part:
        for of_whole in (ELIDED, ORDER):
            new.attributes.pop(of_whole, None)
        new.location = part_location(op, part)
    Rewriter.insert_op(new, InsertPoint.before(op))


def _finish_chain(op: WindowedOp, pieces: Sequence[ComputeOp]) -> None:
    """Let the last link of a chain take the place of the operation."""
    op.result.replace_all_uses_with(pieces[-1].result)
    unused = [v.owner for v in op.operands if isinstance(v.owner, ExtractSliceOp | SliceOp)]
    Rewriter.erase_op(op)
    for each in dict.fromkeys(unused):
        if not each.result.uses:
            Rewriter.erase_op(each)


def cut_cin(op: WeightedOp, bounds: Sequence[int]) -> list[WeightedOp]:
    """Replace `op` by a chain of partial sums over pieces of CIN.  Returns the pieces in
    order."""
    parts = [(lo, hi) for lo, hi in pairwise(bounds) if lo < hi]
    if len(parts) < 2:
        return [op]
    partial = op.partial
    pieces: list[WeightedOp] = []
    for lo, hi in parts:
        link = _Link(extracted(op, op.input, C, lo, hi), partial, (lo, hi) == parts[-1])
        new = _weighted_link(op, link, inserted_weight(op, SliceOp(op.weight, cin=(lo, hi))))
        _append(op, new, "" if link.last else f"cin {lo}:{hi}")
        partial = new.result
        pieces.append(new)
    _finish_chain(op, pieces)
    return pieces


def _weighted_link(op: WeightedOp, link: _Link, weight: SSAValue) -> WeightedOp:
    """A link of a chain of convolutions or dense layers: sums at the position of the
    accumulator, but for the last one."""
    sum_type = TensorType(i32, op.shape, PosAttr(op.accumulator_pos))
    residual = [op.residual] if link.last and op.residual is not None else []
    return op.rebuilt(
        [link.value, weight, link.partials, residual],
        op.result.type if link.last else sum_type,
        {"subvolume": None} if link.last else {**_OPEN, **_shares_of_sum(op)},
    )


class _Taps(NamedTuple):
    """Rows [h0, h1) and columns [w0, w1) of a window, the window that they are, and the part
    of the input that they read."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    window: Window
    box: Box

    @property
    def name(self) -> str:
        """As locations say it."""
        (h0, h1), (w0, w1) = self.rows, self.columns
        return f"kh {h0}:{h1}, kw {w0}:{w1}"


def _taps_of(op: WindowedOp, rows: Sequence[int], columns: Sequence[int]) -> list[_Taps]:
    """The pieces of a window, without those that read only padding."""
    read = op.reads()[0]
    (_, height, width, channels), window = shape_of(read.value.type), read.window
    found: list[_Taps] = []
    for h0, h1 in pairwise(rows):
        for w0, w1 in pairwise(columns):
            h, along_h = window.h.taps(h0, h1, op.shape[H], height)
            w, along_w = window.w.taps(w0, w1, op.shape[W], width)
            if h0 < h1 and w0 < w1 and along_h.size and along_w.size:
                box = Box(
                    (0, along_h.lo, along_w.lo, 0), (1, along_h.size, along_w.size, channels)
                )
                found.append(_Taps((h0, h1), (w0, w1), Window(h, w), box))
    return found


def cut_window(
    op: WindowedOp, rows: Sequence[int], columns: Sequence[int]
) -> Sequence[WindowedOp]:
    """Replace `op` by a chain over pieces of its window, cut at `rows` of KH and `columns` of
    KW: partial sums, or for a max pool the largest element so far.

    Pieces that read only padding are left out.  The first of the others has the bias; what
    comes after the sum is the last one's.  Returns the pieces in order.
    """
    taps = _taps_of(op, rows, columns)
    if not taps or len(rows) == len(columns) == 2:
        return [op]
    partial = None if isinstance(op, GlobalAvgPoolOp) else op.partial
    pieces: list[WindowedOp] = []
    for index, part in enumerate(taps):
        link = _Link(extracted_box(op, op.input, part.box), partial, index == len(taps) - 1)
        if isinstance(op, WeightedOp):
            cut = SliceOp(op.weight, kh=part.rows, kw=part.columns, bias=index == 0)
            new: WindowedOp = _weighted_link(op, link, inserted_weight(op, cut))
            if isinstance(op, Conv2dOp):
                new.properties["pads"] = _pads(part.window)
        else:
            new = _pool_link(op, link, part.window)
        _append(op, new, "" if link.last else part.name)
        partial = new.result
        pieces.append(new)
    _finish_chain(op, pieces)
    return pieces


def mean_divisor(op: ComputeOp) -> int | None:
    """How many elements every mean of a pool has; None if that depends on where the window
    lies, or if it is no mean."""
    if isinstance(op, GlobalAvgPoolOp):
        return op.window.taps
    if not isinstance(op, AvgPoolOp):
        return None
    if op.divisor is not None or op.yields_partial_sum:
        return op.divisor or 1
    _, height, width, _ = shape_of(op.input.type)
    counts = set(pool_counts(height, width, op.window, False).reshape(-1).tolist())
    return counts.pop() if len(counts) == 1 else None


def _pads(window: Window) -> DenseArrayBase[IntegerType]:
    h, w = window.h, window.w
    return DenseArrayBase.from_list(i64, [h.pad_lo, w.pad_lo, h.pad_hi, w.pad_hi])


def _pool_link(op: PoolOp | GlobalAvgPoolOp, link: _Link, window: Window) -> PoolOp:
    """A link of a chain of pools.  The mean over a whole image becomes one of many means."""
    largest = isinstance(op, MaxPoolOp)
    between = TensorType(
        i8 if largest else i32, op.shape, cast(TensorType, op.input.type).encoding
    )
    type = op.result.type if link.last else between
    new = (
        MaxPoolOp(link.value, type, window) if largest else AvgPoolOp(link.value, type, window)
    )
    kept = {name: op.properties.get(name) for name in ("rounding", "columns", "rows")}
    if link.last:
        kept["epilogue"] = op.epilogue
        if not largest and not new.yields_partial_sum:
            count = mean_divisor(op)
            assert count is not None, "the mean must have the same count everywhere"
            kept["count"] = IntegerAttr(count, i64)
    else:
        kept |= _shares_of_sum(op)
    whole = new.rebuilt([link.value, link.partials], type, kept)
    whole.attributes |= op.attributes
    whole.location = op.location
    whole.result.name_hint = op.result.name_hint
    return whole


def even_counts(op: AvgPoolOp) -> tuple[Sequence[int], Sequence[int]]:
    """Boundaries of rows and columns of the output between which all means have as many
    elements."""
    _, height, width, _ = shape_of(op.input.type)
    counts = pool_counts(height, width, op.window, op.count_pad is not None)[0, :, :, 0]
    return _changes(counts), _changes(counts.T)


def _changes(counts: Int64) -> list[int]:
    """The rows of which one differs from the one before it, and both ends."""
    differs = (counts[1:] != counts[:-1]).any(axis=1)
    return [0, *(np.flatnonzero(differs) + 1).tolist(), len(counts)]
