"""Sums and products whose second operand has one row or column that stands for all."""

from __future__ import annotations

import numpy as np
import pytest
from array_modules import activation, check_module, parsed

from bsc.dialects.network import Network
from bsc.dialects.qnn import AddOp
from bsc.geometry import Axis, Span
from bsc.pipelines import parse_specs, resolve, run_passes


def scaled(seed: int) -> str:
    """A convolution, a sum or product with numbers for each channel (of each row, of each
    column), and a pool whose windows overlap."""
    rng = np.random.default_rng(seed)
    op = rng.choice(["add", "mul"])
    h, w, c, cin = (int(n) for n in rng.integers(1, [14, 14, 40, 20]))
    h2, w2 = (int(rng.choice([1, n])) for n in (h, w))
    xpos, gpos = (int(n) for n in rng.integers(3, 8, 2))
    ypos = min(xpos, gpos) - 1 if op == "add" else xpos + gpos - 7
    x, a, y = activation(h, w, cin, 4), activation(h, w, c, xpos), activation(h, w, c, ypos)
    g = activation(h2, w2, c, gpos)
    weight = f"!bsw.weight<{c}x1x1x{cin}, pos {xpos}>"
    return f"""
    bsw.weight @w : {weight} {{data = #bsw.payload<splat 3, size {c * cin}>}}
    func.func @main(%x : {x}, %g : {g}) -> {y} {{
      %w = bsw.get @w : {weight}
      %a = qnn.conv2d %x, %w : {x}, {weight} -> {a}
      %s = qnn.{op} %a, %g : ({a}, {g}) -> {y}
      %y = qnn.max_pool %s {{kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}}
         : ({y}) -> {y}
      func.return %y : {y}
    }}"""


@pytest.mark.parametrize("seeds", [range(0, 10), range(10, 20)])
def test_every_split_repeats_the_same_numbers(seeds: range):
    refused = [reason for seed in seeds if (reason := check_module(scaled(seed), seed))]
    assert len(refused) < len(seeds) / 2, refused


@pytest.mark.parametrize(("height", "fused"), [(1, False), (5, True)])
def test_only_a_residual_for_each_output_is_folded(height: int, fused: bool):
    x, g = activation(5, 1, 8, 4), activation(height, 1, 8, 4)
    weight = "!bsw.weight<8x1x1x8, pos 4>"
    module = parsed(f"""
    bsw.weight @w : {weight} {{data = #bsw.payload<splat 3, size 64>}}
    func.func @main(%x : {x}, %g : {g}) -> {x} {{
      %w = bsw.get @w : {weight}
      %a = qnn.conv2d %x, %w : {x}, {weight} -> {x}
      %y = qnn.add %a, %g : ({x}, {g}) -> {x}
      func.return %y : {x}
    }}""")
    run_passes(module, resolve(parse_specs("fuse-epilogue")))
    adds = [op for op in Network(module).compute_ops() if isinstance(op, AddOp)]
    assert bool(adds) is not fused


def test_without_a_stride_all_outputs_read_the_same():
    assert Axis(stride=0).source(3, 9, 1) == Span(0, 1, 0, 0)
    assert Axis(stride=0).source(3, 3, 1).size == 0
