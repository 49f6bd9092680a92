"""How must a window be cut until the machine can hold what one pixel of the output takes?

All other splits end at one pixel of a granule of channels, made from a granule of channels.
Its window must be in the core, with the weights of one block, and in the memtiles.  If it is
too large, KH is cut in as few pieces as fit, and KW only where not even one row of the window
fits (section 4.2 of the paper has no such split: there a layer like this fails).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from bsc.arch import Arch
from bsc.dialects.placement import Subvolume
from bsc.geometry import Window, cut
from bsc.tiling.channels import channel_granule, chunk_granule, piece_granule
from bsc.tiling.core import CorePlan
from bsc.tiling.fit import fits, shrunk
from bsc.tiling.layer import LayerShape, Source, WeightShape, natural_spread

Bounds = tuple[int, ...]


def window_bounds(layer: LayerShape, arch: Arch) -> tuple[Bounds, Bounds]:
    """Where KH and KW are cut.  A window is whole if it fits, or if no cut helps."""
    window = layer.sources[0].window
    whole = (0, window.h.kernel), (0, window.w.kernel)
    if not window_fits(layer, arch):
        for rows, columns in _cuts(window):
            if all(
                window_fits(piece, arch) for piece in pieces_of_window(layer, rows, columns)
            ):
                return rows, columns
    return whole


def window_fits(layer: LayerShape, arch: Arch) -> bool:
    """Whether a core can hold one pixel of a granule of channels with all of its window, and
    the memtiles too."""
    smallest = Subvolume(1, 1, channel_granule(layer), chunk_granule(layer))
    # It may have to be cut further, and then adds to a sum.
    if CorePlan.of(layer.summand(), smallest).buffers(arch) is None:
        return False
    layer = _single_group(layer)
    # Groups that cannot be cut apart keep all of their input channels.
    whole = layer.weight is None or layer.weight.groups > 1
    cin = None if whole else chunk_granule(layer)
    return fits(shrunk(layer, arch, 1, 1, piece_granule(layer), cin), arch)


def _single_group(layer: LayerShape) -> LayerShape:
    """A grouped convolution that can be cut into single groups, which are cut further, as one
    of them."""
    weight = layer.weight
    if weight is None or weight.groups == 1 or piece_granule(layer) > weight.of_group[0]:
        return layer
    (cout, cin), (b0, b1) = weight.of_group, weight.block
    _, kh, kw, _ = weight.shape
    blocks = np.ones((-(-cout // b0), -(-cin // b1)), np.bool_)
    single = WeightShape((cout, kh, kw, cin), weight.block, blocks)
    return dataclasses.replace(layer, weight=single)


def _cuts(window: Window) -> Iterator[tuple[Bounds, Bounds]]:
    """Boundaries of KH and KW, the fewest pieces first."""
    kh, kw = window.h.kernel, window.w.kernel
    for parts in range(2, kh + 1):
        yield cut(kh, parts), (0, kw)
    for parts in range(2, kw + 1):
        yield cut(kh, kh), cut(kw, parts)


def pieces_of_window(
    layer: LayerShape, rows: Sequence[int], columns: Sequence[int]
) -> Iterator[LayerShape]:
    """The layers that a window is cut into: partial sums that add to others."""
    source, (height, width, _) = layer.sources[0], layer.out
    for h0, h1 in pairwise(rows):
        h, along_h = source.window.h.taps(h0, max(h1, h0 + 1), height, source.shape[0])
        for w0, w1 in pairwise(columns):
            w, along_w = source.window.w.taps(w0, max(w1, w0 + 1), width, source.shape[1])
            if h0 < h1 and w0 < w1 and along_h.size and along_w.size:
                shape = along_h.size, along_w.size, source.shape[2]
                yield _piece(
                    layer, dataclasses.replace(source, shape=shape, window=Window(h, w))
                )


def _piece(layer: LayerShape, source: Source) -> LayerShape:
    """A layer with the part of its window that reads `source`."""
    weight, window = layer.weight, source.window
    if weight is not None:
        cout, _, _, cin = weight.shape
        shape = (cout, window.h.kernel, window.w.kernel, cin)
        weight = dataclasses.replace(weight, shape=shape)
    columns = layer.columns
    spread = natural_spread(columns, window, source.all_channels, source.shape)
    sources = dataclasses.replace(source, spread=spread), *layer.sources[1:]
    piece = dataclasses.replace(layer, sources=sources, weight=weight)
    return piece.summand().with_reachable_sources()
