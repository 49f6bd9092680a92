"""
What the machine of the module cannot do, said by the verifiers with the limit and the value.

The machine is that of the module around an operation, the default one if it names none.
An operation that is in no module yet is not held against any.
"""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from bsc.arch import Arch
from bsc.dialects.machine import arch_around
from bsc.dialects.placement import Memory, Spread, SpreadAxis, Subvolume, place_of
from bsc.dialects.qnn_attributes import shape_of
from bsc.geometry import CHANNEL_GRANULE, stored_channels


def verify_pieces(op: Operation, name: str, spread: Spread, kind: str) -> None:
    """A spread has one piece for each of the machine's `rows` or `columns`."""
    arch = arch_around(op)
    if arch is None or spread.axis is SpreadAxis.ALL:
        return
    count = arch.rows if kind == "rows" else arch.cols
    if len(spread.sizes) != count:
        raise VerifyException(
            f"{name}: {len(spread.sizes)} pieces, {arch.name} has {count} {kind}"
        )


def verify_covers(name: str, spread: Spread, size: int) -> None:
    """The pieces of a spread reach to the end of what is spread."""
    # The last channels of a tensor fill up its granule, which may begin in another part of it.
    most = size if spread.axis is SpreadAxis.W else size + CHANNEL_GRANULE - 1
    if not size <= spread.bounds[-1] <= most:
        raise VerifyException(
            f"{name}: boundaries end at {spread.bounds[-1]}, "
            f"{spread.axis.value.upper()} is {size}"
        )


def verify_subvolume(sub: Subvolume, limits: tuple[int, int, int, int]) -> None:
    """A subvolume is a part of its layer."""
    for name, value, limit in zip(Subvolume._fields, sub, limits, strict=False):
        if isinstance(value, int) and value > limit:
            raise VerifyException(f"subvolume: {name} {value}, the layer has {limit}")


def verify_place(op: Operation, value: SSAValue) -> None:
    """A place in the memtiles is one that every memtile has, and has room at."""
    place, arch = place_of(op), arch_around(op)
    if place is None or arch is None or place.memory is not Memory.MEMTILE:
        return
    if place.address >= arch.memtile_bytes:
        raise VerifyException(
            f"place: address 0x{place.address:x}, a memtile of {arch.name} has "
            f"{arch.memtile_bytes} bytes"
        )
    if place.spread is None:
        return
    verify_pieces(op, "place", place.spread, "columns")
    _verify_room(value, place.spread, arch)


def _verify_room(value: SSAValue, spread: Spread, arch: Arch) -> None:
    """The fullest memtile holds its piece.  Memtiles are circular, so that a buffer may
    begin anywhere, but not bite its own tail."""
    _, height, width, channels = shape_of(value.type)
    element = 4 if cast(TensorType, value.type).element_type == i32 else 1
    stored = stored_channels(channels)
    if spread.axis is SpreadAxis.W:
        verify_covers("place", spread, width)
        width = max(spread.sizes)
    elif spread.axis is SpreadAxis.C:
        verify_covers("place", spread, channels)
        stored = max(spread.sizes)
    size = height * width * stored * element
    if size > arch.memtile_bytes:
        raise VerifyException(
            f"place: {size} bytes in one memtile; {arch.name} has {arch.memtile_bytes}"
        )
