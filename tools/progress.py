"""What a person sees while a command works: on stderr, and on a terminal only.

A step that takes a moment has a spinner.  What is counted gets a bar once it has taken two
seconds: shorter work should not flicker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

PATIENCE_S = 2.0
"""Seconds before a bar appears."""


@contextmanager
def steps(what: str) -> Generator[Callable[[str], None]]:
    """A spinner; what it yields is told the name of each step as it starts."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: None
        return
    with console.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")


@contextmanager
def bar(what: str, patience: float = PATIENCE_S) -> Generator[Callable[[int, int], None]]:
    """A bar; what it yields is told how much of how much is done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True)
    task = progress.add_task(what)
    begin = time.monotonic()
    shown = False

    def tell(done: int, total: int) -> None:
        nonlocal shown
        if not shown and time.monotonic() - begin > patience:
            progress.start()
            shown = True
        if shown:
            progress.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        if shown:
            progress.stop()
