"""
`--pack-weights`: lay weights, bias and Γ out by subvolume.

Every transfer of a weight is one contiguous run of bytes (section 4.2 of the paper), so
the blob has, layer by layer and memtile by memtile, the subvolumes in the order in which
the cores use them; where several links lead to one row of cores, each carries a piece.

    %y = qnn.conv2d %m, %v {subvolume = …} : …
    // bsc-opt --pack-weights
    bsw.blob @weights {data = #bsw.payload<…>}
    %y = qnn.conv2d %m, %v {subvolume = …, packed = array<i64: 0, 4384, 8768, 13152>} : …

`packed` are the offsets in the blob of what goes to each memtile.  Operations that use the
same part of a weight in the same subvolumes, as the pieces of a split of H or the stripes of
a chain do, load the same bytes: they are in the blob once.  Needs --detect-block-sparsity and
--select-subvolume.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, i64
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.asm.packed import Bytes, pack, pieces
from bsc.dialects.bsw import BlobOp
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, Weight, fail
from bsc.dialects.payload import PayloadAttr
from bsc.dialects.qnn import Conv2dOp, WeightedOp
from bsc.numerics import Int8
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.from_ir import layer_shape

BLOB = "weights"
"""The symbol of the blob."""


@dataclass(frozen=True)
class PackWeightsPass(ModulePass):
    """Make the blob of packed weights."""

    name = "pack-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        parts: dict[object, _Part] = {}
        for layer in network.compute_ops():
            if isinstance(layer, WeightedOp):
                part = _part(network, layer, arch)
                parts.setdefault(part.key, part).layers.append(layer)
        # A layer at a time, into its place: there may be gigabytes.
        blob = np.empty(sum(int(p.split.weight_sizes.sum()) for p in parts.values()), np.uint8)
        at = 0
        for part in parts.values():
            offsets: list[int] = []
            for memtile in pack_layer(part.split, part.weight, part.groups, arch):
                offsets.append(at)
                for piece in memtile:
                    blob[at : at + piece.size] = piece
                    at += piece.size
            for layer in part.layers:
                layer.properties["packed"] = DenseArrayBase.from_list(i64, offsets)
        assert at == blob.size
        old = network.symbols.lookup(BLOB)
        if old is not None:
            old.detach()
            old.erase()
        op.body.block.insert_op_before(BlobOp(BLOB, PayloadAttr.of(blob)), network.main)


@dataclass
class _Part:
    """A part of a weight in its subvolumes, and the operations that load it so."""

    split: ChannelSplit
    weight: Weight
    groups: int
    layers: list[WeightedOp] = field(default_factory=list[WeightedOp])

    @property
    def key(self) -> object:
        return self.weight, self.groups, self.split.weight_bounds


def _part(network: Network, layer: WeightedOp, arch: Arch) -> _Part:
    """What an operation loads.  Stops at what earlier passes have left undone."""
    if layer.subvolume is None:
        fail(layer, "has no subvolume: run --select-subvolume first")
    weight = network.weight(layer.weight)
    if weight.op.gamma is None:
        fail(layer, "has no mask: run --detect-block-sparsity first")
    sub, shape = layer.subvolume.data, layer_shape(network, layer, arch)
    return _Part(ChannelSplit(shape, sub.cout, sub.cin), weight, groups_of(layer))


def groups_of(op: WeightedOp) -> int:
    """Groups of a convolution; 1 for other operations."""
    return op.group_count if isinstance(op, Conv2dOp) else 1


def pack_layer(
    split: ChannelSplit, weight: Weight, groups: int, arch: Arch
) -> list[list[Bytes]]:
    """For each memtile its pieces of packed subvolumes, in the order of their use."""
    values, bias = weight.values()
    values = ungrouped(values, groups)
    shape = split.layer.weight
    assert shape is not None
    memtiles: list[list[Bytes]] = [[] for _ in range(arch.memtiles)]
    for index, chunk in split.subvolumes():
        cin = split.chunk_bounds[chunk], split.chunk_bounds[chunk + 1]
        for row in range(arch.rows):
            cout = split.of_core(index, row)
            if cout[0] == cout[1]:
                continue
            packed = pack(
                shape.packed_shape(cout[1] - cout[0], cin[1] - cin[0], chunk == 0),
                values[cout[0] : cout[1], :, :, cin[0] : cin[1]],
                bias[cout[0] : cout[1]],
                shape.mask(cout, cin),
            )
            links = arch.links_of_row(row)
            start = 0
            for link, size in zip(links, pieces(packed.size, len(links)), strict=True):
                memtiles[arch.weight_links[link][0]].append(packed[start : start + size])
                start += size
    return memtiles


def ungrouped(values: Int8, groups: int) -> Int8:
    """A grouped weight as a dense one, zero outside the groups."""
    if groups == 1:
        return values
    cout, kh, kw, cin = values.shape
    dense = np.zeros((cout, kh, kw, cin * groups), np.int8)
    for g in range(groups):
        outputs = slice(g * cout // groups, (g + 1) * cout // groups)
        dense[outputs, :, :, g * cin : (g + 1) * cin] = values[outputs]
    return dense
