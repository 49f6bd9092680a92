"""What a sweep prints: our times beside the paper's, what sparsity brings, geometric means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import geometric_mean

from rich.table import Table

from bsc.report.units import plural, ratio
from bsc.sweep.paper import PaperTimes, paper_times
from bsc.sweep.runner import Row

_LIKE_THE_PAPERS = "serial"
"""The timing by the paper's rules: no other is set beside its times."""

NOTES = (
    "milliseconds; features: convolutions and pooling alone, which is what the paper counts",
    "corrected: the paper's schedule with the compute time of the work that is done",
)


def sweep_table(rows: Sequence[Row]) -> Table:
    """A row for each cell and timing.  The paper's times stand beside `serial` ones."""
    table = _table("model", "total", "lower bound", "/bound", "features")
    compared = any(_paper(row) is not None for row in rows)
    if compared:
        for title in ("published", "/ours", "corrected", "/ours"):
            table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_place(row), *_ours(row), *(_theirs(row) if compared else ()))
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (first, "array", "sparsity", "timing"):
        table.add_column(title, no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _place(row: Row) -> tuple[str, ...]:
    array = row.arch.removeprefix("paper-")
    return Path(row.model).name, array, f"{row.sparsity:g}", row.timing


def _ours(row: Row) -> tuple[str, ...]:
    if row.total_s is None or row.lower_bound_s is None:
        return "failed", "", "", ""
    over = ratio(row.total_s, row.lower_bound_s)
    return _ms(row.total_s), _ms(row.lower_bound_s), over, _ms(row.features_s)


def _theirs(row: Row) -> tuple[str, ...]:
    paper = _paper(row)
    if paper is None:
        return "", "", "", ""
    times = paper.published_s, paper.corrected_s
    return tuple(
        text for s in times for text in (_ms(s) or "failed", _ratio(s, row.features_s))
    )


def _paper(row: Row) -> PaperTimes | None:
    if row.timing != _LIKE_THE_PAPERS:
        return None
    return paper_times(row.model, row.arch, row.sparsity)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value * 1e3:,.3f}"


def _ratio(part: float | None, whole: float | None) -> str:
    return "" if part is None or whole is None else ratio(part, whole)


# What sparsity brings ------------------------------------------------------------------


def sparsity_table(rows: Sequence[Row]) -> Table | None:
    """How many times faster than dense each sparse cell is, ours and the paper's, for
    convolutions and pooling; None if there is no such pair."""
    table = _table("dense/sparse", "ours", "published", "corrected")
    dense = {(row.model, row.arch, row.timing): row for row in rows if row.sparsity == 0}
    for row in rows:
        other = dense.get((row.model, row.arch, row.timing))
        if other is None or row.sparsity == 0:
            continue
        ours = _ratio(other.features_s, row.features_s)
        table.add_row(*_place(row), ours, *_gains(other, row))
    return table if table.row_count else None


def _gains(dense: Row, sparse: Row) -> tuple[str, str]:
    old, new = _paper(dense), _paper(sparse)
    if old is None or new is None:
        return "", ""
    return (
        _ratio(old.published_s, new.published_s),
        _ratio(old.corrected_s, new.corrected_s),
    )


# Lines ---------------------------------------------------------------------------------


def mean_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The geometric means of the paper's times over ours, each network's and all, and the
    cells that are slower than corrected."""
    models = list(dict.fromkeys(row.model for row in rows))
    groups = {model: [row for row in rows if row.model == model] for model in models}
    if len(models) > 1:
        groups["all"] = list(rows)
    for name, group in groups.items():
        published = [r for row in group if (r := _over(row, "published_s")) is not None]
        corrected = [r for row in group if (r := _over(row, "corrected_s")) is not None]
        if published and corrected:
            yield (
                f"{name}: published/ours {geometric_mean(published):.2f}, "
                f"corrected/ours {geometric_mean(corrected):.2f} "
                f"(geometric means of {plural(len(published), 'cell')})"
            )
    for row in rows:
        over = _over(row, "corrected_s")
        if over is not None and over < 1:
            yield f"slower than corrected: {_name(row)}: {over:.3f}"


def failure_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The cells that have no program, each once."""
    failed = {_name(row): row.error for row in rows if row.error is not None}
    for name, error in failed.items():
        yield f"failed: {name}: {error}"


def _over(row: Row, name: str) -> float | None:
    """The paper's time over ours."""
    paper = _paper(row)
    theirs: float | None = None if paper is None else getattr(paper, name)
    if theirs is None or row.features_s is None:
        return None
    return theirs / row.features_s


def _name(row: Row) -> str:
    return f"{row.model} {row.arch} sparsity {row.sparsity:g}"
