"""
`qnn`: quantized networks on tensors.

A value is a builtin tensor of shape 1 x H x W x C whose encoding is its position:
`tensor<1x56x56x64xi8, #qnn.pos<5>>` holds integers that stand for q * 2^-5.  Scales and
shifts follow from positions and are not stored twice.

Every operation computes an exact value, and its *epilogue* says how that value becomes
int8: by default, one rounding to the position of the result.  `--fuse-epilogue` makes
longer ones.  A convolution may take an int32 partial sum and yield one, which is how a
split of CIN is written (section 4.2 of the paper).

    %w = bsw.get @conv1 : !bsw.weight<64x3x3x64, pos 7, bias 12>
    %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
       : tensor<1x56x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7, bias 12>
       -> tensor<1x56x56x64xi8, #qnn.pos<4>>

Slices are upstream's `tensor.extract_slice` and `tensor.insert_slice`; `bsc.dialects.slices`
has the checks that they lack.
"""

from __future__ import annotations

from xdsl.ir import Attribute, Dialect, Operation

from bsc.dialects.qnn_attributes import ElidedAttr, EpilogueAttr, HostAttr, PosAttr
from bsc.dialects.qnn_pointwise import (
    AddOp,
    BinaryOp,
    ConcatOp,
    InterleaveOp,
    LookupOp,
    MulOp,
    RequantizeOp,
    ReshapeOp,
    ResizeOp,
    UnaryOp,
)
from bsc.dialects.qnn_pools import AvgPoolOp, GlobalAvgPoolOp, MaxPoolOp, PoolOp
from bsc.dialects.qnn_weighted import Conv2dOp, DenseOp, WeightedOp

__all__ = [
    "ALL_ATTRIBUTES",
    "ALL_OPS",
    "QNN",
    "AddOp",
    "AvgPoolOp",
    "BinaryOp",
    "ConcatOp",
    "Conv2dOp",
    "DenseOp",
    "GlobalAvgPoolOp",
    "InterleaveOp",
    "LookupOp",
    "MaxPoolOp",
    "MulOp",
    "PoolOp",
    "RequantizeOp",
    "ReshapeOp",
    "ResizeOp",
    "UnaryOp",
    "WeightedOp",
]

ALL_OPS: list[type[Operation]] = [
    Conv2dOp,
    DenseOp,
    AddOp,
    MulOp,
    MaxPoolOp,
    AvgPoolOp,
    GlobalAvgPoolOp,
    RequantizeOp,
    LookupOp,
    ResizeOp,
    ConcatOp,
    InterleaveOp,
    ReshapeOp,
]
ALL_ATTRIBUTES: list[type[Attribute]] = [PosAttr, EpilogueAttr, HostAttr, ElidedAttr]

QNN = Dialect("qnn", ALL_OPS, ALL_ATTRIBUTES)
