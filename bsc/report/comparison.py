"""Two programs of one network side by side: what sparsity brings."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from bsc.asm.tally import tally
from bsc.compiled import Compiled
from bsc.report.record import sums
from bsc.report.units import ratio, scaled, seconds

_FIGURES = (
    ("MACs", "macs"),
    ("weights read from DDR, bytes", "weight_bytes"),
    ("all read from DDR, bytes", "ddr_read_bytes"),
    ("written to DDR, bytes", "ddr_write_bytes"),
)


def comparison_table(dense: Compiled, sparse: Compiled) -> Table:
    """Time, MACs and bytes of the dense and the sparse program, and their ratio: as the cost
    model reports them, and as they are counted in the text of the program."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{sparse.arch.name}, {sparse.timing} timing", no_wrap=True)
    for title in ("dense", "sparse", "sparse/dense"):
        table.add_column(title, justify="right", no_wrap=True)

    def add(name: str, old: float, new: float, show: Callable[[float], str] = scaled) -> None:
        table.add_row(name, show(old), show(new), ratio(new, old))

    add("time", dense.cost.total_s, sparse.cost.total_s, seconds)
    add("lower bound", dense.cost.lower_bound_s, sparse.cost.lower_bound_s, seconds)
    add("weights.bin, bytes", dense.weights.size, sparse.weights.size)
    table.add_row()
    reported = sums(dense.cost.layers), sums(sparse.cost.layers)
    for name, key in _FIGURES:
        add(name, reported[0][key], reported[1][key])
    table.add_row()
    counted = tally(dense.program), tally(sparse.program)
    add("in the text: instructions", counted[0].instructions, counted[1].instructions)
    for name, key in _FIGURES:
        add(f"in the text: {name}", getattr(counted[0], key), getattr(counted[1], key))
    return table
