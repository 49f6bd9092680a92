"""
`--split-to-fit`: split in time what turns out not to fit in the memtiles.

--split-width, --split-cout, --split-cin and --split-height estimate how far a layer must be
cut.  Once its spreads and its subvolume are known, what it needs of a memtile is a sum: the
slices that it reads, what it writes, its weights with a mask and a bias for each subvolume.  An
operation for which that is too much is cut in halves until it fits (`bsc.fitting`), each time
in the way whose halves need least:

    %y = qnn.conv2d %x, %w {columns = …, rows = …, subvolume = …} : … -> tensor<1x8x16x64xi8, …>
    // bsc-opt --split-to-fit=capacity=8192
    %w0 = bsw.slice %w cout [0, 32] cin [0, 64] : …
    %y0 = qnn.conv2d %x, %w0 {columns = …, rows = …, subvolume = …} : …
    …

What fits is left alone.  Without a subvolume an operation is judged as if each row of cores
took its weights at once, and its pieces get none.  Needs --split-width; comes last of what
changes how much an operation needs: the splits, --select-subvolume and --balance-rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, fail
from bsc.dialects.placement import SubvolumeAttr
from bsc.dialects.qnn import ReshapeOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.fitting import halves
from bsc.options import check_options, count
from bsc.tiling.fit import footprint
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.search import best_subvolume


@dataclass(frozen=True)
class SplitToFitPass(ModulePass):
    """Cut operations in halves until each fits in the memtiles."""

    name = "split-to-fit"

    capacity: int | None = count(
        "bytes of each memtile to use; without it, or with more than it has, all"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        capacity = min(self.capacity or arch.memtile_bytes, arch.memtile_bytes)
        left = [o for o in reversed(network.compute_ops()) if not isinstance(o, ReshapeOp)]
        while left:
            layer = left.pop()
            if layer.columns is None:
                fail(layer, "is not shared over the columns: run --split-width first")
            if _needed(network, layer, arch) <= capacity:
                continue
            chosen = layer.subvolume is not None
            pieces = halves(network, layer, arch)
            for piece in pieces if chosen else ():
                _choose(network, piece, arch)
            left += reversed(pieces)


def _needed(network: Network, layer: ComputeOp, arch: Arch) -> int:
    """Bytes of the fullest memtile that an operation needs at once."""
    chosen = layer.subvolume
    sub = chosen.data if chosen is not None else None
    return footprint(layer_shape(network, layer, arch), arch, sub)


def _choose(network: Network, piece: ComputeOp, arch: Arch) -> None:
    """Give a piece a subvolume of its own."""
    best = best_subvolume(layer_shape(network, piece, arch), arch)
    if best is not None:
        piece.properties["subvolume"] = SubvolumeAttr(best)
