"""`bsc sweep`: networks x machines x sparsities, timed and set beside the paper's Table 2.

The work is done by `bsc.sweep`; here are the command line, the table and the file.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bsc.errors import BscError
from bsc.suggest import did_you_mean
from bsc.tools import progress

if TYPE_CHECKING:
    from bsc.sweep import Cache, Cell, Row, Sweep

CACHE = "bsc-cache"
"""The folder beside the output in which results are kept, if no other is given."""

_INTERRUPTED = 130

EXAMPLES = """\
\b
examples:
  bsc sweep --models resnet50 -o table.json        dense and half sparse on paper-4x4
  bsc sweep --models resnet50,vgg16 --arch paper-4x4,paper-5x5,npu1 --sparsity 0,0.5,0.75 \\
            -j 4 -o table.json
  bsc sweep --models r50.onnx --timing serial --check -o table.json
  bsc sweep --models resnet50 --dask tcp://10.0.0.7:8786 -o table.json

\b
MODEL is a built-in network, prepared with each sparsity, or a quantized .onnx file, which has
the sparsity that it has. Results are kept in --cache: a sweep that was stopped, by Ctrl-C
too, goes on where it was, and one that was done before takes a moment.
With --check each program also runs, on a random input, and all quantized tensors of the model
are compared with onnxruntime's, bit for bit.
A cell that cannot be compiled, or is not equal, is a row with its reason, and exit code 1
in the end.
"""


def sweep(
    models: Annotated[
        str, typer.Option(metavar="MODEL,...", help="Built-in networks, or .onnx files.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="TABLE.json", help="The file to write.")
    ],
    arch: Annotated[
        str, typer.Option(metavar="NAME,...", help="The machines: presets or TOML files.")
    ] = "paper-4x4",
    sparsity: Annotated[
        str, typer.Option(metavar="FRACTION,...", help="Shares of blocks to zero, 0 to 1.")
    ] = "0,0.5",
    timing: Annotated[
        str, typer.Option(metavar="NAME,...", help="The timings that get rows; all of them.")
    ] = "",
    jobs: Annotated[
        int,
        typer.Option(
            "-j", "--jobs", min=0, metavar="N", help="Processes; 0: one for each core."
        ),
    ] = 0,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Where results are kept; {CACHE} beside TABLE.json."),
    ] = None,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Compile on this dask.distributed cluster.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Run each program: every tensor as in onnxruntime?")
    ] = False,
) -> None:
    """Compile many networks for many machines, and compare with the paper's Table 2.

    Rows of model, arch, sparsity, timing, total_s, lower_bound_s, features_s and error.
    """
    from bsc.folder import written_whole
    from bsc.sweep import Cache, make_cells, record

    start = time.perf_counter()
    timings = _timings(timing)
    with written_whole(output) as aside:
        # Before the cache: a mistake in the command line leaves nothing behind.
        cells = make_cells(_names(models, "models"), _names(arch, "arch"), _shares(sparsity))
        kept = Cache(cache or output.parent / CACHE)
        done = _run(cells, kept, jobs or _cores(), dask, check)
        rows = done.rows(timings)
        text = json.dumps(record(rows), indent=1, ensure_ascii=False)
        aside.write_text(f"{text}\n", encoding="utf-8")
    _print(rows)
    _tell(output, rows, done, time.perf_counter() - start)


def _run(cells: Sequence[Cell], kept: Cache, jobs: int, dask: str, check: bool) -> Sweep:
    """The sweep, with a bar; Ctrl-C ends it with a line."""
    from bsc.sweep import dask_workers, local_workers, sweep

    try:
        with ExitStack() as stack:
            local = stack.enter_context(local_workers(jobs))
            workers = stack.enter_context(dask_workers(dask)) if dask else local
            tell = stack.enter_context(progress.bar("sweeping", patience=0))
            return sweep(cells, kept, workers, local, tell, check)
    except KeyboardInterrupt:
        typer.echo("stopped: the same command goes on from here", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _print(rows: Sequence[Row]) -> None:
    from bsc.report.screen import print_lines, print_table
    from bsc.sweep.table import NOTES, failure_lines, mean_lines, sparsity_table, sweep_table

    print_table(sweep_table(rows))
    print_lines("", *NOTES, "")
    gains = sparsity_table(rows)
    if gains is not None:
        print_table(gains)
        print_lines("")
    print_lines(*mean_lines(rows), *failure_lines(rows))


def _tell(output: Path, rows: Sequence[Row], done: Sweep, spent_s: float) -> None:
    """The last line.  Raises BscError if a cell failed."""
    from bsc.report.screen import print_lines
    from bsc.report.units import plural, seconds

    counts = f"{plural(len(rows), 'row')}, {plural(len(done.found), 'cell')}"
    known = f", {done.known} of them known before" if done.known else ""
    print_lines(f"{output}: {counts}{known}, in {seconds(spent_s)}")
    if done.equal_tensors:
        print_lines(f"{plural(done.equal_tensors, 'quantized tensor')} equal to onnxruntime's")
    if done.failures:
        cell, reason = next(iter(done.failures.items()))
        count = plural(len(done.failures), "cell")
        raise BscError(f"{count} of {len(done.found)} failed, first {cell}: {reason}")


# The command line ----------------------------------------------------------------------


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise BscError(f"--{option} must be names with commas between them, not '{text}'")
    return names


def _shares(text: str) -> list[float]:
    return list(_numbers(_names(text, "sparsity")))


def _numbers(texts: Sequence[str]) -> Iterator[float]:
    for text in texts:
        try:
            yield float(text)
        except ValueError:
            raise BscError(f"--sparsity must be numbers from 0 to 1, not '{text}'") from None


def _timings(text: str) -> tuple[str, ...]:
    from bsc.cost.network import TIMINGS

    wanted = tuple(dict.fromkeys(_names(text, "timing"))) if text else TIMINGS
    for name in wanted:
        if name not in TIMINGS:
            hint = did_you_mean(name, TIMINGS)
            raise BscError(f"unknown timing '{name}': give one of {', '.join(TIMINGS)}{hint}")
    return wanted


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
