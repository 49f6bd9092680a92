"""Two programs of one network side by side: what sparsity brings."""

from __future__ import annotations

from rich.table import Table

from bsc.compiled import Compiled
from bsc.report.record import sums
from bsc.report.units import ratio, scaled, seconds


def comparison_table(dense: Compiled, sparse: Compiled) -> Table:
    """Time, MACs and bytes of the dense and the sparse program, and their ratio."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{sparse.arch.name}, {sparse.timing} timing", no_wrap=True)
    for title in ("dense", "sparse", "sparse/dense"):
        table.add_column(title, justify="right", no_wrap=True)
    a, b = dense.cost, sparse.cost
    for name, old, new in (
        ("time", a.total_s, b.total_s),
        ("lower bound", a.lower_bound_s, b.lower_bound_s),
    ):
        table.add_row(name, seconds(old), seconds(new), ratio(new, old))
    olds, news = sums(a.layers), sums(b.layers)
    rows = [(name, olds[key], news[key]) for name, key in _FIGURES]
    rows.insert(1, ("packed weights, bytes", dense.weights.size, sparse.weights.size))
    for name, old, new in rows:
        table.add_row(name, scaled(old), scaled(new), ratio(new, old))
    return table


_FIGURES = (
    ("MACs", "macs"),
    ("weights loaded from DDR, bytes", "weight_bytes"),
    ("all read from DDR, bytes", "ddr_read_bytes"),
    ("written to DDR, bytes", "ddr_write_bytes"),
)
