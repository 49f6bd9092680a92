"""
`--split-cout`: rows of cores share COUT; what does not fit is split in time.

In space, every layer gets boundaries along its output channels, one piece a row, in whole
blocks: `rows = #dataflow.spread<c [0, 16, 32, 48, 64]>`.  In time, a layer whose weights
would take up more than half of the memtiles is cut into several operations, each with a
slice of the weight (section 4.2 of the paper: a COUT split is a partial transfer of
weights):

    %y = qnn.conv2d %x, %w : …                      // 512 output channels
    // bsc-opt --split-cout=factor=2
    %w0 = bsw.slice %w cout [0, 256] cin [0, 512] : …
    %y0 = qnn.conv2d %x, %w0 {rows = #dataflow.spread<c [0, 64, 128, 192, 256]>} : …
    …

A grouped convolution is cut between groups, and a single group like any other convolution.
Needs no other pass.
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
from bsc.options import check_options, count
from bsc.splitting import C, cut_output, is_grouped, splittable
from bsc.tiling.fit import cout_bounds, parts_of_cout
from bsc.tiling.from_ir import layer_shape


@dataclass(frozen=True)
class SplitCoutPass(ModulePass):
    """Share COUT over the rows; cut it in `factor` operations, or as few as fit."""

    name = "split-cout"

    factor: int | None = count(
        "pieces of COUT that every layer is cut into in time, one block of channels each at "
        "most; without it, as few as fit"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            self._cut(network, layer, arch)
        for layer in network.compute_ops():
            if not isinstance(layer, ReshapeOp):
                rows = layer_shape(network, layer, arch).rows
                layer.properties["rows"] = SpreadAttr(Spread(SpreadAxis.C, rows))

    def _cut(self, network: Network, layer: ComputeOp, arch: Arch) -> None:
        """Cut one operation in time."""
        if not splittable(layer, C):
            return
        shape, grouped = layer_shape(network, layer, arch), is_grouped(layer)
        parts = self.factor or parts_of_cout(shape, arch)
        pieces = cut_output(layer, C, cout_bounds(shape, arch, parts))
        # A single group is an ordinary convolution, which can be cut further.
        for piece in pieces if grouped and self.factor is None else ():
            if not is_grouped(piece):
                self._cut(network, piece, arch)
