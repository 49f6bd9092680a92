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

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network
from bsc.dialects.placement import SpreadAttr
from bsc.dialects.qnn import AvgPoolOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import Window, cut
from bsc.options import check_options, count
from bsc.splitting import H, W, cut_output, window_splittable
from bsc.sums import cut_window, even_counts, mean_divisor
from bsc.tiling.from_ir import default_columns, layer_shape
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
                _cut(layer, arch, *_even(layer.window, self.factor))
                continue
            shape = layer_shape(network, layer, arch)
            if (kind := shape.kind()) not in known:
                known[kind] = window_bounds(shape, arch)
            _cut(layer, arch, *known[kind])


def _even(window: Window, parts: int) -> tuple[Bounds, Bounds]:
    """Boundaries of KH and KW for a number of pieces that is given."""
    kh, kw = window.h.kernel, window.w.kernel
    return (cut(kh, parts), (0, kw)) if kh > 1 else ((0, kh), cut(kw, parts))


def _cut(layer: ComputeOp, arch: Arch, rows: Bounds, columns: Bounds) -> None:
    """Cut one window."""
    if len(rows) + len(columns) == 4:
        return
    for piece in _of_one_count(layer, arch):
        # A mean of nothing but padding stays as it is.
        if window_splittable(piece) and (
            not isinstance(piece, AvgPoolOp) or mean_divisor(piece) is not None
        ):
            cut_window(piece, rows, columns)


def _of_one_count(layer: ComputeOp, arch: Arch) -> Sequence[ComputeOp]:
    """The operation, or if it is a mean of more elements here and fewer there, pieces of its
    output that have one number each."""
    if not isinstance(layer, AvgPoolOp) or mean_divisor(layer) is not None:
        return [layer]
    shared, (rows, columns) = layer.columns is not None, even_counts(layer)
    pieces = [p for piece in cut_output(layer, H, rows) for p in cut_output(piece, W, columns)]
    for piece in pieces if shared else ():
        piece.properties["columns"] = SpreadAttr(default_columns(piece, arch))
    return pieces
