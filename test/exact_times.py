"""Machines whose times are exact in floating point.

Links carry 2^32 bytes a second and clocks run at 2^30 Hz, so that every time is a whole
number of 2^-34 seconds: sums come out the same in whatever order they are made.
"""

from __future__ import annotations

from bsc.arch import Arch

GHZ = 2**30 / 1e9
"""A clock of 2^30 Hz."""

BYTE = 2.0**-32
"""Seconds of one byte over one link."""

CYCLE = 2.0**-30
"""Seconds of one cycle."""


def exact_arch(rows: int = 4, cols: int = 4, **fields: int) -> Arch:
    """A grid with exact times; its links are those of the paper."""
    return Arch(f"exact-{rows}x{cols}", rows=rows, cols=cols, clock_ghz=GHZ, **fields)
