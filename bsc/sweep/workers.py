"""Who does the work of a sweep: processes of this machine, or a dask.distributed cluster.

Both are an `Executor` and a way to hand over a model: its path to a process of this machine,
its bytes, sent once, to a cluster that may share no files with us.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bsc.errors import BscError
from bsc.sweep.cache import compiler_hash, content_of

_PATIENCE_S = 10
"""How long to wait for the scheduler of a cluster."""


@dataclass(frozen=True)
class Workers:
    """`executor` runs functions; `hand_over` turns the path of a model into what is given to
    them for it."""

    executor: Executor
    hand_over: Callable[[Path], Any]


@contextmanager
def local_workers(count: int) -> Generator[Workers]:
    """That many processes on this machine."""
    executor = ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin)
    try:
        yield Workers(executor, lambda path: path)
    finally:
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ctrl-C ends a worker without a word; the process that has it tells."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def dask_workers(address: str) -> Generator[Workers]:
    """The workers of the cluster whose scheduler is at `address`.

    Raises BscError if dask is not installed, if nobody answers, if there are no workers, or
    if they have another bsc than this.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise BscError("dask.distributed is not installed: pip install 'bsc[dask]'") from None
    try:
        client = distributed.Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as e:
        raise BscError(
            f"no dask scheduler at '{address}': {' '.join(str(e).split())}"
        ) from None
    try:
        _check_workers(client, address)

        @cache
        def scattered(path: Path) -> Any:
            return client.scatter(content_of(path))

        executor: Executor = client.get_executor()
        yield Workers(executor, scattered)
    finally:
        client.close()


def _check_workers(client: Any, address: str) -> None:
    """A worker with another compiler would give other times under the same names."""
    try:
        found: dict[str, str] = client.run(compiler_hash)
    except ImportError as e:
        raise BscError(f"a worker of {address} has no bsc: {e}") from None
    if not found:
        raise BscError(f"the cluster at {address} has no workers")
    for worker, known in found.items():
        if known != compiler_hash():
            raise BscError(f"the worker {worker} has another version of bsc: install this one")
