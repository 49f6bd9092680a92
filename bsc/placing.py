"""From the plan of residencies to the IR: movements, buffers and places.

`Layout` reads a network as items to be planned and buffers to be colored; `Placement`
writes the result back.  A tensor's DDR value is the function argument, the result of a
`to_ddr`, or the whole that slices were written into; its memtile value is an operation's
result, the whole that slices were assembled in, or the result of a `to_memtile`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr
from xdsl.dialects.func import ReturnOp
from xdsl.dialects.tensor import ExtractSliceOp, InsertSliceOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from bsc.allocate import Buffer
from bsc.arch import Arch
from bsc.dialects.dataflow import PLACE, ToDdrOp, ToMemtileOp, place_of
from bsc.dialects.network import Network
from bsc.dialects.placement import Memory, Place, PlaceAttr, Spread, SpreadAxis
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.slices import Box, extract, name_of
from bsc.geometry import Window, round_up, stored_channels
from bsc.residency import Item, Stay, Use
from bsc.storage import Read, Storage, Storages, Write
from bsc.tiling.fit import buffer_bytes, packed_weights
from bsc.tiling.from_ir import element_bytes, hwc, interleaved_columns, layer_shape
from bsc.tiling.layer import LayerShape, Source, slice_spread

_DDR_ALIGN = 64


class Key(NamedTuple):
    """What a buffer is for: the stay of an item that begins at an event, the use of an item
    that is part of an event at a step, or the weights of a step."""

    kind: str
    item: int
    event: int
    step: int = 0


class Layout:
    """A network as steps, items to be planned and buffers to be colored."""

    def __init__(self, network: Network, arch: Arch):
        self.network = network
        self.arch = arch
        self.storages = Storages(network)
        self.steps = self.storages.steps
        self.layers = [layer_shape(network, op, arch) for op in self.steps]
        self.weights = {
            step: self._weight_bytes(layer, step)
            for step, layer in enumerate(self.layers)
            if layer.weight is not None
        }
        self.unplaced: set[int] = set()
        self.of_storage = list(self.storages.by_root.values())
        self.items = [self._item(storage) for storage in self.of_storage]
        for item in self.items:
            item.keep_all()

    def _weight_bytes(self, layer: LayerShape, step: int) -> int:
        """Bytes of packed weights in the fullest memtile."""
        chosen = self.steps[step].subvolume
        sub = chosen.data if chosen is not None else None
        return buffer_bytes(packed_weights(layer, self.arch, sub))

    def _item(self, storage: Storage) -> Item:
        shape, element = hwc(storage.root), element_bytes(storage.root)

        def size(spread: Spread) -> int:
            whole = Source(shape, Window(), False, spread, element)
            return buffer_bytes(whole.bytes_per_memtile(self.arch.memtiles))

        return Item(
            storage.name,
            size,
            storage_bytes(storage),
            tuple(self._write(storage, write) for write in storage.writes),
            tuple(self._read(storage, read) for read in storage.reads),
            storage.returned,
        )

    def _write(self, storage: Storage, write: Write) -> Use:
        layer = self.layers[write.step]

        def accepts(spread: Spread) -> bool:
            # A core writes to its own memtile: its pixels must be that memtile's.
            return slice_spread(spread, write.box) == layer.columns

        staged = buffer_bytes(layer.out_source.bytes_per_memtile(self.arch.memtiles))
        moved = _box_bytes(storage, write.box)
        whole = None
        if write.insert is not None:
            whole = interleaved_columns(write.insert, self.arch)
        if whole is None or not accepts(whole):
            whole = layer.columns
        return Use(write.step, staged, moved, whole, accepts)

    def _read(self, storage: Storage, read: Read) -> Use:
        layer = self.layers[read.step]
        source = layer.sources[read.operand]

        def accepts(spread: Spread) -> bool:
            part = slice_spread(spread, read.box)
            return layer.reaches(dataclasses.replace(source, spread=part))

        whole = source.spread
        # The spread of a part along W or C says nothing of the rest of the tensor.
        dim = 2 if whole.axis is SpreadAxis.W else 3
        if read.box.sizes[dim] != shape_of(storage.root.type)[dim]:
            whole = Spread(SpreadAxis.ALL)
        staged = buffer_bytes(source.bytes_per_memtile(self.arch.memtiles))
        return Use(read.step, staged, _box_bytes(storage, read.box), whole, accepts)

    def buffers(self) -> dict[Key, Buffer]:
        """What has to be colored, as planned so far."""
        found: dict[Key, Buffer] = {}
        for index, (item, storage) in enumerate(zip(self.items, self.of_storage, strict=True)):
            for stay in item.stays():
                fixed = _fixed(storage) if stay.written else None
                found[Key("stay", index, stay.first)] = Buffer(
                    item.name, stay.lower, stay.upper + 1, stay.size, fixed
                )
            for event, use in item.staged():
                if use.step not in self.unplaced:
                    name = f"part of {item.name} for {name_of(self.steps[use.step])}"
                    key = Key("use", index, event, use.step)
                    found[key] = Buffer(name, use.step, use.step + 1, use.staged)
        for step, size in self.weights.items():
            if step not in self.unplaced:
                name = f"weights of {name_of(self.steps[step])}"
                found[Key("weights", 0, 0, step)] = Buffer(name, step, step + 1, size)
        return found


def storage_bytes(storage: Storage) -> int:
    """Bytes of a whole tensor in DDR, its channels filled up to the granule."""
    h, w, c = hwc(storage.root)
    return h * w * stored_channels(c) * element_bytes(storage.root)


def _box_bytes(storage: Storage, box: Box) -> int:
    _, h, w, c = box.sizes
    return h * w * stored_channels(c) * element_bytes(storage.root)


def _maker(storage: Storage) -> Operation:
    """The operation that carries the place of what the array writes: that of the result,
    or the `tensor.empty` that slices are assembled in."""
    owner = storage.root.owner
    while isinstance(owner, InsertSliceOp):
        owner = owner.dest.owner
    assert isinstance(owner, Operation)
    return owner


def _fixed(storage: Storage) -> int | None:
    """The address that somebody has given a tensor already."""
    place = place_of(_maker(storage))
    return place.address if place is not None else None


class Placement:
    """Writes the movements and places into the IR; `offsets` are those of the buffers."""

    def __init__(self, layout: Layout, offsets: Mapping[Key, int]):
        self.layout = layout
        self.offsets = offsets
        self.ddr_end = 0

    def rewrite(self) -> None:
        """Rewrite the network of the layout."""
        old = [op for op in self.layout.network.block.ops if isinstance(op, ExtractSliceOp)]
        last = self.layout.network.block.last_op
        assert isinstance(last, ReturnOp)
        returned = [self.layout.storages.find(value)[0] for value in last.arguments]
        ddr_values: dict[int, SSAValue] = {}
        pairs = zip(self.layout.items, self.layout.of_storage, strict=True)
        for index, (item, storage) in enumerate(pairs):
            in_ddr = self._place_writes(index, item, storage)
            self._place_reads(index, item, storage, in_ddr)
            if in_ddr is not None:
                ddr_values[id(storage)] = in_ddr
        for step in self.layout.weights:
            self._fetch_weights(step)
        last.operands = [ddr_values[id(storage)] for storage in returned]
        for op in reversed(old):
            if not op.result.uses:
                Rewriter.erase_op(op)

    def _place_writes(self, index: int, item: Item, storage: Storage) -> SSAValue | None:
        """Place what is written; returns the tensor's value in DDR, if it gets there."""
        in_ddr = storage.is_input or item.goes_to_ddr()
        address = self._new_ddr(storage) if in_ddr else 0
        if isinstance(storage.root, BlockArgument):
            self._place_argument(storage.root, address)
            return storage.root
        if item.assembled:
            stay = next(item.stays())
            place = Place(Memory.MEMTILE, self.offsets[Key("stay", index, 0)], stay.spread)
            _maker(storage).attributes[PLACE] = PlaceAttr(place)
            return self._to_ddr(storage.root, address) if in_ddr else None
        _maker(storage).attributes[PLACE] = PlaceAttr(Place(Memory.DDR, address))
        for write in storage.writes:
            if write.step in self.layout.unplaced:
                continue
            assert write.insert is not None, "one whole write is assembled if it is placed"
            offset = self.offsets[Key("use", index, 0, write.step)]
            spread = self.layout.layers[write.step].columns
            write.op.attributes[PLACE] = PlaceAttr(Place(Memory.MEMTILE, offset, spread))
            part = address + _box_start(storage, write.box)
            write.insert.operands[0] = self._to_ddr(write.op.result, part)
        return storage.root

    def _to_ddr(self, value: SSAValue, address: int) -> SSAValue:
        owner = value.owner
        assert isinstance(owner, Operation)
        op = ToDdrOp(value, Place(Memory.DDR, address))
        op.location = owner.location
        Rewriter.insert_op(op, InsertPoint.after(owner))
        return op.result

    def _new_ddr(self, storage: Storage) -> int:
        address = self.ddr_end
        self.ddr_end = round_up(address + storage_bytes(storage), _DDR_ALIGN)
        return address

    def _place_argument(self, argument: BlockArgument, address: int) -> None:
        main = self.layout.network.main
        count = len(main.args)
        attrs = list(main.arg_attrs) if main.arg_attrs else [DictionaryAttr({})] * count
        own = dict(attrs[argument.index].data)
        own[PLACE] = PlaceAttr(Place(Memory.DDR, address))
        attrs[argument.index] = DictionaryAttr(own)
        main.properties["arg_attrs"] = ArrayAttr(attrs)

    def _place_reads(
        self, index: int, item: Item, storage: Storage, in_ddr: SSAValue | None
    ) -> None:
        written = 1 if item.writes else 0
        stays: dict[int, tuple[Stay, SSAValue]] = {}
        for stay in item.stays():
            value = storage.root if stay.written else self._fetch(index, stay, in_ddr)
            for event in range(stay.first, stay.last + 1):
                stays[event] = (stay, value)
        uses = zip(storage.reads, item.reads, strict=True)
        for event, (read, use) in enumerate(uses, written):
            if event in stays:
                value = self._part(stays[event][1], read)
            else:
                assert in_ddr is not None
                value = self._part(in_ddr, read)
                if read.step not in self.layout.unplaced:
                    value = self._stage(Key("use", index, event, use.step), read, value)
            read.op.operands[read.op.operand_of_read(read.operand)] = value

    def _fetch(self, index: int, stay: Stay, in_ddr: SSAValue | None) -> SSAValue:
        """Bring a whole tensor into the memtiles, before the first use of a stay."""
        assert in_ddr is not None
        place = Place(Memory.MEMTILE, self.offsets[Key("stay", index, stay.first)], stay.spread)
        return self._insert(ToMemtileOp(in_ddr, place), stay.lower)

    def _stage(self, key: Key, read: Read, value: SSAValue) -> SSAValue:
        """Bring what one operation reads into a buffer of its own."""
        spread = self.layout.layers[read.step].sources[read.operand].spread
        place = Place(Memory.MEMTILE, self.offsets[key], spread)
        return self._insert(ToMemtileOp(value, place), read.step)

    def _part(self, value: SSAValue, read: Read) -> SSAValue:
        if shape_of(value.type) == read.box.sizes:
            return value
        op = extract(value, read.box)
        Rewriter.insert_op(op, InsertPoint.before(read.op))
        return op.result

    def _insert(self, op: ToMemtileOp, step: int) -> SSAValue:
        before = self.layout.steps[step]
        owner = op.source.owner
        op.location = owner.location if isinstance(owner, Operation) else before.location
        Rewriter.insert_op(op, InsertPoint.before(before))
        return op.result

    def _fetch_weights(self, step: int) -> None:
        op = self.layout.steps[step]
        value = op.weight_value
        if step in self.layout.unplaced or value is None:
            return
        place = Place(Memory.MEMTILE, self.offsets[Key("weights", 0, 0, step)])
        op.operands[list(op.operands).index(value)] = self._insert(
            ToMemtileOp(value, place), step
        )


def _box_start(storage: Storage, box: Box) -> int:
    """Bytes from the start of a tensor in DDR to that of a part of it."""
    _, w, c = hwc(storage.root)
    _, h0, w0, c0 = box.offsets
    element = element_bytes(storage.root)
    return ((h0 * w + w0) * stored_channels(c) + c0) * element
