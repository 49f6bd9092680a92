"""The declarations of a program: tensors, the boundary to the host, aliases, elisions."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr
from xdsl.dialects.func import ReturnOp
from xdsl.ir import BlockArgument, Operation

from bsc.dialects import instructions as code
from bsc.dialects.dataflow import ToDdrOp
from bsc.dialects.network import Network, fail
from bsc.dialects.placement import Memory, PlaceAttr
from bsc.dialects.qnn import ReshapeOp
from bsc.dialects.qnn_attributes import ElidedAttr, HostAttr, elided_of, order_of, position_of
from bsc.dialects.slices import tensor_name
from bsc.geometry import stored_channels
from bsc.lowering.located import placed
from bsc.storage import Storage, Storages
from bsc.tiling.from_ir import element_bytes, hwc


class Declarations:
    """What stands before the first layer.  `names` are those of the storages in the text."""

    def __init__(self, network: Network, storages: Storages):
        self.network = network
        self.storages = storages
        self.names = {id(s): f"t{i}" for i, s in enumerate(storages.by_root.values())}

    def operations(self) -> Iterator[Operation]:
        """All declarations, in order."""
        for storage in self.storages.by_root.values():
            yield self._tensor(storage)
        main, last = self.network.main, self.network.block.last_op
        assert isinstance(last, ReturnOp)
        for index, arg in enumerate(self.network.block.args):
            storage, _ = self.storages.find(arg)
            host = _host(main.arg_attrs, index, f"input_{index}", storage)
            yield code.PortOp("input", self.names[id(storage)], host)
        for index, value in enumerate(last.arguments):
            storage, _ = self.storages.find(value)
            host = _host(main.res_attrs, index, f"output_{index}", storage)
            yield code.PortOp("output", self.names[id(storage)], host)
        for op in self.network.block.ops:
            name = tensor_name(op.location)
            if isinstance(op, ReshapeOp) and name is not None:
                storage, _ = self.storages.find(op.input)
                yield code.AliasOp(name, self.names[id(storage)])

    def elided(self) -> list[ElidedAttr]:
        """The tensors of the model that no operation makes."""
        return [e for op in self.network.block.ops for e in elided_of(op)]

    def ready_inputs(self) -> Iterator[Operation]:
        """The tensors that are there from the start."""
        for storage in self.storages.by_root.values():
            if storage.is_input:
                yield code.ReadyOp(self.names[id(storage)], self.place_of(storage))

    def place_of(self, storage: Storage) -> PlaceAttr:
        """Where a tensor is once it is complete."""
        place = placed(self.network, storage.root)
        if place is None:
            fail(storage.root, "has no place: run --alloc-memtile first")
        return PlaceAttr(place)

    def _tensor(self, storage: Storage) -> code.TensorOp:
        h, w, c = hwc(storage.root)
        element = element_bytes(storage.root)
        return code.TensorOp(
            self.names[id(storage)],
            _name(storage),
            (h, w, c),
            "i8" if element == 1 else "i32",
            position_of(storage.type),
            stored_channels(c) * element,
            self._ddr_address(storage),
            order_of(storage.root.owner) if isinstance(storage.root.owner, Operation) else (),
        )

    def _ddr_address(self, storage: Storage) -> int | None:
        """The address in DDR, of a tensor that is there at some time."""
        return next(ddr_addresses(self.network, storage), None)


def ddr_addresses(network: Network, storage: Storage) -> Iterator[int]:
    """Addresses of the whole tensor in DDR: where it is made, or where it is written to."""
    place = placed(network, storage.root)
    if place is not None and place.memory is Memory.DDR:
        yield place.address
    for use in storage.root.uses:
        if isinstance(use.operation, ToDdrOp):
            found = placed(network, use.operation.results[0])
            if found is not None:
                yield found.address


def _name(storage: Storage) -> str:
    """The ONNX name of a tensor; empty for one that only the compiler knows."""
    root = storage.root
    if isinstance(root, BlockArgument):
        return tensor_name(root.location) or ""
    assert isinstance(root.owner, Operation)
    return tensor_name(root.owner.location) or ""


def _host(
    attrs: ArrayAttr[DictionaryAttr] | None, index: int, name: str, storage: Storage
) -> HostAttr:
    """What the host sees; int8 under a made-up name if nobody has said."""
    attr = attrs.data[index].data.get("qnn.host") if attrs is not None else None
    if isinstance(attr, HostAttr):
        return attr
    h, w, c = hwc(storage.root)
    return HostAttr(name, "int8", "NCHW", (1, c, h, w))
