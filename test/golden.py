"""The golden metrics: what every cell of the paper's Table 2 costs with this compiler.

`benchmarks/golden_metrics.json` has time, DDR bytes and peak memtile use of each.  A change of
the compiler that moves one of them by more than 1% is to be seen: `differences` says which, in
either direction, and `make golden` writes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bsc.prepare import NETWORKS
from bsc.report.units import scaled, seconds
from bsc.sweep import Cell, Measured, Sweep, make_cells

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "golden_metrics.json"
MOST = 0.01
"""How far a figure may move, as a share of it."""

MODELS = ("resnet50", "inception_v3", "vgg16")
ARCHS = tuple(f"paper-{n}x{n}" for n in range(2, 9))
SPARSITIES = (0.0, 0.5)

Figures = Mapping[str, float]
Metrics = Mapping[str, Figures]
"""Figures by the name of the cell; times are in seconds, to the nanosecond."""


def golden_cells() -> list[Cell]:
    """All cells of Table 2 whose network `bsc prepare` can make."""
    return make_cells([name for name in MODELS if name in NETWORKS], ARCHS, SPARSITIES)


def figures_of(measured: Measured) -> Figures:
    """The figures of a cell that are watched."""
    found: dict[str, float] = {}
    for name, times in measured.timings.items():
        found[f"{name}_s"] = round(times.total_s, 9)
        found[f"{name}_features_s"] = round(times.features_s, 9)
    found["ddr_read_bytes"] = measured.ddr_read_bytes
    found["ddr_write_bytes"] = measured.ddr_write_bytes
    found["peak_memtile_bytes"] = measured.peak_memtile_bytes
    return found


def metrics_of(done: Sweep) -> Metrics:
    """The figures of every cell that has a program."""
    return {
        str(cell): figures_of(what)
        for cell, what in done.found.items()
        if isinstance(what, Measured)
    }


def read_golden(path: Path = FILE) -> Metrics:
    """What the file has."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_golden(metrics: Metrics, path: Path = FILE) -> None:
    """Write the file."""
    path.write_text(f"{json.dumps(metrics, indent=1)}\n", encoding="utf-8")


def differences(golden: Metrics, found: Metrics) -> Iterator[str]:
    """A line for each figure of `found` that is more than MOST away from the golden one, and
    for each cell that only one of them has."""
    for name in [*golden, *(name for name in found if name not in golden)]:
        if name not in found or name not in golden:
            where = "the golden metrics" if name not in golden else "what was found"
            yield f"{name}: not in {where}"
            continue
        for key in dict.fromkeys((*golden[name], *found[name])):
            old, new = golden[name].get(key), found[name].get(key)
            if old is None or new is None or abs(new - old) > MOST * abs(old):
                yield f"{name}: {key:20} {_moved(key, old, new)}"


def _moved(key: str, old: float | None, new: float | None) -> str:
    """`4,453.0 us -> 4,601.2 us  +3.3%`"""
    texts = [_shown(key, value) for value in (old, new)]
    percent = f"  {100 * (new / old - 1):+.1f}%" if old and new is not None else ""
    return f"{texts[0]:>11} -> {texts[1]:>11}{percent}"


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "nothing"
    return seconds(value) if key.endswith("_s") else f"{scaled(value)}B"
