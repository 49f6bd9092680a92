"""Compares every cell of the paper's Table 2 with the golden metrics, or writes them anew.

    python benchmarks/golden_metrics.py [--write] [-j N] [-o DIR]

Time by both timings, bytes to and from DDR, and the most that is in use of a memtile, for each
network on 2x2 to 8x8, dense and half sparse.  A figure that moved by more than 1% is a line
and exit code 1; with --write `golden_metrics.json` becomes what was found.  What is known from
before, in DIR/bsc-cache, is not compiled again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from golden import FILE, differences, golden_cells, metrics_of, read_golden, write_golden

from bsc.report.screen import print_lines, print_table
from bsc.report.units import plural, seconds
from bsc.sweep import Cache, local_workers, sweep
from bsc.sweep.table import NOTES, failure_lines, mean_lines, sparsity_table, sweep_table
from bsc.tools import progress

LIMIT_S = 600.0
"""What the sweep may take on two cores, the preparation of the models among it."""


def main() -> int:
    """Sweep, compare, print; exit code 1 if something moved, failed, or took too long."""
    parser = argparse.ArgumentParser(description="The golden metrics of the compiler.")
    parser.add_argument("--write", action="store_true", help="write golden_metrics.json anew")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR")
    args = parser.parse_args()
    cells = golden_cells()
    start = time.perf_counter()
    with local_workers(args.jobs) as workers, progress.bar("sweeping", patience=0) as tell:
        cache = Cache(args.output / "bsc-cache")
        done = sweep(cells, cache, workers, workers, tell)
    spent = time.perf_counter() - start
    rows = done.rows(["serial"])
    print_table(sweep_table(rows))
    gains = sparsity_table(rows)
    assert gains is not None
    print_lines("", *NOTES, "")
    print_table(gains)
    print_lines("", *mean_lines(rows), *failure_lines(rows))
    known = f", {done.known} of them known before" if done.known else ""
    print_lines(f"{plural(len(cells), 'cell')}{known}, in {seconds(spent)}")
    if args.write:
        write_golden(metrics_of(done))
        print_lines(f"{FILE.name} written")
        moved: list[str] = []
    else:
        moved = list(differences(read_golden(), metrics_of(done)))
        print_lines(*moved, f"{plural(len(moved), 'figure')} moved by more than 1%")
        if moved:
            print_lines("if that is meant: make golden")
    return 1 if moved or done.failures or spent > LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(main())
