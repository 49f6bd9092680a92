"""Every tensor-level pass keeps the values of random networks on machines with little memory.

The reference interpreter runs the module before the first pass and after each one; what is
compared is not what a pass says that it did, but what the module computes.
"""

from __future__ import annotations

import numpy as np
import pytest
from qdq_models import random_network

import bsc
from bsc.arch import Arch
from bsc.monitor import PassMonitor
from bsc.pipelines import NAMED_PIPELINES
from bsc.validation import PassValidator

PASSES = NAMED_PIPELINES["bsc-compile"]
TENSOR_LEVEL = list(PASSES[: PASSES.index("lower-to-dataflow")])


def small_machine(seed: int) -> Arch:
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(1, 6, 2))
    memtile = int(rng.choice([16384, 32768, 65536]))
    return Arch(
        "small",
        rows=rows,
        cols=cols,
        memtile_bytes=memtile,
        core_data_bytes=int(rng.choice([8192, 16384, 49152])),
        core_scratch_bytes=int(rng.choice([4096, 16384])),
    )


@pytest.mark.parametrize("seed", range(40))
def test_every_pass_keeps_the_values(seed: int):
    validator = PassValidator(inputs=2, seed=seed, note=lambda text: None)
    monitor = PassMonitor(validator=validator)
    bsc.compile(random_network(seed), small_machine(seed), monitor=monitor)
    assert validator.validated == TENSOR_LEVEL
