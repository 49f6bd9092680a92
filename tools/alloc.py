"""`bsc alloc`: pack buffers with live ranges into one memory; CSV in, CSV out.

The work is done by `bsc.allocate`; here are the command line and the files.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bsc.errors import BscError
from bsc.tools import progress

if TYPE_CHECKING:
    from bsc.allocate import Buffer, Packing

STEPS = 3_000_000
"""Steps of the search, if no other number is given: about half a minute."""

EXAMPLES = """\
\b
examples:
  bsc alloc problem.csv --capacity 524288          the solution on stdout
  bsc alloc problem.csv --capacity 524288 -o solved.csv --align 64
  bsc alloc problem.csv -o solved.csv              the least height that is found

\b
problem.csv begins with the line id,lower,upper,size; a buffer is live from lower until just
before upper. The solution has the column offset besides.
"""


def alloc(
    problem: Annotated[
        Path, typer.Argument(metavar="PROBLEM.csv", help="Buffers: id,lower,upper,size.")
    ],
    capacity: Annotated[
        int | None,
        typer.Option(min=0, metavar="BYTES", help="Of the memory; as few as possible."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.csv", help="The file to write; stdout."),
    ] = None,
    align: Annotated[
        int, typer.Option(min=1, metavar="BYTES", help="Offsets are multiples of this.")
    ] = 1,
    steps: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Placements that the exact search may try; 0: first fit alone.",
        ),
    ] = STEPS,
    circular: Annotated[
        bool,
        typer.Option("--circular", help="A buffer may go on at 0 where the memory ends."),
    ] = False,
) -> None:
    """Give buffers with live ranges offsets in one memory.

    First fit in several orders, then an exact search. The same problem has the same solution
    each time; a line on stderr tells the height beside the lower bound.
    """
    from bsc.allocate import busiest, check, height, least, pack
    from bsc.allocate.portfolio import found
    from bsc.allocate.table import read_problem, write_solution
    from bsc.folder import written_whole
    from bsc.report.units import plural, seconds

    if circular and capacity is None:
        raise BscError("--circular needs --capacity: where the memory ends")
    start = time.perf_counter()
    buffers = read_problem(_read(problem), str(problem))
    with progress.bar("allocating") as bar:

        def tell(done: int) -> None:
            bar(done, steps)

        if capacity is None:
            packing = least(buffers, align, steps, tell)
        else:
            packing = pack(buffers, capacity, align, steps, circular, tell)
            if packing.failed is not None:
                raise BscError(f"{problem}: {_why(buffers, packing, capacity, align)}")
    offsets = found(packing)
    used = height(buffers, offsets)
    check(buffers, offsets, used if capacity is None else capacity, circular)
    text = write_solution(buffers, offsets)
    if output is None:
        typer.echo(text, nl=False)
    else:
        with written_whole(output) as aside:
            aside.write_text(text, encoding="utf-8")
    what = f"{used:,} bytes" if capacity is None or not circular else f"{capacity:,} bytes"
    bound = busiest(buffers, align).load
    spent = seconds(time.perf_counter() - start)
    target = "" if output is None else f"{output}: "
    line = f"{plural(len(buffers), 'buffer')} in {what}, lower bound {bound:,}, in {spent}"
    typer.echo(f"{target}{line}", err=output is None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise BscError(f"{path}: not a text in UTF-8: {e.reason}") from None


def _why(buffers: list[Buffer], packing: Packing, capacity: int, align: int) -> str:
    """Why no packing was found, and what to do."""
    from bsc.allocate import busiest

    section = busiest(buffers, align)
    where = f"from time {section.lower} to {section.upper}"
    if section.load > capacity:
        return (
            f"impossible in {capacity} bytes: {section.load} bytes meet {where}: "
            f"give --capacity {section.load} or more"
        )
    if packing.impossible:
        return (
            f"impossible in {capacity} bytes, although no more than {section.load} bytes meet "
            f"({where}): all packings were tried: give more --capacity"
        )
    assert packing.failed is not None
    return (
        f"no packing found in {capacity} bytes; {section.load} bytes meet {where}: "
        "give more --capacity, or more --steps than were tried"
    )
