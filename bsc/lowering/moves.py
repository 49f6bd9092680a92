"""The transfers between DDR and the memtiles."""

from __future__ import annotations

from collections.abc import Sequence

from bsc.arch import Arch
from bsc.asm.program import FieldValue, Instr, compact
from bsc.dialects.placement import SpreadAxis
from bsc.lowering.located import Located


def move(mnemonic: str, ddr: Located, memtile: Located, arch: Arch) -> Instr:
    """LOAD or WRITE of a tensor or slice; both places hold the same part of it."""
    columns = range(arch.cols)
    spread = memtile.spread
    _, height, width, _ = memtile.box.sizes
    starts = [ddr.ddr_start] * arch.cols
    widths = [width] * arch.cols
    if spread.axis is SpreadAxis.W:
        starts = [ddr.ddr_start + b * ddr.ddr_pixel for b in spread.bounds[:-1]]
        widths = list(spread.sizes)
    elif spread.axis is SpreadAxis.C:
        starts = [ddr.ddr_start + b * ddr.whole.element for b in spread.bounds[:-1]]
        widths = [width if size else 0 for size in spread.sizes]
    fields: dict[str, FieldValue] = {
        "ddr": compact(starts),
        "memtile": compact([memtile.address(c) for c in columns]),
        "h": height,
        "w": compact(widths),
        "c": compact([_pixel(ddr, memtile, c) for c in columns]),
        "drow": ddr.ddr_row,
        "dpix": ddr.ddr_pixel,
        "row": compact([memtile.row_bytes(c) for c in columns]),
        "pix": compact([memtile.pixel_bytes(c) for c in columns]),
    }
    return Instr(mnemonic, (1,), fields)


def _pixel(ddr: Located, memtile: Located, column: int) -> int:
    """Bytes of a pixel that are moved: the part's channels, filled up to the granule at the
    end of the tensor."""
    spread, element = memtile.spread, memtile.whole.element
    if spread.axis is SpreadAxis.C:
        return spread.sizes[column] * element
    first, count = ddr.box.offsets[3], ddr.box.sizes[3]
    at_end = first + count == ddr.whole.shape[2]
    return (ddr.whole.channels - first if at_end else count) * element


def load_weights(blob: Sequence[int], address: int, sizes: Sequence[int]) -> Instr:
    """LOADW of a layer's packed weights: to each memtile what its links carry."""
    fields: dict[str, FieldValue] = {
        "blob": compact(blob),
        "memtile": address,
        "bytes": compact(sizes),
    }
    return Instr("LOADW", (1,), fields)
