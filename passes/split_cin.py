"""
`--split-cin`: split in time by CIN, through int32 partial sums.

The last resort (section 4.2 of the paper), for a layer of which not even one row of eight
output channels fits in the memtiles.  Sums are exact; rounding and epilogue come once,
with the last piece:

    %y = qnn.conv2d %x, %w : … -> tensor<…xi8, #qnn.pos<4>>
    // bsc-opt --split-cin=factor=2
    %s = qnn.conv2d %x0, %w0 : … -> tensor<…xi32, #qnn.pos<12>>
    %y = qnn.conv2d %x1, %w1 partial %s : … -> tensor<…xi8, #qnn.pos<4>>

Needs no other pass, but comes after --split-width and --split-cout: where those make a layer
fit, nothing is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.dialects.qnn import WeightedOp
from bsc.geometry import cut
from bsc.options import check_options, count
from bsc.splitting import cin_splittable
from bsc.sums import cut_cin
from bsc.tiling.channels import chunk_granule
from bsc.tiling.fit import parts_of_cin
from bsc.tiling.from_ir import layer_shape


@dataclass(frozen=True)
class SplitCinPass(ModulePass):
    """Cut CIN into `factor` partial sums, or as few as fit."""

    name = "split-cin"

    factor: int | None = count(
        "pieces of CIN that every convolution and dense layer is cut into, one block of "
        "channels each at most; without it, as few as fit"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            if isinstance(layer, WeightedOp) and cin_splittable(layer):
                shape = layer_shape(network, layer, arch)
                parts = self.factor or parts_of_cin(shape, arch)
                cut_cin(layer, cut(layer.weight_type.shape[3], parts, chunk_granule(shape)))
