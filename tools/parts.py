"""`bsc compile --partition`, and `bsc check` of what it wrote: models in parts."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from bsc.errors import BscError
from bsc.monitor import PassMonitor
from bsc.tools import progress


def compile(
    model: Path,
    output: Path,
    arch: str,
    timing: str,
    shape: object,
    block: str,
    monitor: PassMonitor,
) -> None:
    """Compile the parts of a model for the array, and print what is where."""
    from bsc.compiled import Compiled
    from bsc.partition import chain
    from bsc.report.screen import print_compiled

    if shape:
        raise BscError("--partition takes models of fixed shapes: it goes without --shape")
    chain.check_target(output)
    start = time.perf_counter()
    with progress.steps(f"compiling {model}") as say:
        made = chain.compile(model, arch, timing, block=block, monitor=monitor, progress=say)
        monitor.stage = ""
        made.save(output)
    spent = time.perf_counter() - start
    for name, part in zip(made.names, made.parts, strict=True):
        if isinstance(part, Compiled):
            print_compiled(part, output / name, spent)
        elif not isinstance(part, Path):
            nodes = ", ".join(f"{node.name} ({node.op_type})" for node in part.graph.node)
            typer.echo(f"{output / name}: on the host: {nodes}")


def check(
    model: Path, folder: Path, inputs: int, every_tensor: bool, seed: int, timing_seeds: int
) -> None:
    """Compare the programs of all parts with onnxruntime.  Raises BscError if one differs."""
    from bsc.partition import chain
    from bsc.report.outcome import difference_lines
    from bsc.report.screen import print_outcome

    with progress.bar("checking") as tell:
        results = chain.check(
            model, folder, inputs, every_tensor, seed, timing_seeds=timing_seeds, progress=tell
        )
    for result in results:
        print_outcome(result)
    wrong = [line for result in results if not result.ok for line in difference_lines(result)]
    if wrong:
        raise BscError("; ".join(wrong))
