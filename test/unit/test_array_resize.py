"""Resizing to the nearest pixel, on the array."""

from __future__ import annotations

import numpy as np
import pytest
from array_modules import activation, check_module
from hypothesis import given
from hypothesis import strategies as st

from bsc.geometry import Axis


def resized(seed: int) -> str:
    """A pool, every pixel of it again and again, a rounding that is folded, and a pool whose
    windows overlap."""
    rng = np.random.default_rng(seed)
    h, w, c = (int(n) for n in rng.integers(1, [8, 8, 40]))
    up = [int(n) for n in rng.integers(1, 5, 2)]
    xpos, ypos = (int(n) for n in rng.integers(3, 6, 2))
    x, z = activation(h, w, c, xpos), activation(h * up[0], w * up[1], c, xpos)
    y = activation(h * up[0], w * up[1], c, ypos)
    window = "kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>"
    return f"""
    func.func @main(%x : {x}) -> {y} {{
      %a = qnn.max_pool %x {{{window}}} : ({x}) -> {x}
      %u = qnn.resize %a {{factor = array<i64: {up[0]}, {up[1]}>}} : ({x}) -> {z}
      %r = qnn.requantize %u {{epilogue = #qnn.epilogue<round {ypos} [-50, 90]>}} : ({z}) -> {y}
      %y = qnn.max_pool %r {{{window}}} : ({y}) -> {y}
      func.return %y : {y}
    }}"""


@pytest.mark.parametrize("seeds", [range(0, 10), range(10, 20)])
def test_every_split_repeats_the_same_pixels(seeds: range):
    refused = [reason for seed in seeds if (reason := check_module(resized(seed), seed))]
    assert len(refused) < len(seeds) / 2, refused


@given(st.integers(2, 5), st.integers(0, 4), st.integers(0, 20), st.integers(1, 20))
def test_which_elements_a_piece_reads(repeat: int, phase: int, lo: int, count: int):
    phase %= repeat
    size = (lo + count + phase) // repeat + 2
    outputs = np.repeat(np.arange(size), repeat)[phase:][lo : lo + count]
    span = Axis(repeat=repeat, phase=phase).source(lo, lo + count, size)
    assert span == (outputs.min(), outputs.max() + 1, 0, 0)
