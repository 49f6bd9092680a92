"""
`--alloc-memtile`: give tensors and weights addresses in the memtiles.

Which tensors stay in the memtiles and which go to DDR in between is planned first
(`bsc.residency`); what stays is then packed: buffers with live ranges, by first fit, and
where that fails by an exact search (`bsc.allocate`).  The result is in the IR: movements,
and a place for every tensor.

    %y = qnn.conv2d %x, %w {columns = …} : …
    // bsc-opt --alloc-memtile
    %m = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 14, 28]>} …
    %v = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x3100>} …
    %y = qnn.conv2d %m, %v {dataflow.place = #dataflow.place<memtile 0x6200, w [0, 14, 28]>} …
    %d = dataflow.to_ddr %y {dataflow.place = #dataflow.place<ddr 0x31000>} : …

A place that an operation has already is kept.  An operation that does not fit even alone
stays in DDR and says so in `dataflow.unplaced`; with `strict` that is an error that shows
the memory map.  `capacity` uses less of each memtile.  Needs --split-width.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from bsc.allocate import check, memory_map, pack
from bsc.dialects.dataflow import UNPLACED
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, fail
from bsc.dialects.slices import name_of
from bsc.options import check_options, count, flag
from bsc.placing import Key, Layout, Placement
from bsc.residency import Shortage, give_up, leave_to_ddr, plan
from bsc.splitting import splits_left
from bsc.tiling.fit import MEMTILE_ALIGN

_STEPS = 40_000
"""What the search may try before the first residency is given up: some tenths of a second.
Before each further one it may try half as much, so that all of it is bounded."""


@dataclass(frozen=True)
class AllocMemtilePass(ModulePass):
    """Addresses for tensors and weights; spills for what does not fit."""

    name = "alloc-memtile"

    capacity: int | None = count(
        "bytes of each memtile to use; without it, or with more than it has, all"
    )
    strict: bool = flag(
        "whether an operation that does not fit is an error with the memory map, or stays in "
        "DDR"
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        for layer in network.compute_ops():
            if layer.columns is None and layer.name != "qnn.reshape":
                fail(layer, "is not shared over the columns: run --split-width first")
        capacity = min(self.capacity or arch.memtile_bytes, arch.memtile_bytes)
        layout = Layout(network, arch)
        shortages = plan(
            layout.items, layout.weights, dict.fromkeys(range(len(layout.steps)), capacity)
        )
        for shortage in shortages:
            self._give_in(layout, shortage)
        Placement(layout, _color(layout, capacity)).rewrite()

    def _give_in(self, layout: Layout, shortage: Shortage) -> None:
        """Leave an operation in DDR, or stop."""
        op, message = layout.steps[shortage.step], _short(layout, shortage)
        if self.strict:
            buffers = list(layout.buffers().values())
            offsets = pack(buffers, shortage.capacity, MEMTILE_ALIGN).offsets
            table = memory_map(buffers, offsets, shortage.step)
            raise PassFailedException(f"{name_of(op)}: {message}\n{table}")
        op.attributes[UNPLACED] = StringAttr(message)
        layout.unplaced.add(shortage.step)
        for item in layout.items:
            leave_to_ddr(item, shortage.step)


def _short(layout: Layout, shortage: Shortage) -> str:
    """What an operation needs, what of, and what can be done about it."""
    step, needed, capacity = shortage
    live = [b for b in layout.buffers().values() if b.lower <= step < b.upper]
    live.sort(key=lambda b: -b.size)
    parts = ", ".join(f"{b.name} {b.size}" for b in live)
    fixed = layout.weights.get(step, 0) > capacity
    splits = [f"--split-{name}" for name in splits_left(layout.steps[step], fixed)]
    remedy = f"run {' or '.join(splits)} first, finer" if splits else "no split is left"
    return (
        f"needs {needed} bytes of each memtile at once ({parts}); it has {capacity}: {remedy}"
    )


def _color(layout: Layout, capacity: int) -> dict[Key, int]:
    """Offsets for all buffers; a residency more is given up where one finds no hole."""
    for given_up in itertools.count():
        keyed = layout.buffers()
        buffers = list(keyed.values())
        offsets, failed, _ = pack(buffers, capacity, MEMTILE_ALIGN, _STEPS >> given_up)
        if failed is None:
            found = [offset for offset in offsets if offset is not None]
            check(buffers, found, capacity)
            return dict(zip(keyed, found, strict=True))
        short = buffers[failed]
        if not any(give_up(layout.items, s) for s in range(short.lower, short.upper)):
            table = memory_map(buffers, offsets, short.lower)
            raise PassFailedException(
                f"{short.name}: no hole of {short.size} bytes in {capacity} bytes of each "
                f"memtile\n{table}"
            )
    raise AssertionError("not reached")
