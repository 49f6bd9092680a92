"""Channels in an order of their own, from ONNX to the simulator: the same values as
onnxruntime's with the pass and without it, and it is `order=` that says where they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qdq_models import random_input
from sparse_networks import sparse_arch, sparse_network
from varied_networks import PIPELINE, compiled, outcome_of

from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.program import Program, Tensor
from bsc.oracle import quantized_tensors
from bsc.pipelines import NAMED_PIPELINES
from bsc.sim import run_program

BALANCE = "balance-rows"
WITHOUT = ",".join(name for name in NAMED_PIPELINES[PIPELINE] if name != BALANCE)
SEEDS = range(12)


def machine(seed: int) -> Arch:
    """A machine with several rows of cores, and room for one row of every layer."""
    arch = sparse_arch(seed)
    return dataclasses.replace(arch, rows=max(2, arch.rows), core_data_bytes=16384)


@pytest.mark.parametrize("specs", [PIPELINE, WITHOUT], ids=["with", "without"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_tensor_equals_onnxruntimes(seed: int, specs: str):
    outcome = outcome_of(sparse_network(seed), machine(seed), specs)
    assert outcome.kind == "ok", outcome.reason


def ordered(program: Program) -> list[Tensor]:
    """The tensors that are not in the order of the model."""
    return [t for t in program.tensors.values() if t.order]


def spoilt(text: str, tensor: Tensor) -> str:
    """The text with the first two granules of a tensor's `order=` changed about."""
    first, second, *rest = tensor.order
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f".tensor {tensor.name} "))
    old = f" order=[{','.join(map(str, tensor.order))}]"
    assert lines[at].endswith(old)
    new = f" order=[{','.join(map(str, (second, first, *rest)))}]"
    lines[at] = lines[at].removesuffix(old) + new
    return "\n".join(lines)


def test_an_order_that_is_not_the_one_is_noticed():
    noticed = 0
    for seed in SEEDS:
        model = sparse_network(seed)
        text, weights = compiled(model, machine(seed))
        assert "order=" not in compiled(model, machine(seed), WITHOUT)[0]
        feeds = random_input(model)
        expected = quantized_tensors(model, feeds)
        for tensor in ordered(parse_program(text)):
            program = parse_program(spoilt(text, tensor))
            found = run_program(program, weights, feeds, every_tensor=True).tensors
            wrong = [
                name
                for name, values in found.items()
                if not np.array_equal(values.reshape(expected[name].shape), expected[name])
            ]
            aliases = {a.onnx_name for a in program.aliases if a.of == tensor.name}
            assert set(wrong) <= {tensor.onnx_name} | aliases
            noticed += tensor.onnx_name in wrong
    assert noticed >= len(SEEDS) // 2
