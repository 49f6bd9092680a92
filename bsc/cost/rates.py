"""How long one transfer or computation takes on its own.

The compute term is the work really done: tiles of pixels x CIN x COUT, partial tiles
counted whole, zero blocks not at all (section 4.5 of the paper, as corrected: the paper's
own logs count something else).  All times are in seconds.
"""

from __future__ import annotations

from bsc.arch import Arch
from bsc.geometry import ceil_div


def matrix_cycles(
    arch: Arch, pixels: int, blocks: int, block: tuple[int, int], taps: int
) -> int:
    """Cycles of a core for `pixels` outputs with `blocks` stored blocks of KH*KW `taps`."""
    tiles = ceil_div(block[0], arch.tile_cout) * ceil_div(block[1], arch.tile_cin)
    return ceil_div(pixels, arch.tile_pixels) * blocks * tiles * taps


def vector_cycles(arch: Arch, elements: int, operations: int = 1) -> int:
    """Cycles of a core for `operations` on each of `elements`, outside of matrix products."""
    return ceil_div(elements * operations, arch.vector_ops)


def transfer_s(arch: Arch, size: int, links: int = 1, iterations: int = 1) -> float:
    """Seconds for `size` bytes over parallel links, with the set-up of each iteration."""
    return arch.bytes_to_s(size, links) + arch.cycles_to_s(iterations * arch.descriptor_cycles)
