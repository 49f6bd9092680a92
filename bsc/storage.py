"""Which values are the same bytes.

A split makes an operation write a slice of a tensor that several operations fill
(`tensor.empty` and a chain of inserts), and read slices of others; an alias has another
name for the same bytes.  A `Storage` is what really needs memory: one tensor, with all
that is written to it and read from it, as boxes at steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, cast

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp, InsertSliceOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from bsc.dialects.dataflow import ToDdrOp, ToMemtileOp
from bsc.dialects.network import Network, fail
from bsc.dialects.qnn import ReshapeOp
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import Box, box_of, name_of


class Write(NamedTuple):
    """The operation at `step` writes its result to `box`; `insert` puts it there."""

    step: int
    op: ComputeOp
    box: Box
    insert: InsertSliceOp | None


class Read(NamedTuple):
    """The operation at `step` reads `box` as its `operand`-th activation."""

    step: int
    op: ComputeOp
    operand: int
    box: Box


@dataclass
class Storage:
    """One tensor in memory.  `root` is the value that stands for all of it."""

    root: SSAValue
    writes: list[Write] = field(default_factory=list[Write])
    reads: list[Read] = field(default_factory=list[Read])
    returned: bool = False

    @property
    def type(self) -> TensorType:
        """The type of the whole."""
        return cast(TensorType, self.root.type)

    @property
    def is_input(self) -> bool:
        """Whether the host wrote it."""
        return isinstance(self.root, BlockArgument)

    @property
    def name(self) -> str:
        """The name of the whole, for messages and the program."""
        return name_of(self.root)


class Storages:
    """The storages of a network, in the order in which they are first written."""

    def __init__(self, network: Network):
        self.by_root: dict[SSAValue, Storage] = {}
        self.steps = [op for op in network.compute_ops() if not isinstance(op, ReshapeOp)]
        for arg in network.block.args:
            self.by_root[arg] = Storage(arg)
        self._wholes: dict[InsertSliceOp, SSAValue] = {}
        for step, op in enumerate(self.steps):
            for index, read in enumerate(op.reads()):
                storage, box = self.find(read.value)
                storage.reads.append(Read(step, op, index, box))
            self._write(step, op)
        last = network.block.last_op
        assert isinstance(last, ReturnOp)
        for value in last.arguments:
            self.find(value)[0].returned = True

    def _write(self, step: int, op: ComputeOp) -> None:
        insert = only_insert(op.result)
        if insert is None:
            whole = Box((0, 0, 0, 0), op.shape)
            storage = self.by_root[op.result] = Storage(op.result)
            storage.writes.append(Write(step, op, whole, None))
            return
        root = self._whole(insert)
        storage = self.by_root.setdefault(root, Storage(root))
        storage.writes.append(Write(step, op, box_of(insert), insert))

    def written_by(self, op: ComputeOp) -> Storage:
        """The storage that an operation writes."""
        insert = only_insert(op.result)
        return self.by_root[op.result if insert is None else self._whole(insert)]

    def find(self, value: SSAValue) -> tuple[Storage, Box]:
        """The storage that holds `value`, and which part of it.

        Raises PassFailedException for a reshape that is more than another name.
        """
        offsets, sizes = (0, 0, 0, 0), shape_of(value.type)
        while isinstance(owner := value.owner, Operation):
            if isinstance(owner, ExtractSliceOp):
                box = box_of(owner)
                offsets = _sum(offsets, box.offsets)
                value = owner.source
            elif isinstance(owner, ReshapeOp):
                if shape_of(owner.input.type) != owner.shape:
                    fail(owner, "a reshape that moves data is not supported on the array")
                value = owner.input
            elif isinstance(owner, ToMemtileOp | ToDdrOp):
                value = owner.source
            elif isinstance(owner, InsertSliceOp):
                value = self._whole(owner)
                break
            else:
                break
        if value not in self.by_root:
            fail(value, "is read before it is written, or is not made by the network")
        return self.by_root[value], Box(offsets, sizes)

    def _whole(self, insert: InsertSliceOp) -> SSAValue:
        """The value at the end of a chain of inserts: the whole that it makes.

        Raises PassFailedException if the chain does not start with `tensor.empty`, or if
        anybody reads it half made.
        """
        if insert not in self._wholes:
            chain = _chain(insert)
            self._wholes |= dict.fromkeys(chain, chain[-1].result)
        return self._wholes[insert]


def _sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, int, int, int]:
    n, h, w, c = (x + y for x, y in zip(a, b, strict=True))
    return n, h, w, c


def only_insert(value: SSAValue) -> InsertSliceOp | None:
    """The insert that a value is made for, if that is its only use; it may go to DDR on the
    way."""
    if not value.has_one_use():
        return None
    use = next(iter(value.uses))
    if isinstance(use.operation, ToDdrOp):
        return only_insert(use.operation.result)
    # The first operand is what is inserted.
    return use.operation if isinstance(use.operation, InsertSliceOp) and not use.index else None


def _chain(insert: InsertSliceOp) -> list[InsertSliceOp]:
    """All inserts of the chain that `insert` is a link of."""
    chain = [insert]
    while isinstance(before := chain[0].dest.owner, InsertSliceOp):
        chain.insert(0, before)
    if not isinstance(chain[0].dest.owner, EmptyOp):
        fail(insert, "inserts must start from a tensor.empty")
    while True:
        link = chain[-1].result
        users = [use.operation for use in link.uses]
        following = [u for u in users if isinstance(u, InsertSliceOp) and u.dest == link]
        if not following:
            return chain
        if len(users) != 1:
            fail(insert, "a tensor is read before all of it is written")
        chain.append(following[0])
