"""Does a layer fit in the memtiles, and how small must its pieces be until it does?

All that a layer needs at once is its inputs, its output and its weights (section 4.3 of
the paper).  What does not fit is split in time: by COUT while the weights are too large (or
not even one pixel of a layer without weights fits), then by H; by W only if not even one row
fits, and by CIN last, as partial sums cost most.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from bsc.arch import Arch
from bsc.dialects.placement import Spread, SpreadAxis, Subvolume
from bsc.geometry import Axis, ceil_div, cut, round_up, stored_channels
from bsc.tiling.channels import ChannelSplit, channel_granule, chunk_granule, piece_granule
from bsc.tiling.layer import (
    LayerShape,
    Source,
    WeightShape,
    grouped_weight,
    natural_spread,
)

MEMTILE_ALIGN = 64
"""Buffers in a memtile start and end at multiples of this."""

_WEIGHT_SHARE = 2
"""Weights may take up to one part in this many of a memtile before COUT is split."""


def buffer_bytes(size: int) -> int:
    """Bytes that a buffer takes in a memtile."""
    return round_up(size, MEMTILE_ALIGN)


def footprint(layer: LayerShape, arch: Arch, sub: Subvolume | None = None) -> int:
    """Bytes that a layer needs in the fullest memtile: sources, output and weights."""
    sizes = [s.bytes_per_memtile(arch.memtiles) for s in (*layer.sources, layer.out_source)]
    return sum(map(buffer_bytes, (*sizes, packed_weights(layer, arch, sub))))


def packed_weights(layer: LayerShape, arch: Arch, sub: Subvolume | None) -> int:
    """Bytes of weights in the fullest memtile, with a mask and a bias for each subvolume; as
    long as there are none, for each row of cores."""
    if layer.weight is None or sub is None:
        return layer.weight_bytes(arch)
    return max(ChannelSplit(layer, sub.cout, sub.cin).memtile_weights(arch))


def fits(layer: LayerShape, arch: Arch) -> bool:
    """Whether the whole layer fits at once."""
    return footprint(layer, arch) <= arch.memtile_bytes


def weights_fit(layer: LayerShape, arch: Arch) -> bool:
    """Whether the weights leave room for activations."""
    return layer.weight_bytes(arch) * _WEIGHT_SHARE <= arch.memtile_bytes


def shrunk(
    layer: LayerShape,
    arch: Arch,
    rows: int | None = None,
    width: int | None = None,
    cout: int | None = None,
    cin: int | None = None,
) -> LayerShape:
    """The largest piece of a layer that is cut into `rows` x `width` pixels of `cout`
    channels made from `cin` channels, a partial sum if these are not all."""
    if cin is not None and layer.weight is not None and cin < layer.weight.shape[3]:
        layer = layer.summand()
    h, w, c = layer.out
    rows, width = min(rows or h, h), min(width or w, w)
    cout = min(cout or c, c)
    columns = layer.columns
    if width < w and columns.axis is SpreadAxis.W:
        columns = Spread(SpreadAxis.W, cut(width, arch.cols))
    if cout < c and columns.axis is SpreadAxis.C:
        # A piece keeps the shares of the whole: it may lie in one column.
        most = min(stored_channels(cout), max(columns.sizes))
        columns = Spread(SpreadAxis.C, (0, *[most] * arch.cols))
    row_bounds = layer.rows
    if cout < c:
        row_bounds = cut(cout, arch.rows, channel_granule(layer))
    weight = layer.weight
    if weight is not None and weight.groups > 1 and cout < c:
        weight = _of_groups(weight, cout)
        cin = weight.shape[3]
    elif weight is not None and (cout < c or cin is not None):
        weight = _densest(weight, cout, cin or weight.shape[3])
    sources = tuple(
        _shrunk_source(s, layer, columns, (rows, width, cout, cin)) for s in layer.sources
    )
    return dataclasses.replace(
        layer,
        out=(rows, width, cout),
        channels=layer.channels if cout == c else stored_channels(cout),
        columns=columns,
        rows=row_bounds,
        sources=sources,
        weight=weight,
    )


def _shrunk_source(
    source: Source,
    layer: LayerShape,
    columns: Spread,
    piece: tuple[int, int, int, int | None],
) -> Source:
    rows, width, cout, cin = piece
    h, w, c = source.shape
    h = h if rows == layer.out[0] else min(h, _read(source.window.h, rows))
    if width < layer.out[1]:
        w = min(w, _read(source.window.w, width))
    if not source.all_channels:
        c = min(c, cout)
    elif cin is not None:
        c = min(c, cin)
    spread = source.spread
    if columns != layer.columns or w != source.shape[1]:
        natural = natural_spread(columns, source.window, source.all_channels, (h, w, c))
        spread = spread if spread.axis is SpreadAxis.ALL else natural
    return dataclasses.replace(source, shape=(h, w, c), spread=spread)


def _read(axis: Axis, outputs: int) -> int:
    """Elements under the windows of `outputs` neighbouring outputs."""
    return ceil_div((outputs - 1) * axis.stride, axis.repeat) + axis.reach


def _densest(weight: WeightShape, cout: int, cin: int) -> WeightShape:
    """A piece of a weight with as many stored blocks as any piece can have."""
    blocks = -(-cout // weight.block[0]), -(-cin // weight.block[1])
    _, kh, kw, _ = weight.shape
    columns = weight.gamma.shape[1]
    if weight.fullest[-1] == columns or cin < weight.shape[3]:
        full = np.ones(blocks, np.bool_)
        return WeightShape((cout, kh, kw, cin), weight.block, full)
    fullest = weight.fullest[: blocks[0]]
    gamma = np.asarray(np.arange(columns) < fullest[:, None], np.bool_)
    return WeightShape((cout, kh, kw, cin), weight.block, gamma)


def _of_groups(weight: WeightShape, cout: int) -> WeightShape:
    """The groups of a weight that make `cout` channels."""
    outputs, inputs = weight.of_group
    groups = -(-cout // outputs)
    _, kh, kw, _ = weight.shape
    return grouped_weight((cout, kh, kw, groups * inputs), weight.block, groups)


def parts_of_cout(layer: LayerShape, arch: Arch) -> int:
    """Pieces of COUT until the weights of one leave room for activations, and for one row of
    them at least.  Without weights, until one row of one fits, or else one pixel.

    Where no piece leaves room for a row of all input channels, CIN will be cut too.
    """
    most = -(-layer.out[2] // piece_granule(layer))
    sizes = {n: int(max(np.diff(cout_bounds(layer, arch, n)))) for n in range(1, most + 1)}
    if layer.weight is None:
        for width in (None, 1):
            for n, channels in sizes.items():
                if fits(shrunk(layer, arch, 1, width, channels), arch):
                    return n
        return most
    light = [n for n, c in sizes.items() if weights_fit(shrunk(layer, arch, cout=c), arch)]
    for cin in _cins(layer):
        for n in light:
            if fits(shrunk(layer, arch, 1, None, sizes[n], cin), arch):
                return n
    return light[0] if light else most


def cout_bounds(layer: LayerShape, arch: Arch, parts: int) -> tuple[int, ...]:
    """Boundaries of COUT: whole blocks for each row of cores, where there are enough; whole
    groups of a grouped convolution."""
    granule, channels = piece_granule(layer), layer.out[2]
    if channels >= granule * arch.rows * parts:
        granule *= arch.rows
    return cut(channels, parts, granule)


def parts_of_width(layer: LayerShape, arch: Arch) -> int:
    """Pieces of W until one row of the smallest piece of COUT fits; where not even one pixel
    does with all input channels, with the smallest piece of CIN, which will be cut too."""
    for cin in _cins(layer):
        for parts in range(1, layer.out[1] + 1):
            width = -(-layer.out[1] // parts)
            if fits(shrunk(layer, arch, 1, width, piece_granule(layer), cin), arch):
                return parts
    return layer.out[1]


def _cins(layer: LayerShape) -> tuple[int | None, ...]:
    """All input channels, or if they can be cut the smallest piece of them."""
    cut_too = layer.weight is not None and layer.weight.groups == 1
    return (None, chunk_granule(layer)) if cut_too else (None,)


def parts_of_cin(layer: LayerShape, arch: Arch) -> int:
    """Pieces of CIN until one row fits, of all output channels or else of the smallest piece
    of COUT; one if a row of such a piece fits with all input channels."""
    granule = piece_granule(layer)
    if layer.weight is None or fits(shrunk(layer, arch, 1, None, granule), arch):
        return 1
    cin, step = layer.weight.shape[3], chunk_granule(layer)
    most = -(-cin // step)
    for cout in (None, granule):
        for parts in range(2, most + 1):
            piece = int(max(np.diff(cut(cin, parts, step))))
            if fits(shrunk(layer, arch, 1, None, cout, piece), arch):
                return parts
    return most


def parts_of_height(layer: LayerShape, arch: Arch) -> int:
    """Pieces of H until one fits."""
    for parts in range(1, layer.out[0] + 1):
        if fits(shrunk(layer, arch, -(-layer.out[0] // parts)), arch):
            return parts
    return layer.out[0]
