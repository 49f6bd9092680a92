"""Checking a program without running it.

What the machine has not got (memory, locks, descriptors and their dimensions), what nobody
has written before it is read, locks that do not come out even in the order of the text, and
operations that no lock keeps from coming too early (`bsc.verify.order`).  That something has
been written is checked with hulls (`bsc.asm.footprint`), so that a whole network is checked
in a fraction of a second; the simulator checks every byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bsc.arch import Arch
from bsc.asm.dimensions import dimensions
from bsc.asm.footprint import Access, Extent, accesses, extents
from bsc.asm.isa import DDR_ENGINES
from bsc.asm.order import units
from bsc.asm.program import Instr, Layer, Program, Ready, Slots, Stage
from bsc.asm.waits import Waits
from bsc.errors import BscError
from bsc.geometry import CHANNEL_GRANULE, round_up
from bsc.verify.clocks import Clocks
from bsc.verify.order import Order
from bsc.verify.values import check_values

_LIMITS = {"core": "core_locks", "memtile": "memtile_locks", "ddr": "ddr_locks"}


def verify_program(program: Program, chained: bool = True) -> None:
    """Raises BscError, with the instruction and the limit, for the first problem.

    A program that is not `chained` has no locks yet, and nothing about its order is checked.
    """
    _check_lock_counts(program)
    _check_ddr_descriptors(program)
    touched: list[list[Extent]] = []
    written = {"ddr": _Ranges(), "memtile": _Ranges(), "core": _Ranges(), "blob": _Ranges()}
    written["blob"].add(0, program.blob_bytes)
    for port in program.inputs:
        tensor = program.tensors[port.tensor]
        assert tensor.ddr is not None
        written["ddr"].add(tensor.ddr, tensor.ddr + tensor.bytes)
    waits, names = Waits(program), _names(program)
    for layer, unit in units(program):
        if isinstance(unit, Ready):
            continue
        touched += [extents(instr, program.arch) for instr in unit]
        try:
            _check_unit(unit, program, written)
        except BscError as e:
            raise BscError(f"{layer.full_name}: {e}") from None
    check_values(waits, names)
    if chained:
        clocks = Clocks(waits, names)
        Order(clocks, clocks.run(), touched).check()


def _names(program: Program) -> list[str]:
    """The instructions as messages give them."""
    layer, stage = program.name, ""
    found: list[str] = []
    for item in program.body:
        if isinstance(item, Layer):
            layer, stage = item.full_name, ""
        elif isinstance(item, Stage):
            stage = item.label
        elif isinstance(item, Instr):
            line = f"line {item.line}: " if item.line else ""
            within = f" ({stage})" if stage and item.spec.engine not in DDR_ENGINES else ""
            found.append(f"{line}{item.mnemonic} of {layer}{within}")
    return found


def _check_lock_counts(program: Program) -> None:
    counts = Counter(lock.tile for lock in program.locks.values())
    for tile, field in _LIMITS.items():
        limit = int(getattr(program.arch, field))
        if counts[tile] > limit:
            raise BscError(f"{counts[tile]} locks on each {tile} tile; it has {limit}")


def _check_ddr_descriptors(program: Program) -> None:
    """One for each kind of transfer that the program has: each kind has a channel of its
    own in every column, which takes one transfer after another."""
    kinds = sorted({i.mnemonic for i in program.instructions() if i.spec.engine in DDR_ENGINES})
    limit = program.arch.ddr_descriptors
    if limit and len(kinds) > limit:
        raise BscError(
            f"{len(kinds)} descriptors on a ddr tile, for {', '.join(kinds)}; it has {limit}"
        )


def _check_unit(
    unit: Sequence[Instr],
    program: Program,
    written: dict[str, _Ranges],
) -> None:
    _check_descriptors(unit, program.arch)
    reads: list[tuple[Instr, Access]] = []
    for instr in unit:
        for access in accesses(instr, program.arch):
            _check_capacity(instr, access, program.arch)
            if access.writes:
                written[access.memory].add(access.lo, _end(access))
            else:
                reads.append((instr, access))
    # Within a stage an instruction may read what a later line writes for the next time;
    # that what is read was ever written is what is checked here.
    for instr, access in reads:
        if not written[access.memory].covers(access.lo, access.hi):
            raise BscError(
                f"{instr.mnemonic} reads {access.memory} 0x{access.lo:x} .. 0x{access.hi:x}, "
                "which nobody has written"
            )


def _end(access: Access) -> int:
    """The end of what is written.  In memtiles a pixel's last channels may be fewer than its
    granule has: the rest is never written and never read, and no gap between two writes."""
    if access.memory != "memtile":
        return access.hi
    return round_up(access.hi, CHANNEL_GRANULE)


def _check_capacity(instr: Instr, access: Access, arch: Arch) -> None:
    size = access.hi - access.lo
    if access.memory == "core" and access.hi > arch.core_bytes:
        raise BscError(
            f"{instr.mnemonic} reaches core address 0x{access.hi:x}; "
            f"a core has {arch.core_bytes} bytes"
        )
    if access.memory == "memtile" and size > arch.memtile_bytes:
        raise BscError(
            f"{instr.mnemonic} spans {size} bytes of a memtile of {arch.memtile_bytes}"
        )


def _check_descriptors(unit: Sequence[Instr], arch: Arch) -> None:
    """Transfers that are under way at once, each with its ping and pong."""
    transfers = [instr for instr in unit if instr.spec.is_transfer]
    slots = sum(len(core.addresses) for i in transfers if (core := _core(i)) is not None)
    for tile, count, limit in (
        ("core", slots, arch.core_descriptors),
        ("memtile", len(transfers), arch.memtile_descriptors),
    ):
        if limit and count > limit:
            raise BscError(f"{count} descriptors on a {tile} tile; it has {limit}")
    for instr in transfers:
        if (count := dimensions(instr, arch)) > arch.transfer_dims:
            raise BscError(
                f"{instr.mnemonic} moves data of {count} dimensions; a transfer of "
                f"{arch.name} has up to {arch.transfer_dims}"
            )


def _core(instr: Instr) -> Slots | None:
    value = instr.fields.get("core")
    return value if isinstance(value, Slots) else None


class _Ranges:
    """A set of addresses, as ranges that do not touch."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def add(self, lo: int, hi: int) -> None:
        """Add [lo, hi)."""
        if lo >= hi or self.covers(lo, hi):
            return
        apart = [(a, b) for a, b in self.ranges if b < lo or hi < a]
        joined = [(a, b) for a, b in self.ranges if not (b < lo or hi < a)]
        lo = min([lo, *(a for a, _ in joined)])
        hi = max([hi, *(b for _, b in joined)])
        self.ranges = [*apart, (lo, hi)]

    def covers(self, lo: int, hi: int) -> bool:
        """Whether all of [lo, hi) is in the set."""
        return lo >= hi or any(a <= lo and hi <= b for a, b in self.ranges)
