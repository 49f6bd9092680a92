"""Mistakes in the locks and lines of ResNet-50's program: who finds them.

    python benchmarks/lock_mistakes.py --arch paper-4x4 --every 60

Half of the blocks are zero.  A sample of the mistakes that `test/lock_mutations.py`
makes is shown to the static check, to random timings without the static check, and to the
account of what depends on what, which says whether the mistake is one at all.  Those that
leave the dependence graph as it was, and those that no timing finds, are listed.

Exit code 1 if the static check does not find exactly those that change the graph, or if a
timing finds one that does not.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from lock_judges import Judges
from lock_mutations import KINDS, mutants
from qdq_models import random_input

import bsc
from bsc.api import load
from bsc.prepare import prepare
from bsc.report.screen import print_lines, print_table

COLUMNS = ("tried", "unchanged", "static", "timing")


def main(
    arch: Annotated[str, typer.Option(help="The machine.")] = "paper-4x4",
    every: Annotated[int, typer.Option(help="Try one of so many.", min=1)] = 60,
    timing_seeds: Annotated[int, typer.Option(help="Random timings, at most.", min=1)] = 20,
) -> None:
    """Try a sample of the mistakes."""
    model = prepare("resnet50", sparsity=0.5)
    program, weights = load(bsc.compile(model, arch))
    judges = Judges(program, weights, random_input(model))
    counts = {kind: Counter[str]() for kind in KINDS}
    listed: list[str] = []
    wrong = 0
    for mutant in track(list(islice(mutants(program), 0, None, every)), arch):
        same, static, timing = judges.verdict(mutant, timing_seeds)
        flags = dict(zip(COLUMNS, (True, same, static, timing), strict=True))
        counts[mutant.kind].update([name for name, is_so in flags.items() if is_so])
        wrong += static == same or (same and timing)
        if same or not (static and timing):
            said = ", ".join(name for name, is_so in flags.items() if is_so)
            listed.append(f"{mutant.kind}: {mutant.change} ({said})")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("change")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for kind, count in counts.items():
        table.add_row(kind, *(str(count[column]) for column in COLUMNS))
    print_table(table)
    print_lines("", *listed, "", f"{wrong} judged wrongly" if wrong else "all judged alike")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
