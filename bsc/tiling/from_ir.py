"""Reading a layer's shape off an operation, with the grid's default shares."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from xdsl.dialects.builtin import TensorType, i32
from xdsl.dialects.tensor import InsertSliceOp
from xdsl.ir import SSAValue

from bsc.arch import Arch
from bsc.dialects import qnn
from bsc.dialects.network import Network, Weight
from bsc.dialects.placement import Spread, SpreadAxis
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp, Read
from bsc.dialects.slices import box_of, name_of
from bsc.geometry import CHANNEL_GRANULE, ceil_div, cut, stored_channels
from bsc.storage import only_insert
from bsc.tiling.layer import (
    HWC,
    LayerShape,
    Source,
    WeightShape,
    grouped_weight,
    natural_spread,
    slice_spread,
)

MNEMONICS: dict[type[ComputeOp], str] = {
    qnn.Conv2dOp: "CONV",
    qnn.DenseOp: "DENSE",
    qnn.AddOp: "ADD",
    qnn.MulOp: "MUL",
    qnn.MaxPoolOp: "MAXPOOL",
    qnn.AvgPoolOp: "AVGPOOL",
    qnn.GlobalAvgPoolOp: "AVGPOOL",
    qnn.RequantizeOp: "COPY",
    qnn.LookupOp: "LOOKUP",
    qnn.ResizeOp: "RESIZE",
    qnn.ConcatOp: "COPY",
    qnn.InterleaveOp: "COPY",
}
"""The instruction that computes each operation."""


def hwc(value: SSAValue) -> HWC:
    """The shape of a tensor without its batch."""
    return shape_of(value.type)[1:]


def element_bytes(value: SSAValue) -> int:
    """Bytes of one number of a tensor."""
    return 4 if cast(TensorType, value.type).element_type == i32 else 1


def output_channels(op: ComputeOp) -> int:
    """Output channels as stored: filled up to the granule, but not where other channels of
    the tensor that they are a part of come next."""
    channels = op.shape[3]
    insert = only_insert(op.result)
    if insert is None:
        return stored_channels(channels)
    first, whole = box_of(insert).offsets[3], shape_of(insert.result.type)[3]
    if first + channels < whole:
        return channels
    return stored_channels(whole) - first


def default_columns(op: ComputeOp, arch: Arch) -> Spread:
    """Columns share W; where an output has no W left but its input has, and each channel
    is on its own (a global pool), they share C.  What is interleaved along W has its share of
    the pixels that the column will have of the whole."""
    width, read = op.shape[2], op.reads()[0]
    insert = only_insert(op.result)
    if insert is not None and (whole := interleaved_columns(insert, arch)) is not None:
        return slice_spread(whole, box_of(insert))
    if width == 1 and hwc(read.value)[1] > 1 and not read.all_channels:
        return Spread(SpreadAxis.C, cut(output_channels(op), arch.cols, CHANNEL_GRANULE))
    return Spread(SpreadAxis.W, cut(width, arch.cols))


def interleaved_columns(insert: InsertSliceOp, arch: Arch) -> Spread | None:
    """The spread of a tensor that several operations write along W by turns: each of them has
    as many pixels in a column.  None if it is not made so."""
    box, width = box_of(insert), shape_of(insert.result.type)[2]
    step, first = box.steps[1], box.offsets[2]
    if step == 1 or first >= step or box.sizes[2] != ceil_div(width - first, step):
        return None
    return Spread(SpreadAxis.W, cut(width, arch.cols, step))


def default_rows(op: ComputeOp, arch: Arch, columns: Spread, block: int = 1) -> Spread:
    """Rows share the output channels that a column has."""
    channels = output_channels(op)
    if columns.axis is SpreadAxis.C:
        channels = max(columns.sizes)
    granule = math.lcm(CHANNEL_GRANULE, block)
    return Spread(SpreadAxis.C, cut(channels, arch.rows, granule))


def layer_shape(
    network: Network, op: ComputeOp, arch: Arch, spreads: list[Spread] | None = None
) -> LayerShape:
    """The layer that `op` is, with its own shares of the grid or else the default ones.

    `spreads` are those of its sources, in the order of `op.reads()`; without them each
    source has the spread that suits it.
    """
    weight = None
    if op.weight_value is not None:
        weight = weight_shape(network.weight(op.weight_value), op)
    columns = op.columns.data if op.columns is not None else default_columns(op, arch)
    block = weight.block[0] if weight is not None else 1
    rows = op.rows.data if op.rows is not None else default_rows(op, arch, columns, block)
    reads = op.reads()
    sources = tuple(
        _source(read, columns, spreads[i] if spreads is not None else None)
        for i, read in enumerate(reads)
    )
    layer = LayerShape(
        name_of(op),
        MNEMONICS[type(op)],
        hwc(op.result),
        output_channels(op),
        element_bytes(op.result),
        columns,
        rows.bounds,
        sources,
        weight,
    )
    return layer if spreads is not None else layer.with_reachable_sources()


def _source(read: Read, columns: Spread, spread: Spread | None) -> Source:
    shape = hwc(read.value)
    if spread is None:
        spread = natural_spread(columns, read.window, read.all_channels, shape)
    return Source(shape, read.window, read.all_channels, spread, element_bytes(read.value))


def weight_shape(weight: Weight, op: ComputeOp) -> WeightShape:
    """The weight as the cores see it: a grouped convolution is a dense one whose blocks
    off the diagonal are zero."""
    groups = op.group_count if isinstance(op, qnn.Conv2dOp) else 1
    b0, b1 = weight.op.block_shape
    cout, kh, kw, cin = weight.shape
    shape = (cout, kh, kw, cin * groups)
    if groups > 1:
        return grouped_weight(shape, (b0, b1), groups)
    gamma = weight.gamma()
    if gamma is None or (weight.op.format is not None and weight.op.format.data == "dense"):
        gamma = np.ones((-(-shape[0] // b0), -(-shape[3] // b1)), np.bool_)
    return WeightShape(shape, (b0, b1), gamma)
