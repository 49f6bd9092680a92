"""`Arch`: a grid of AIE2-style cores with one memtile a column.

Source: section 4.1 of the paper for the structure, AMD AM020 and the open mlir-aie target
model for the limits.  A field that nothing else derives is data; everything else here is
a rule that follows from the data (which memtile serves which row, how long a link takes).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property

from bsc.errors import BscError

MOST_CORES = 128
"""Rows and columns have at most so many, far more than any array has: what a text says of its
machine is believed, and a mistyped number must not become a list without end."""
MOST_BYTES = 2**24
MOST = 2**31 - 1


def _limit(default: int, low: int, text: str, high: int = MOST) -> int:
    """A whole-number field from `low` to `high`; `text` is its documentation."""
    return field(default=default, metadata={"low": low, "high": high, "text": text})


def _rate(default: float, text: str) -> float:
    """A field that must be a positive number; `text` is its documentation."""
    return field(default=default, metadata={"low": 1e-9, "high": 1e18, "text": text})


@dataclass(frozen=True)
class Arch:
    """One machine.  Sizes are bytes, rates are per second, overheads are core cycles."""

    name: str
    rows: int = _limit(4, 1, "rows of cores", MOST_CORES)
    cols: int = _limit(4, 1, "columns of cores; each column has one memtile", MOST_CORES)
    clock_ghz: float = _rate(1.0, "clock of the cores, GHz")

    tile_pixels: int = _limit(4, 1, "pixels of one matrix operation")
    tile_cin: int = _limit(8, 1, "input channels of one matrix operation")
    tile_cout: int = _limit(8, 1, "output channels of one matrix operation")
    vector_ops: int = _limit(256, 1, "element operations a cycle outside matrix operations")

    core_data_bytes: int = _limit(
        48 * 1024, 256, "core memory for data: six of eight banks", MOST_BYTES
    )
    core_scratch_bytes: int = _limit(16 * 1024, 256, "core memory for accumulators", MOST_BYTES)
    memtile_bytes: int = _limit(
        512 * 1024, 1024, "one memtile; addresses wrap around", MOST_BYTES
    )

    link_bytes_per_s: float = _rate(2.0**32, "each link: DDR, column, row and write links")
    ddr_read_channels: int = _limit(2, 1, "DDR to memtile channels of one memtile")
    ddr_write_channels: int = _limit(1, 1, "memtile to DDR channels of one memtile")
    writefm_links: int = _limit(1, 1, "core to memtile links of one column")

    core_locks: int = _limit(16, 1, "locks of a core")
    memtile_locks: int = _limit(64, 1, "locks of a memtile")
    ddr_locks: int = _limit(16, 1, "locks of a column's DDR interface")
    lock_max: int = _limit(63, 1, "highest value of a lock")
    transfer_dims: int = _limit(3, 1, "dimensions of a transfer, its iteration not counted")
    core_descriptors: int = _limit(0, 0, "transfer descriptors of a core; 0: no limit")
    memtile_descriptors: int = _limit(0, 0, "transfer descriptors of a memtile; 0: no limit")
    ddr_descriptors: int = _limit(0, 0, "transfer descriptors of a DDR interface; 0: no limit")

    load_task_cycles: int = _limit(0, 0, "overhead of one transfer from DDR")
    write_task_cycles: int = _limit(0, 0, "overhead of one transfer to DDR")
    dispatch_cycles: int = _limit(0, 0, "overhead of one instruction")
    descriptor_cycles: int = _limit(0, 0, "set-up of a transfer, per iteration")
    lock_cycles: int = _limit(0, 0, "one lock operation")
    reprogram_cycles: int = _limit(0, 0, "reprogramming the array, per layer")

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if f.name == "name":
                continue
            value: object = getattr(self, f.name)
            low, high = f.metadata["low"], f.metadata["high"]
            whole = isinstance(low, int)
            if isinstance(value, bool) or not isinstance(
                value, int | (int if whole else float)
            ):
                kind = "a whole number" if whole else "a number"
                raise BscError(f"arch '{self.name}': {f.name} must be {kind}, not {value!r}")
            if not low <= value:
                least = "positive" if not whole and value <= 0 else f"at least {low:g}"
                raise BscError(f"arch '{self.name}': {f.name} must be {least}, not {value!r}")
            if not value <= high:
                most = f"{high:,}" if whole else f"{high:g}"
                raise BscError(
                    f"arch '{self.name}': {f.name} must be at most {most}, not {value!r}"
                )

    # Rules -----------------------------------------------------------------------------

    @property
    def memtiles(self) -> int:
        """Number of memtiles: one a column."""
        return self.cols

    @property
    def core_bytes(self) -> int:
        """All of a core's data memory: data banks first, then the scratch banks."""
        return self.core_data_bytes + self.core_scratch_bytes

    @cached_property
    def weight_links(self) -> tuple[tuple[int, int], ...]:
        """The (memtile, row) pairs over which weights reach the cores.

        Row r is served by the memtiles j with j mod R = r; where there are more rows than
        memtiles, memtile m serves the rows r with r mod C = m over one shared channel.
        """
        count = max(self.rows, self.cols)
        return tuple((i % self.cols, i % self.rows) for i in range(count))

    def links_of_row(self, row: int) -> tuple[int, ...]:
        """The indices into `weight_links` that end in `row`."""
        return self._links_by_row[row]

    @cached_property
    def _links_by_row(self) -> tuple[tuple[int, ...], ...]:
        ends = [row for _, row in self.weight_links]
        return tuple(
            tuple(i for i, end in enumerate(ends) if end == row) for row in range(self.rows)
        )

    @property
    def macs_per_cycle(self) -> int:
        """int8 multiply-accumulates of one core in one cycle."""
        return self.tile_pixels * self.tile_cin * self.tile_cout

    def cycles_to_s(self, cycles: float) -> float:
        """Seconds that `cycles` core cycles take."""
        return cycles / (self.clock_ghz * 1e9)

    def bytes_to_s(self, count: float, links: int = 1) -> float:
        """Seconds that `count` bytes take over `links` parallel links."""
        return count / (self.link_bytes_per_s * links)
