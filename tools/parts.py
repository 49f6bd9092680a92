"""`bsc compile --partition`: a model in parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import typer

from bsc.monitor import PassMonitor
from bsc.tools import progress


def compile(
    model: Path,
    output: Path,
    arch: str,
    timing: str,
    shape: Sequence[str],
    block: str,
    monitor: PassMonitor,
) -> None:
    """Compile the parts of a model for the array, and print what is where."""
    from bsc.compiled import Compiled
    from bsc.frontend.given import parse_shapes
    from bsc.partition import chain
    from bsc.report.explanation import part_text
    from bsc.report.screen import print_compiled
    from bsc.report.units import plural, seconds

    chain.check_target(output)
    start = time.perf_counter()
    with progress.steps(f"compiling {model}") as say:
        given = parse_shapes(shape)
        made = chain.compile(
            model, arch, timing, block=block, shapes=given, monitor=monitor, progress=say
        )
        monitor.stage = ""
        made.save(output)
    spent = time.perf_counter() - start
    for name, part in zip(made.names, made.parts, strict=True):
        if isinstance(part, Compiled):
            print_compiled(part, output / name)
            typer.echo("")
        elif not isinstance(part, Path):
            nodes = [(node.name, node.op_type) for node in part.graph.node]
            typer.echo(f"{output / name}: {part_text(name, nodes)}\n")
    typer.echo(f"{output}: {plural(len(made.parts), 'part')} in {seconds(spent)}")
