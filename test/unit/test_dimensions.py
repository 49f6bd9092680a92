"""Dimensions of transfers, by hand."""

from __future__ import annotations

import pytest

from bsc.arch import preset
from bsc.asm.dimensions import dimensions
from bsc.asm.instr_parser import parse_words

LOAD = "LOAD ddr 0 memtile 0 iter 1 "
LOADFM = "LOADFM memtile 0 core 0 iter 1 "
WRITEFM = "WRITEFM memtile 0 core 0 iter 1 "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # One run of bytes on both sides.
        (LOAD + "h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8", 1),
        (LOAD + "h=1 w=1 c=8 drow=0 dpix=0 row=0 pix=0", 1),
        # Part of each row of DDR; rows without gaps, of pixels with gaps; both.
        (LOAD + "h=4 w=4 c=8 drow=64 dpix=8 row=32 pix=8", 2),
        (LOAD + "h=4 w=4 c=8 drow=64 dpix=16 row=32 pix=8", 2),
        (LOAD + "h=4 w=4 c=8 drow=128 dpix=16 row=32 pix=8", 3),
        # The memtile's side counts as much.
        (LOAD + "h=4 w=4 c=8 drow=32 dpix=8 row=128 pix=16", 3),
        # One row, or one pixel a row.
        (LOAD + "h=1 w=4 c=8 drow=0 dpix=16 row=0 pix=8", 2),
        (LOAD + "h=4 w=1 c=8 drow=64 dpix=0 row=8 pix=0", 2),
        # Columns have a descriptor each; the one that needs most counts.
        (LOAD + "h=4 w=[4,4,4,1] c=8 drow=128 dpix=8 row=[32,32,32,8] pix=[8,8,8,0]", 2),
        # The halo of one pixel, from a neighbour with longer rows.
        (LOADFM + "h=3 w=4 c=8 left=[0,32,32,32] wl=[0,1,1,1] row=32 pix=8", 2),
        # Some of the channels of each pixel, from 0 for the third row of cores.
        (WRITEFM + "h=3 w=4 c=[8,8,0,0] coff=[0,8,0,0] row=64 pix=16", 2),
        (WRITEFM + "h=3 w=4 c=[8,8,0,0] coff=[0,8,0,0] row=128 pix=16", 3),
        (WRITEFM + "h=3 w=4 c=[16,8,0,0] coff=[0,16,0,0] row=64 pix=16", 2),
        # Weights are one run, computations no transfer.
        ("LOADWDM memtile 0 core 0 iter 1 bytes=64 off=0", 1),
        ("COPY iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4)", 0),
    ],
)
def test_dimensions(text: str, expected: int):
    assert dimensions(parse_words(text.split(), 0), preset("paper-4x4")) == expected
