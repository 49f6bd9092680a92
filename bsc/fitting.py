"""Cutting an operation in two where it turns out not to fit in the memtiles.

The splits in time go by estimates (`bsc.tiling.fit`): they cut a layer before it is known which
neighbours its windows reach, and what masks and biases its subvolumes take.  Once that is known
nothing has to be estimated.  What does not fit is cut in halves, in the way whose halves need
least: that is also the way that moves least, as all that an operation needs is brought to it.
Halves of halves end at one pixel of a granule of channels, made from one element of the window
of a granule of channels.  (The paper, section 4.2, splits a layer once.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from bsc.arch import Arch
from bsc.dialects.network import Network
from bsc.dialects.placement import Spread, SpreadAttr, SpreadAxis
from bsc.dialects.qnn import AvgPoolOp, WeightedOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import cut, lengths
from bsc.splitting import C, H, W, cin_splittable, cut_output, splittable, window_splittable
from bsc.sums import cut_cin, cut_window, even_counts, mean_divisor
from bsc.tiling.channels import chunk_granule
from bsc.tiling.fit import cout_bounds, footprint, shrunk
from bsc.tiling.from_ir import default_columns, layer_shape
from bsc.tiling.layer import LayerShape
from bsc.tiling.window import Bounds, pieces_of_window


class Cut(NamedTuple):
    """A way to cut an operation: the bytes of a memtile that its largest piece needs, and what
    does it and returns the pieces."""

    needed: int
    apply: Callable[[], Sequence[ComputeOp]]


def halves(network: Network, op: ComputeOp, arch: Arch) -> list[ComputeOp]:
    """Cut an operation in halves that need the least of a memtile.  Returns the pieces, shared
    over the grid as far as the operation was; none if nothing is left to cut."""
    layer = layer_shape(network, op, arch)
    for way in sorted(_cuts(op, layer, arch), key=lambda way: way.needed):
        pieces = list(way.apply())
        # A half that would read only padding stays with the other one.
        if pieces != [op]:
            for piece in pieces:
                _share(network, piece, arch, op.rows is not None)
            return pieces
    return []


def _share(network: Network, piece: ComputeOp, arch: Arch, by_rows: bool) -> None:
    """Give a piece the default shares of the grid where it has lost those of the whole."""
    if piece.columns is None:
        piece.properties["columns"] = SpreadAttr(default_columns(piece, arch))
        piece.properties.pop("rows", None)
    if by_rows and piece.rows is None:
        rows = layer_shape(network, piece, arch).rows
        piece.properties["rows"] = SpreadAttr(Spread(SpreadAxis.C, rows))


def _cuts(op: ComputeOp, layer: LayerShape, arch: Arch) -> Iterator[Cut]:
    """All ways to cut an operation in halves; of equals the first is preferred."""
    height, width, _ = layer.out

    def piece(cut_by: Callable[[], Sequence[ComputeOp]], **size: int) -> Cut:
        largest = shrunk(layer, arch, **size).with_reachable_sources()
        return Cut(footprint(largest, arch), cut_by)

    if splittable(op, H):
        rows = cut(height, 2)
        yield piece(partial(cut_output, op, H, rows), rows=rows[1])
    if splittable(op, W):
        columns = cut(width, 2)
        yield piece(partial(cut_output, op, W, columns), width=columns[1])
    channels = cout_bounds(layer, arch, 2)
    if splittable(op, C) and max(lengths(channels)) < layer.out[2]:
        yield piece(partial(cut_output, op, C, channels), cout=max(lengths(channels)))
    if isinstance(op, WeightedOp) and cin_splittable(op):
        chunks = cut(op.weight_type.shape[3], 2, chunk_granule(layer))
        if chunks[1] < chunks[2]:
            yield piece(partial(cut_cin, op, chunks), cin=chunks[1])
    yield from _window_cuts(op, layer, arch)


def _window_cuts(op: ComputeOp, layer: LayerShape, arch: Arch) -> Iterator[Cut]:
    """The rows of the window in halves, or its columns."""
    if not window_splittable(op):
        return
    kh, kw = op.window.h.kernel, op.window.w.kernel
    for rows, columns in ((cut(kh, 2), (0, kw)), ((0, kh), cut(kw, 2))):
        needed = [footprint(p, arch) for p in pieces_of_window(layer, rows, columns)]
        if max(len(set(rows)), len(set(columns))) > 2 and needed:
            yield Cut(max(needed), partial(cut_any_window, op, arch, rows, columns))


def cut_any_window(
    op: ComputeOp, arch: Arch, rows: Bounds, columns: Bounds
) -> Sequence[ComputeOp]:
    """Cut one window at `rows` of KH and `columns` of KW, of an operation that may be a mean of
    more elements here and fewer there.  Returns the pieces."""
    if len(rows) == len(columns) == 2:
        return [op]
    found: list[ComputeOp] = []
    for piece in _of_one_count(op, arch):
        # A mean of nothing but padding stays as it is.
        if window_splittable(piece) and (
            not isinstance(piece, AvgPoolOp) or mean_divisor(piece) is not None
        ):
            found += cut_window(piece, rows, columns)
        else:
            found.append(piece)
    return found


def _of_one_count(op: ComputeOp, arch: Arch) -> Sequence[ComputeOp]:
    """The operation, or if it is a mean of more elements here and fewer there, pieces of its
    output that have one number each."""
    if not isinstance(op, AvgPoolOp) or mean_divisor(op) is not None:
        return [op]
    shared, (rows, columns) = op.columns is not None, even_counts(op)
    pieces = [p for piece in cut_output(op, H, rows) for p in cut_output(piece, W, columns)]
    for piece in pieces if shared else ():
        piece.properties["columns"] = SpreadAttr(default_columns(piece, arch))
    return pieces
