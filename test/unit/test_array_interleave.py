"""Pixels of several tensors by turns, on the array: the insides of a transposed convolution."""

from __future__ import annotations

import numpy as np
import pytest
from array_modules import activation, check_module


def interleaved(seed: int) -> str:
    """Tensors that are made in different ways take turns with rows and columns; then a relu,
    which is folded or not, another reader perhaps, and a pool whose windows overlap."""
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 4, 2))
    h, w = int(rng.integers(rows, 13)), int(rng.integers(columns, 13))
    c = int(rng.integers(1, 30))
    xpos, ypos = (int(n) for n in rng.integers(3, 6, 2))
    x, y, z = activation(h, w, c, xpos), activation(h, w, c, ypos), activation(h, w, c, 4)
    made: list[str] = []
    names: list[str] = []
    types: list[str] = []
    for i in range(rows):
        for j in range(columns):
            kh, kw = h - len(range(i, h, rows)) + 1, w - len(range(j, w, columns)) + 1
            part = activation(h - kh + 1, w - kw + 1, c, xpos)
            name = f"%p{i}{j}"
            window = f"kernel = array<i64: {kh}, {kw}>"
            made.append(f"{name} = qnn.max_pool %x {{{window}}} : ({x}) -> {part}")
            names.append(name)
            types.append(part)
    factor = f"factor = array<i64: {rows}, {columns}>"
    window = "kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>"
    joined = activation(h, w, 2 * c, 4)
    end = f"%q = qnn.concat %z, %z : ({z}, {z}) -> {joined}"
    result, type = "%q", joined
    if rng.random() < 0.5:
        end, result, type = f"%q = qnn.max_pool %z {{{window}}} : ({z}) -> {z}", "%q", z
    return f"""
    func.func @main(%x : {x}) -> {type} {{
      {" ".join(made)}
      %y = qnn.interleave {", ".join(names)} {{{factor}}} : ({", ".join(types)}) -> {y}
      %z = qnn.requantize %y {{epilogue = #qnn.epilogue<round 4 [-50, 90]>}} : ({y}) -> {z}
      {end}
      func.return {result} : {type}
    }}"""


@pytest.mark.parametrize("seeds", [range(0, 4), range(4, 8)])
def test_every_split_puts_the_pixels_where_they_belong(seeds: range):
    refused = [reason for seed in seeds if (reason := check_module(interleaved(seed), seed))]
    assert len(refused) < len(seeds) / 2, refused
