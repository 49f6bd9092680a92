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

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, i64
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.asm.packed import Bytes, blocks_of, pack
from bsc.dialects.bsw import BlobOp
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, Weight, fail
from bsc.dialects.payload import PayloadAttr
from bsc.dialects.qnn import Conv2dOp, WeightedOp
from bsc.numerics import Int8
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.layer import WeightShape

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
            sizes = part.split.memtile_weights(arch)
            offsets = [at + sum(sizes[:memtile]) for memtile in range(len(sizes))]
            pack_layer(part.split, part.weight, part.groups, arch, blob, offsets)
            at += sum(sizes)
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
    split: ChannelSplit,
    weight: Weight,
    groups: int,
    arch: Arch,
    blob: Bytes,
    offsets: Sequence[int],
) -> None:
    """Pack a layer's subvolumes into `blob`, where each memtile has its own from one of the
    `offsets` on, in the order of their use."""
    shape, bias = split.layer.weight, weight.bias()
    assert shape is not None
    starts, sizes = (array.tolist() for array in split.weight_pieces(arch))
    memtiles = [memtile for memtile, _ in arch.weight_links]
    for index, row in product(range(split.pass_count), range(split.layer.row_count)):
        cout = split.of_core(index, row)
        if cout[0] == cout[1]:
            continue
        values = ungrouped(weight.channels(*cout), cout[0], groups, shape)
        blocks = blocks_of(values, shape.block)
        gamma = shape.mask(cout, (0, split.chunk_bounds[-1]))
        links = arch.links_of_row(row)
        for chunk, cin in enumerate(pairwise(split.chunk_bounds)):
            columns = slice(cin[0] // shape.block[1], -(-cin[1] // shape.block[1]))
            packed = pack(
                shape.packed_shape(cout[1] - cout[0], cin[1] - cin[0], chunk == 0),
                blocks[:, columns],
                bias[cout[0] : cout[1]],
                gamma[:, columns],
            )
            done = 0
            for link in links:
                at = offsets[memtiles[link]] + starts[index][chunk][link]
                size = sizes[index][chunk][link]
                blob[at : at + size] = packed[done : done + size]
                done += size
            assert done == packed.size
        weight.op.payload.give_back()


def ungrouped(values: Int8, first: int, groups: int, shape: WeightShape) -> Int8:
    """Output channels, from `first` on, of a grouped weight as those of a dense one: zero
    outside their groups."""
    if groups == 1:
        return values
    couts, cins = shape.of_group
    dense = np.zeros((*values.shape[:3], shape.shape[3]), np.int8)
    for i, channel in enumerate(values):
        group = (first + i) // couts
        dense[i, :, :, group * cins : (group + 1) * cins] = channel
    return dense
