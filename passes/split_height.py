"""
`--split-height`: split in time by H.

A layer whose inputs, output and weights do not fit in the memtiles together is computed
in slices of rows, each with the halo that its window needs (section 4.3 of the paper):

    %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>} : …
    // bsc-opt --split-height=factor=2
    %x0 = tensor.extract_slice %x[0, 0, 0, 0] [1, 29, 56, 64] [1, 1, 1, 1] …
    %y0 = qnn.conv2d %x0, %w {pads = array<i64: 1, 1, 0, 1>} : …
    …

Without `factor`, layers are cut into as few slices as fit, and those that fit are left
alone.  Needs no other pass, but comes after --split-width and --split-cout: how large a slice
is depends on what they have cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.geometry import cut
from bsc.options import check_options, count
from bsc.splitting import H, cut_output, splittable
from bsc.tiling.fit import parts_of_height
from bsc.tiling.from_ir import layer_shape


@dataclass(frozen=True)
class SplitHeightPass(ModulePass):
    """Cut layers into slices of rows: `factor` slices each, or as few as fit."""

    name = "split-height"

    factor: int | None = count(
        "pieces of H that every layer is cut into, one row each at most; without it, as few "
        "as fit"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            if splittable(layer, H):
                parts = self.factor or parts_of_height(layer_shape(network, layer, arch), arch)
                cut_output(layer, H, cut(layer.shape[H], parts))
