"""
`--tile-depthwise`: run chains of layers stripe by stripe of H.

A tensor that does not fit in the memtiles goes to DDR and comes back.  A chain of layers that
is computed in stripes of rows of its last layer has only a few rows of the tensors in between
at a time, which stay (`bsc.stripes`):

    %a = qnn.conv2d %x, %v {pads = array<i64: 1, 1, 1, 1>} : … -> tensor<1x8x16x64xi8, …>
    %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>} : … -> tensor<1x8x16x64xi8, …>
    // bsc-opt --tile-depthwise=rows=4
    %a0 = qnn.conv2d %x0, %v {pads = array<i64: 1, 1, 0, 1>} : … -> tensor<1x5x16x64xi8, …>
    %b0 = qnn.conv2d %a0, %w {pads = array<i64: 1, 1, 0, 1>} : … -> tensor<1x4x16x64xi8, …>
    %a1 = qnn.conv2d %x1, %v {pads = array<i64: 0, 1, 1, 1>} : … -> tensor<1x5x16x64xi8, …>
    …

The rows that two stripes need are computed again, or copied from the one before
(`halo=kept`), whichever costs less.  Without `rows`, stripes are as high as fits, and only
chains that save more traffic with DDR than they cost are tiled.  Residual and parallel
branches are part of a chain if they begin and end in it.  Needs --split-width.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, fail
from bsc.dialects.qnn import ReshapeOp
from bsc.options import check_options, choice, count
from bsc.storage import Storages
from bsc.stripes.chain import Chains
from bsc.stripes.choose import choose, longest
from bsc.stripes.rewrite import rewrite

_HALOS = {"kept": (True,), "recomputed": (False,)}


@dataclass(frozen=True)
class TileDepthwisePass(ModulePass):
    """Compute chains of layers stripe by stripe, so that what is between them stays in the
    memtiles."""

    name = "tile-depthwise"

    rows: int | None = count(
        "rows of a stripe of the last layer of each chain; all layers that can be in a chain "
        "then are.  Without it, as many as fit, and only where that saves time"
    )
    halo: str | None = choice(
        None,
        "what happens to rows that two stripes need: they are computed again, or kept; "
        "without it, whichever costs less",
        _HALOS,
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            if layer.columns is None and not isinstance(layer, ReshapeOp):
                fail(layer, "is not shared over the columns: run --split-width first")
        storages = Storages(network)
        chains = Chains(storages)
        modes = (False, True) if self.halo is None else _HALOS[self.halo]
        if self.rows is None:
            choices = choose(network, chains, arch, modes)
        else:
            choices = longest(network, chains, arch, modes, self.rows)
        for chain, stripes in choices:
            rewrite(chain, stripes, storages, arch)
