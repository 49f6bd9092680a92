"""ResNet-50 in event order, with nominal and with random timing, and how long that takes.

    python benchmarks/event_order.py --timing-seeds 5

Half of the blocks are zero.  On each machine the program runs in text order, which gives the
outputs and what each read must see; then as events, with the machine's own durations and
with random ones.  Exit code 1 if an output differs, a read sees another write, or one run
takes longer than it may.
"""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

import bsc
from bsc.api import load
from bsc.prepare import prepare
from bsc.report.screen import print_lines, print_table
from bsc.report.units import seconds
from bsc.sim import run_program
from bsc.sim.events import EventSimulator

ARCHS = ("paper-4x4", "paper-2x2")
EVENTS_S = 60.0
"""What a run in event order may take, the run in text order before it included."""


def main(
    timing_seeds: Annotated[int, typer.Option(help="Random timings.", min=0)] = 5,
) -> None:
    """Run ResNet-50 in event order on each machine."""
    model = prepare("resnet50", sparsity=0.5)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        "event order",
        "operations",
        "text order",
        "nominal",
        "slowest seed",
        "equal",
    ):
        table.add_column(title, justify="left" if title == "event order" else "right")
    good = True
    for arch in ARCHS:
        row, fine = measure(bsc.compile(model, arch), timing_seeds)
        table.add_row(arch, *row)
        good = good and fine
    print_table(table)
    print_lines("", "all equal, and within the limit" if good else "not all equal and in time")
    raise typer.Exit(0 if good else 1)


def measure(compiled: bsc.Compiled, timing_seeds: int) -> tuple[list[str], bool]:
    """A row of the table, and whether all of it is as it must be."""
    program, weights = load(compiled)
    (port,) = program.inputs
    image = np.random.default_rng(0).standard_normal(port.dims, dtype=np.float32)
    feeds = {port.onnx_name: image}
    expected = run_program(program, weights, feeds).outputs
    start = time.perf_counter()
    simulator = EventSimulator(program, weights, feeds)
    before = time.perf_counter() - start
    spent: list[float] = []
    equal = 0
    runs = (None, *range(timing_seeds))
    for seed in track(runs, compiled.arch.name):
        start = time.perf_counter()
        outputs = simulator.run(seed).outputs
        spent.append(time.perf_counter() - start)
        equal += all(np.array_equal(outputs[name], expected[name]) for name in expected)
    slowest = max(spent[1:], default=0.0)
    row = [
        f"{simulator.order.operations - 1:,}",
        seconds(before),
        seconds(spent[0]),
        seconds(slowest),
        f"{equal} of {len(runs)}",
    ]
    return row, equal == len(runs) and before + max(spent) <= EVENTS_S


if __name__ == "__main__":
    typer.run(main)
