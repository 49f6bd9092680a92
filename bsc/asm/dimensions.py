"""How many dimensions a transfer needs of its descriptor, the iteration not counted.

Bytes of a pixel are one; pixels that are not next to each other are another, and so are
rows.  What lies in one run counts once: the rows of a buffer that is moved whole, or the
packed weights.  Cores lay their buffers out without gaps, so that the side of DDR or
memtile decides.
"""

from __future__ import annotations

import numpy as np

from bsc.arch import Arch
from bsc.asm.footprint import Fields
from bsc.asm.program import Instr, IntArray

_SIDES = (("drow", "dpix"), ("row", "pix"))
"""Strides from row to row and from pixel to pixel, in DDR and in a memtile."""

_WIDTHS = {"w": 0, "wl": 1, "wr": -1}
"""Pixels of the own memtile and of its neighbours, and how far their strides are shifted to
come to stand at the column that reads them."""


def dimensions(instr: Instr, arch: Arch) -> int:
    """The dimensions of the descriptor that needs most; 0 for what is not a transfer."""
    if not instr.spec.is_transfer:
        return 0
    if "h" not in instr.fields:
        return 1
    return instr.kept(arch, "dimensions", lambda: _dimensions(instr, arch))


def _dimensions(instr: Instr, arch: Arch) -> int:
    fields = Fields(instr, arch)
    return max(
        _of_side(fields, row, pix, width)
        for row, pix in _SIDES
        for width in _WIDTHS
        if row in instr.fields and width in instr.fields
    )


def _of_side(fields: Fields, row: str, pix: str, width: str) -> int:
    rows, shift = fields["h"], _WIDTHS[width]
    pixels, step, pitch = np.broadcast_arrays(fields[width], fields[pix], fields[row])
    step, pitch = np.roll(step, shift, axis=-1), np.roll(pitch, shift, axis=-1)
    apart = not _all_equal(step[pixels > 1], fields["c"])
    length = pixels * np.where(pixels > 1, step, fields["c"].max())
    gaps = bool((pitch != length)[pixels > 0].any())
    return 1 + apart + (int(rows.max()) > 1 and gaps)


def _all_equal(steps: IntArray, sizes: IntArray) -> bool:
    """Whether all pixels are as far apart as they are long."""
    moved = sizes[sizes > 0]
    if not steps.size or not moved.size:
        return True
    return bool((steps == moved[:1]).all() and (moved == moved[:1]).all())
