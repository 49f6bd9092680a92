"""Tables: a function of each number, on the array."""

from __future__ import annotations

import numpy as np
import pytest
from array_modules import activation, check_module


def looked_up(seed: int) -> str:
    """A pool whose windows overlap, a table, a rounding that can be folded, and a sum with
    what comes straight from the table."""
    rng = np.random.default_rng(seed)
    h, w, c = (int(n) for n in rng.integers(1, [14, 14, 40]))
    xpos, tpos, ypos = (int(n) for n in rng.integers(3, 8, 3))
    x, t, y = (activation(h, w, c, pos) for pos in (xpos, tpos, ypos))
    entries = ", ".join(str(n) for n in rng.integers(-128, 128, 256))
    table = f"table = array<i8: {entries}>, table_pos = {tpos}"
    return f"""
    func.func @main(%x : {x}) -> {y} {{
      %a = qnn.max_pool %x {{kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}}
         : ({x}) -> {x}
      %t = qnn.lookup %a {{{table}}} : ({x}) -> {t}
      %r = qnn.lookup %x {{{table}}} : ({x}) -> {t}
      %s = qnn.requantize %r {{epilogue = #qnn.epilogue<round {ypos} [-50, 90]>}} : ({t}) -> {y}
      %y = qnn.add %t, %s : ({t}, {y}) -> {y}
      func.return %y : {y}
    }}"""


@pytest.mark.parametrize("seeds", [range(0, 6), range(6, 12)])
def test_every_split_looks_up_the_same(seeds: range):
    refused = [reason for seed in seeds if (reason := check_module(looked_up(seed), seed))]
    assert len(refused) < len(seeds) / 2, refused
