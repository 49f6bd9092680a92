"""The paper's Table 2, published and corrected (`paper_table2.json` says what that is)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_GRID = re.compile(r"paper-(\d+)x(\d+)")
_KINDS = {0.0: "dense", 0.5: "sparse"}


@dataclass(frozen=True)
class PaperTimes:
    """Seconds for convolutions and pooling as published, and with the compute time of the
    work that is really done; both None where the paper's compiler failed."""

    published_s: float | None
    corrected_s: float | None


def paper_times(model: str, arch: str, sparsity: float) -> PaperTimes | None:
    """What the paper has for a cell, if that is one of its 42."""
    grid = _GRID.fullmatch(arch)
    kind = _KINDS.get(sparsity)
    if grid is None or kind is None:
        return None
    row = _table().get((model, int(grid[1]), int(grid[2])))
    if row is None:
        return None
    return PaperTimes(row[f"{kind}_s"], row[f"{kind}_corrected_s"])


@cache
def _table() -> dict[tuple[str, int, int], dict[str, Any]]:
    text = files("bsc.sweep").joinpath("paper_table2.json").read_text(encoding="utf-8")
    return {(row["model"], row["rows"], row["cols"]): row for row in json.loads(text)["rows"]}
