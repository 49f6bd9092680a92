"""What the commands print on stdout: the tables and lines of this package, in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bsc.compiled import Compiled
from bsc.report.blocks import block_lines, blocks_of
from bsc.report.host import host_lines
from bsc.report.layers import layer_table, time_lines
from bsc.report.outcome import elided_table, outcome_lines
from bsc.report.units import plural, seconds

if TYPE_CHECKING:
    # What checking takes (an interpreter, onnxruntime) is much to import for a table.
    from bsc.checking import CheckResult

_WIDEST = 1000


def print_table(table: Table) -> None:
    """Print a table in its full width, whatever the terminal's: no figure is cut off."""
    width = Console(width=_WIDEST).measure(table).maximum
    Console(highlight=False, width=width, soft_wrap=True).print(table)


def print_lines(*lines: str) -> None:
    """Print lines as they are."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for line in lines:
        console.print(line)


def print_compiled(compiled: Compiled, path: Path, spent_s: float | None = None) -> None:
    """The layer table, the time, and where the host takes over."""
    spent = "" if spent_s is None else f" in {seconds(spent_s)}"
    print_table(layer_table(compiled.cost))
    print_lines(
        "",
        *time_lines(compiled.cost),
        *host_lines(compiled.nodes),
        *block_lines(blocks_of(compiled.module)),
        f"{plural(len(compiled.elided), 'tensor')} elided: fused, in stripes, or unread "
        "(listed in program.asm)",
        f"{path}: compiled for {compiled.arch.name}{spent}",
    )


def print_outcome(result: CheckResult) -> None:
    """What is equal, and the tensors that the program never makes."""
    if result.elided:
        print_table(elided_table(result.elided))
        print_lines("")
    inputs = plural(result.inputs, "random input")
    print_lines(
        f"{result.model} on {result.arch} against onnxruntime, {inputs}, seed {result.seed}",
        *outcome_lines(result),
    )
