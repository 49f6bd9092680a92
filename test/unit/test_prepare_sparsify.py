"""Block pruning: which blocks become zero, and how many."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsc.errors import BscError
from bsc.prepare.sparsify import CRITERIA, check_options, importance, prune

Array = np.ndarray[Any, Any]
Block = tuple[int, int]

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3))
BLOCKS = st.tuples(st.integers(1, 18), st.integers(1, 18))


def weights(shape: tuple[int, ...], seed: int = 0) -> Array:
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return np.where(values == 0, np.float32(1), values)


def blocks_of(weight: Array, block: Block) -> list[Array]:
    """The blocks of `weight` in the order of rows, cut out the plain way."""
    return [
        weight[i : i + block[0], j : j + block[1]]
        for i in range(0, weight.shape[0], block[0])
        for j in range(0, weight.shape[1], block[1])
    ]


MEASURES: dict[str, Callable[[Array], float]] = {
    "l2": lambda w: math.sqrt(float((w.astype(float) ** 2).sum())),
    "l1": lambda w: float(np.abs(w.astype(float)).sum()),
    "variance": lambda w: float(w.astype(float).var()),
}


@given(SHAPES, BLOCKS, st.floats(0, 1), st.sampled_from(CRITERIA), st.integers(0, 9))
def test_the_least_important_blocks_become_zero(
    shape: tuple[int, ...], block: Block, sparsity: float, criterion: str, seed: int
):
    weight = weights(shape, seed)
    pruned = prune(weight, sparsity, block, criterion)

    before, after = blocks_of(weight, block), blocks_of(pruned, block)
    zeros = [not new.any() for new in after]
    assert sum(zeros) == round(sparsity * len(before))
    for old, new, zero in zip(before, after, zeros, strict=True):
        assert zero or np.array_equal(old, new)

    measure = MEASURES[criterion]
    lost = [measure(old) for old, zero in zip(before, zeros, strict=True) if zero]
    kept = [measure(old) for old, zero in zip(before, zeros, strict=True) if not zero]
    assert not lost or not kept or max(lost) <= min(kept) + 1e-9


@given(SHAPES, BLOCKS, st.sampled_from(CRITERIA))
def test_importance_is_the_measure_of_each_block(
    shape: tuple[int, ...], block: Block, criterion: str
):
    weight = weights(shape)
    expected = [MEASURES[criterion](part) for part in blocks_of(weight, block)]
    score = importance(weight, block, criterion)
    assert score.shape == (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    np.testing.assert_allclose(score.ravel(), expected, rtol=1e-9, atol=1e-12)


def test_of_equals_the_first_go_first():
    pruned = prune(np.ones((16, 24, 1, 1), np.float32), 0.5, (8, 8), "l2")
    kept = pruned[::8, ::8, 0, 0]
    assert kept.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_the_variance_is_around_the_mean_of_the_block():
    weight = np.ones((8, 16, 1, 1), np.float32)
    weight[:, :8] = 100  # large, but all the same
    weight[0, 8] = 2
    pruned = prune(weight, 0.5, (8, 8), "variance")
    assert not pruned[:, :8].any()
    assert pruned[:, 8:].all()


def test_a_block_may_be_larger_than_the_weight():
    weight = weights((3, 5, 3, 3))
    assert np.array_equal(prune(weight, 0.4, (10**9, 10**9), "l2"), weight)
    assert not prune(weight, 1, (10**9, 10**9), "l2").any()


def test_one_dimensional_kernels():
    pruned = prune(weights((16, 16, 5)), 0.5, (8, 8), "l1")
    assert sum(not part.any() for part in blocks_of(pruned, (8, 8))) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((-0.1, (8, 8), "l2", 0), "sparsity must be between 0 and 1, not -0.1"),
        ((1.5, (8, 8), "l2", 0), "sparsity must be between 0 and 1, not 1.5"),
        ((math.nan, (8, 8), "l2", 0), "sparsity must be between 0 and 1, not nan"),
        ((0.5, (0, 8), "l2", 0), "block must be COUTxCIN, both at least 1, not 0x8"),
        ((0.5, (8,), "l2", 0), "block must be COUTxCIN, both at least 1, not 8"),
        (
            (0.5, (8, 8), "l3", 0),
            "unknown criterion 'l3': give one of l2, l1, variance",
        ),
        ((0.5, (8, 8), "l2", -1), "seed must be at least 0, not -1"),
    ],
)
def test_options_out_of_range(options: tuple[Any, ...], message: str):
    with pytest.raises(BscError) as error:
        check_options(*options)
    assert str(error.value) == message
