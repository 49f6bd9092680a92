"""A change that makes programs slower or larger is to be seen, against the golden metrics.

`test_resnet50.py`, which has programs of some cells, compares those; `make bench` compares all
of them, and `make golden` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

from golden import (
    ARCHS,
    MODELS,
    SPARSITIES,
    differences,
    figures_of,
    read_golden,
    write_golden,
)

from bsc.sweep import Measured, Times, make_cells


def test_the_file_has_cells_of_table_2_only():
    cells = make_cells(MODELS[:1], ARCHS, SPARSITIES)
    golden = read_golden()
    assert {str(cell) for cell in cells} <= golden.keys()
    grid = {
        f"{model} {arch} sparsity {sparsity:g}"
        for model in MODELS
        for arch in ARCHS
        for sparsity in SPARSITIES
    }
    assert golden.keys() <= grid
    for figures in golden.values():
        assert 0 < figures["serial_features_s"] < figures["serial_s"]
        assert 0 < figures["peak_memtile_bytes"] <= 512 * 1024


MEASURED = Measured(
    {"serial": Times(2e-3, 1e-3, 1.5e-3), "overlap": Times(1.8e-3, 1e-3, 1.4e-3)},
    ddr_read_bytes=2_000_000,
    ddr_write_bytes=0,
    peak_memtile_bytes=500_000,
)


def test_up_to_one_percent_is_nothing_and_more_is_a_line(tmp_path: Path):
    figures = figures_of(MEASURED)
    write_golden({"a": figures, "b": figures}, tmp_path / "golden.json")
    golden = read_golden(tmp_path / "golden.json")
    assert golden == {"a": figures, "b": figures}
    for factor in (0.991, 1, 1.009):
        near = {key: value * factor for key, value in figures.items()}
        assert not list(differences(golden, {"a": near, "b": figures}))
    for key, value in figures.items():
        for factor in (0.98, 1.02):
            away = {**figures, key: value * factor if value else 1}
            (line,) = differences(golden, {"a": figures, "b": away})
            assert line.startswith(f"b: {key} ")
            assert not value or line.endswith(f"{100 * (factor - 1):+.1f}%")


def test_what_a_moved_figure_looks_like():
    figures = figures_of(MEASURED)
    slower = {**figures, "serial_s": 2.066e-3, "peak_memtile_bytes": 510_000}
    assert list(differences({"a": figures}, {"a": slower, "c": figures})) == [
        "a: serial_s              2,000.0 us ->  2,066.0 us  +3.3%",
        "a: peak_memtile_bytes        500 kB ->      510 kB  +2.0%",
        "c: not in the golden metrics",
    ]
    assert list(differences({"a": figures, "b": figures}, {"a": figures})) == [
        "b: not in what was found"
    ]
