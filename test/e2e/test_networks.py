"""The paper's three networks on odd rectangles, bit for bit.

They are whole, with all their channels, and the images are small: what takes time in the
simulator is pixels.  The memtiles are small alike, so that layers are split in time, weights
come in pieces, and tensors go to DDR in between, as those of full size do on small arrays.
`benchmarks/compile_and_simulate.py` runs the networks at full size.
"""

from __future__ import annotations

import dataclasses

import pytest

import bsc
from bsc.arch import load_arch
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Layer
from bsc.prepare import prepare


@pytest.mark.parametrize(
    ("name", "size", "sparsity", "arch", "memtile_kb"),
    [
        ("resnet50", 63, 0.25, "paper-2x3", 192),
        ("vgg16", 47, 0.75, "paper-3x5", 256),
        ("inception_v3", 107, 0.5, "paper-5x2", 192),
    ],
)
def test_every_tensor_equals_onnxruntimes(
    name: str, size: int, sparsity: float, arch: str, memtile_kb: int
):
    model = prepare(name, size=size, sparsity=sparsity)
    machine = dataclasses.replace(load_arch(arch), memtile_bytes=memtile_kb << 10)
    compiled = bsc.compile(model, machine)
    result = bsc.check(model, compiled, inputs=1, every_tensor=True)
    assert result.ok
    made = [tensor for tensor in result.tensors if not tensor.elided]
    assert len(made) + len(compiled.elided) == len(result.tensors)
    assert all(tensor.values > 0 for tensor in result.tensors)
    # Layers come in parts, and tensors go to DDR that are no output.
    body = parse_program(compiled.program).body
    assert any(isinstance(item, Layer) and item.part for item in body)
    assert sum(isinstance(item, Instr) and item.mnemonic == "WRITE" for item in body) > 1
