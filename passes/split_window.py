"""
`--split-window`: split in time by the window, where a core cannot hold the window of a pixel.

Other splits end at one pixel of eight output channels, made from eight input channels.  If
that is still too much for a core (or for the memtiles), the window itself is cut: its rows,
in as few pieces as fit, and its columns only if not even one row fits.  Each piece reads the
part of the input below it and adds to the exact sum of those before; rounding, residual and
epilogue come once, with the last piece, and so does the division of a mean:

    %y = qnn.global_avg_pool %x : … 50x50 … -> tensor<1x1x1x8xi8, #qnn.pos<4>>
    // bsc-opt --split-window=factor=2
    %s = qnn.avg_pool %x0 {kernel = [25, 50]} : … -> tensor<1x1x1x8xi32, #qnn.pos<4>>
    %y = qnn.avg_pool %x1 partial %s {kernel = [25, 50], count = 2500} : …

The pieces of a max pool hand on the largest element instead of a sum.  A mean whose padding
does not count has fewer elements at the border; its output is cut first, so that each
piece has one count.  Pieces of the window that read only padding are left out.

Needs no other pass, but comes first of the splits: what the others cut depends on the window.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.fitting import cut_any_window
from bsc.geometry import Window, cut
from bsc.options import check_options, count
from bsc.splitting import window_splittable
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.window import Bounds, window_bounds


@dataclass(frozen=True)
class SplitWindowPass(ModulePass):
    """Cut windows into `factor` partial sums, or as few as fit a core."""

    name = "split-window"

    factor: int | None = count(
        "pieces that the rows of every window are cut into (its columns, if it has one row), "
        "one each at most; without it, as few as fit"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        known: dict[object, tuple[Bounds, Bounds]] = {}
        for layer in network.compute_ops():
            if not window_splittable(layer):
                continue
            if self.factor is not None:
                cut_any_window(layer, arch, *_even(layer.window, self.factor))
                continue
            shape = layer_shape(network, layer, arch)
            if (kind := shape.kind()) not in known:
                known[kind] = window_bounds(shape, arch)
            cut_any_window(layer, arch, *known[kind])


def _even(window: Window, parts: int) -> tuple[Bounds, Bounds]:
    """Boundaries of KH and KW for a number of pieces that is given."""
    kh, kw = window.h.kernel, window.w.kernel
    return (cut(kh, parts), (0, kw)) if kh > 1 else ((0, kh), cut(kw, parts))
