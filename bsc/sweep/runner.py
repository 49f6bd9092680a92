"""Runs the cells of a sweep: first the models that are missing, then the programs.

A model is prepared once and shared by its cells.  A cell that is known already costs nothing;
one that fails is a row with its reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from bsc.api import Progress
from bsc.arch import load_arch
from bsc.errors import BscError
from bsc.folder import written_whole
from bsc.prepare import prepare
from bsc.sweep.cache import Cache, cell_key, content_of
from bsc.sweep.cells import Cell
from bsc.sweep.measure import Measured, Refused, measure, one_line
from bsc.sweep.workers import Workers

K = TypeVar("K")

Outcome: TypeAlias = Measured | Refused


@dataclass(frozen=True)
class Row:
    """A cell by the rules of one timing: times in seconds, or what went wrong."""

    model: str
    arch: str
    sparsity: float
    timing: str
    total_s: float | None = None
    lower_bound_s: float | None = None
    features_s: float | None = None
    error: str | None = None


@dataclass
class Sweep:
    """What is known of each cell.  `known` of them were in the cache."""

    found: dict[Cell, Outcome]
    known: int

    @property
    def failures(self) -> dict[Cell, str]:
        """The cells without a program, and why."""
        return {c: m.reason for c, m in self.found.items() if isinstance(m, Refused)}

    @property
    def equal_tensors(self) -> int:
        """The quantized tensors that were compared with onnxruntime's, over all cells."""
        measured = (m for m in self.found.values() if isinstance(m, Measured))
        return sum(m.equal_tensors or 0 for m in measured)

    def rows(self, timings: Sequence[str]) -> list[Row]:
        """A row for each cell and timing."""
        return [_row(cell, what, name) for cell, what in self.found.items() for name in timings]


def _row(cell: Cell, what: Outcome, timing: str) -> Row:
    place = cell.model, cell.arch, cell.sparsity, timing
    if isinstance(what, Refused):
        return Row(*place, error=what.reason)
    return Row(*place, **asdict(what.timings[timing]))


def record(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON has them."""
    return [asdict(row) for row in rows]


def sweep(
    cells: Sequence[Cell],
    cache: Cache,
    workers: Workers,
    preparers: Workers,
    progress: Progress | None = None,
    check: bool = False,
) -> Sweep:
    """Measure every cell, in whatever order; the result has them as they were given.

    With `check` each program is also run, and a tensor that is not onnxruntime's is a failure.

    `preparers`, processes of this machine, make the models that are missing.  What is
    measured is kept in `cache` at once.  `progress(done, all)` is told of each model and cell.

    Raises BscError if a worker dies, and leaves all that has been measured in the cache.
    """
    run = _Run(cells, cache, progress, check)
    run.show()
    run.make_models(preparers.executor)
    run.measure_cells(workers)
    return Sweep({cell: run.found[cell] for cell in cells}, run.known)


class _Run:
    """One sweep as it goes on."""

    def __init__(
        self, cells: Sequence[Cell], cache: Cache, progress: Progress | None, check: bool
    ):
        self.cells = cells
        self.cache = cache
        self.progress = progress
        self.check = check
        self.done = 0
        self.found: dict[Cell, Outcome] = {}
        self.known = 0
        self.missing = {
            (cell.model, cell.sparsity): self.path(cell)
            for cell in cells
            if not self.path(cell).is_file()
        }

    def path(self, cell: Cell) -> Path:
        """Where the model of a cell is, once it is made."""
        if cell.is_file:
            return Path(cell.model)
        return self.cache.model_path(cell.model, cell.sparsity)

    def note(self, cell: Cell, what: Outcome) -> None:
        """One cell more is done."""
        self.found[cell] = what
        self.tell()

    def tell(self) -> None:
        """One model or cell more is done."""
        self.done += 1
        self.show()

    def show(self) -> None:
        """Say how far the sweep is."""
        if self.progress is not None:
            self.progress(self.done, len(self.missing) + len(self.cells))

    def make_models(self, executor: Executor) -> None:
        """The models that are missing; cells whose model cannot be made are done."""
        tasks = {
            executor.submit(make_model, *key, path): key for key, path in self.missing.items()
        }
        for key, what in _completed(tasks):
            self.tell()
            if isinstance(what, Refused):
                for cell in self.cells:
                    if (cell.model, cell.sparsity) == key:
                        self.note(cell, what)

    def measure_cells(self, workers: Workers) -> None:
        """The cells that have a model and are not in the cache."""
        contents: dict[Path, bytes] = {}
        keys: dict[Cell, str] = {}
        tasks: dict[Future[Any], Cell] = {}
        for cell in self.cells:
            if cell in self.found:
                continue
            path = self.path(cell)
            if path not in contents:
                contents = {path: content_of(path)}  # of one at a time: they are large
            arch = load_arch(cell.arch)
            keys[cell] = cell_key(contents[path], arch, self.check)
            known = self.cache.find(keys[cell])
            if known is None:
                model = workers.hand_over(path)
                task = workers.executor.submit(measure, model, arch, self.check)
                tasks[task] = cell
            else:
                self.known += 1
                self.note(cell, known)
        for cell, what in _completed(tasks):
            if isinstance(what, Measured):
                self.cache.keep(keys[cell], what)
            self.note(cell, what)


def make_model(network: str, sparsity: float, path: Path) -> Refused | None:
    """Write a built-in network, quantized, to a file; the reason if that cannot be done."""
    try:
        content = prepare(network, sparsity=sparsity).SerializeToString()
        with written_whole(path) as aside:
            aside.write_bytes(content)
    except (BscError, OSError, MemoryError) as e:
        return Refused(f"prepare: {one_line(e)}")
    return None


def _completed(tasks: Mapping[Future[Any], K]) -> Iterator[tuple[K, Any]]:
    """The results as they come, with what they are of.

    A function that raises what it should not has a defect, which is a failure of its own and
    not of the rest.
    """
    for future in as_completed(tasks):
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or isinstance(error, BrokenProcessPool):
            raise BscError(
                "a worker died, for lack of memory perhaps: the same command goes on from "
                "here; give it fewer jobs (-j)"
            )
        if error is None:
            yield tasks[future], future.result()
        else:
            yield (
                tasks[future],
                Refused(f"unexpected {type(error).__name__}: {one_line(error)}"),
            )
