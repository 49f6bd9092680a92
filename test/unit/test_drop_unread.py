"""Layers that nothing reads are not in the program, and every tensor is accounted for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from qdq_models import QdqBuilder, Signal
from varied_networks import compiled, outcome_of

from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.program import Layer

ARCH = Arch("small", rows=2, cols=3, memtile_bytes=32768, core_data_bytes=12288)


def tree(seed: int) -> tuple[onnx.ModelProto, set[str], set[str]]:
    """Convolutions and pools, each on one of those before; the model has one or two of them as
    outputs.  Returns the model, and the tensors of layers that are needed, and that are not."""
    b = QdqBuilder(seed)
    rng = np.random.default_rng((seed, 8))
    signals = [b.input((1, int(rng.integers(1, 20)), 9, 11))]
    source: dict[str, Signal] = {}
    for _ in range(int(rng.integers(3, 9))):
        x = signals[int(rng.integers(0, len(signals)))]
        if rng.random() < 0.7:
            y = b.conv(x, int(rng.integers(1, 20)), (3, 3), pads=(1, 1, 1, 1))
        else:
            y = b.pool("MaxPool", x, (3, 3), pads=(1, 1, 1, 1))
        source[y.name] = x
        signals.append(y)
    made = signals[1:]
    outputs = [made[int(i)] for i in rng.permutation(len(made))[: int(rng.integers(1, 3))]]
    needed: set[str] = set()
    for signal in outputs:
        while signal.name in source:
            needed.add(signal.name)
            signal = source[signal.name]
    return b.model(*outputs), needed, set(source) - needed


@pytest.mark.parametrize("seed", range(8))
def test_only_what_is_read_is_computed(seed: int):
    model, needed, unread = tree(seed)
    outcome = outcome_of(model, ARCH)
    assert outcome.kind == "ok", outcome.reason
    program = parse_program(compiled(model, ARCH)[0])
    assert sum(isinstance(item, Layer) for item in program.body) == len(needed)
    reasons = [tensor.reason for tensor in program.elided]
    assert reasons.count("nothing reads it") == len(unread)


def test_some_are_read_and_some_are_not():
    """The test above has something to see."""
    found = [tree(seed) for seed in range(8)]
    assert sum(len(unread) for _, _, unread in found) > 10
    assert sum(len(needed) for _, needed, _ in found) > 10
