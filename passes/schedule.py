"""
`--schedule`: order the graph for memory and reuse.

Operations are taken greedily: among those whose inputs are there, the one after which the
live tensors take the least memory, and among equals the one that uses what was made last.
The pieces of a split stay together, and so do the stripes of a chain (`--tile-depthwise`), in
the order that they have.  In a residual block this computes the short branch where it is
smallest:

    %d = qnn.conv2d %x, %w0 : … -> tensor<1x56x56x256xi8, …>     // large, needed late
    %a = qnn.conv2d %x, %w1 : … -> tensor<1x56x56x64xi8, …>
    %y = qnn.conv2d %a, %w2 residual %d : …
    // bsc-opt --schedule
    %a = …
    %d = …
    %y = …

Needs no other pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.dialects.tensor import InsertSliceOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from bsc.dialects.network import Network
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.geometry import stored_channels
from bsc.storage import Storage, Storages
from bsc.tiling.from_ir import element_bytes


@dataclass(frozen=True)
class SchedulePass(ModulePass):
    """Order the operations so that little is live at once."""

    name = "schedule"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network = Network(op)
        _reorder(network.block, [op for unit in _order(network) for op in unit.ops])


@dataclass(eq=False)
class _Unit:
    """Operations that are scheduled together, in the order that they have: all those that
    write one storage, and if it is made in stripes, those in between."""

    storage: Storage
    ops: list[ComputeOp]
    inputs: list[Storage] = field(default_factory=list[Storage])


def _units(storages: Storages) -> dict[int, _Unit]:
    """The unit that makes each storage, in the order of the network."""
    by_step: dict[int, _Unit] = {}
    units: dict[int, _Unit] = {}
    for key, storage in ((id(s), s) for s in storages.by_root.values() if s.writes):
        steps = [write.step for write in storage.writes]
        if steps[0] in by_step:
            # Between the stripes of another one.
            units[key] = by_step[steps[0]]
            continue
        if _is_striped(storage):
            steps = list(range(steps[0], steps[-1] + 1))
        units[key] = _Unit(storage, [storages.steps[step] for step in steps])
        by_step |= dict.fromkeys(steps, units[key])
    for unit in units.values():
        found = [storages.find(read.value)[0] for op in unit.ops for read in op.reads()]
        outside = {id(s): s for s in found if units.get(id(s)) is not unit}
        unit.inputs = list(outside.values())
    return units


def _is_striped(storage: Storage) -> bool:
    """Whether a tensor is made in stripes of H, with other tensors in between."""
    rows = {write.box.offsets[1] for write in storage.writes}
    steps = [write.step for write in storage.writes]
    return len(rows) > 1 and steps[-1] - steps[0] >= len(steps)


def _order(network: Network) -> list[_Unit]:
    maker = _units(Storages(network))
    units = list(dict.fromkeys(maker.values()))
    readers: dict[_Unit, list[_Unit]] = {unit: [] for unit in units}
    missing: dict[_Unit, int] = {}
    left: dict[int, int] = {}
    for unit in units:
        sources = dict.fromkeys(maker[id(s)] for s in unit.inputs if s.writes)
        missing[unit] = len(sources)
        for source in sources:
            readers[source].append(unit)
        for storage in unit.inputs:
            left[id(storage)] = left.get(id(storage), 0) + 1
    ready = [unit for unit in units if not missing[unit]]
    made: dict[int, int] = {}
    order: list[_Unit] = []
    while ready:
        unit = min(ready, key=lambda u: (_growth(u, left), -_freshness(u, made)))
        ready.remove(unit)
        order.append(unit)
        made[id(unit.storage)] = len(order)
        for storage in unit.inputs:
            left[id(storage)] -= 1
        for user in readers[unit]:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    return order


def _growth(unit: _Unit, left: dict[int, int]) -> int:
    """How many bytes more are live after a unit than before; `left` counts the readers
    that are still to come."""
    freed = sum(_bytes(s.root) for s in unit.inputs if left[id(s)] == 1 and not s.returned)
    return _bytes(unit.storage.root) - freed


def _freshness(unit: _Unit, made: dict[int, int]) -> int:
    return max((made.get(id(s), 0) for s in unit.inputs), default=0)


def _bytes(value: SSAValue) -> int:
    _, h, w, c = shape_of(value.type)
    return math.prod((h, w, stored_channels(c), element_bytes(value)))


def _reorder(block: Block, ops: list[ComputeOp]) -> None:
    """Put the block in the order of `ops`; what they need moves along with them."""
    terminator = block.last_op
    assert isinstance(terminator, ReturnOp)
    order: dict[Operation, None] = {}
    for op in ops:
        users = [use.operation for use in op.result.uses]
        inserts = [u for u in users if isinstance(u, InsertSliceOp) and u.source == op.result]
        # What it is written to stands before it: the pieces of another split will be there.
        for insert in inserts:
            if isinstance(insert.dest.owner, Operation):
                _place(insert.dest.owner, order)
        for each in (op, *inserts):
            _place(each, order)
    for op in block.ops:
        if op is not terminator:
            _place(op, order)
    for op in order:
        op.detach()
        block.insert_op_before(op, terminator)


def _place(op: Operation, order: dict[Operation, None]) -> None:
    """Append `op`, and before it whatever its operands still need."""
    pending = [op]
    while pending:
        current = pending[-1]
        needed = [
            v.owner
            for v in current.operands
            if isinstance(v.owner, Operation) and v.owner not in order
        ]
        if needed:
            pending.extend(needed)
        else:
            order.setdefault(pending.pop())
