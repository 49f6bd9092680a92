"""Files with random mistakes are accepted or refused, whatever the mistake is.

`BSC_FUZZ=20000 pytest test/unit/test_frontend_fuzz.py` tries as many.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from model_mutations import mutated
from qdq_models import random_network
from spoilt_models import Net

from bsc.errors import ModelError
from bsc.frontend import import_onnx
from bsc.frontend.explain import explain

PARTS = 8
COUNT = int(os.environ.get("BSC_FUZZ", "400"))


def refusal(path: Path, look: Callable[[Path], object]) -> ModelError | None:
    """What `look` refuses the file with, if it does; anything else it raises is a mistake."""
    try:
        look(path)
    except ModelError as e:
        return e
    return None


@pytest.mark.parametrize("part", range(PARTS))
def test_any_file_is_accepted_or_refused(tmp_path: Path, part: int):
    goods = [Net.make().model, *(random_network(seed) for seed in range(6))]
    contents = [model.SerializeToString() for model in goods]
    path, refused = tmp_path / "model.onnx", 0
    for seed in range(part, COUNT, PARTS):
        rng = random.Random(seed)
        path.write_bytes(mutated(rng, rng.choice(contents)))
        found = refusal(path, import_onnx)
        explained = refusal(path, lambda path: explain(path).raise_if_refused())
        if found is None:
            assert explained is None, seed
            continue
        refused += 1
        assert explained is not None, seed
        assert explained.problems == found.problems, seed
        assert str(found).splitlines() == [f"{path}: {text}" for text in found.problems], seed
    assert 0 < refused < COUNT // PARTS
