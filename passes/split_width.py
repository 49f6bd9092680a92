"""
`--split-width`: columns of cores share W; what does not fit is split in time.

In space, the output of every layer is cut along W into one piece a column, with explicit
boundaries, so that 56 over 4, 7 over 4 and 1 over 4 are the same code (section 4.2 of the
paper).  A global pool has no W left to share; its columns share C:

    %y = qnn.conv2d %x, %w : … -> tensor<1x7x7x64xi8, #qnn.pos<4>>
    %m = qnn.global_avg_pool %y : … -> tensor<1x1x1x64xi8, #qnn.pos<5>>
    // bsc-opt --split-width
    %y = qnn.conv2d %x, %w {columns = #dataflow.spread<w [0, 2, 4, 6, 7]>} : …
    %m = qnn.global_avg_pool %y {columns = #dataflow.spread<c [0, 16, 32, 48, 64]>} : …

In time, a layer of which not even one row fits in the memtiles is cut into several
operations on slices of columns; `factor` cuts every layer.  Needs no other pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.dialects.placement import Spread, SpreadAttr, SpreadAxis
from bsc.dialects.qnn import ReshapeOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import cut
from bsc.options import check_options, count
from bsc.splitting import W, cut_output, splittable
from bsc.tiling.fit import parts_of_width
from bsc.tiling.from_ir import default_columns, layer_shape


@dataclass(frozen=True)
class SplitWidthPass(ModulePass):
    """Share W over the columns; cut it in `factor` operations, or as few as fit."""

    name = "split-width"

    factor: int | None = count(
        "pieces of W that every layer is cut into in time, one pixel each at most; without "
        "it, as few as fit"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            if splittable(layer, W):
                parts = self.factor or parts_of_width(layer_shape(network, layer, arch), arch)
                cut_output(layer, W, cut(layer.shape[W], parts))
        for layer in network.compute_ops():
            if not isinstance(layer, ReshapeOp):
                self._share(network, layer, arch)

    def _share(self, network: Network, layer: ComputeOp, arch: Arch) -> None:
        """Share W, or the channels of a pixel that is left of it, over the columns."""
        columns = default_columns(layer, arch)
        layer.properties["columns"] = SpreadAttr(columns)
        if layer.rows is not None and columns.axis is SpreadAxis.C:
            # Rows, which have been shared before, share what a column has.
            del layer.properties["rows"]
            rows = layer_shape(network, layer, arch).rows
            layer.properties["rows"] = SpreadAttr(Spread(SpreadAxis.C, rows))
