"""The folder of a compiled program: its files, and how they are written and read.

    program.asm         the program text: all that the machine does
    weights.bin         the packed weights, in the order of the program
    cost.json           time, bytes and MACs of each layer (docs/formats.md)
    cost.csv            the layers of cost.json as a table
    trace.json          when everything happens, as Chrome trace events
    module.mlir         the IR just before it is lowered to instructions
    module.weights.bin  the weights that the IR refers to, if there are any large ones

Running a program takes the first two and nothing else.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program
from bsc.asm.program import Program
from bsc.errors import BscError

PROGRAM = "program.asm"
WEIGHTS = "weights.bin"
COST = "cost.json"
TABLE = "cost.csv"
TRACE = "trace.json"
MODULE = "module.mlir"
MODULE_WEIGHTS = "module.weights.bin"
FILES = (PROGRAM, WEIGHTS, COST, TABLE, TRACE, MODULE, MODULE_WEIGHTS)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What writing can fail with, whatever the file is: the system does not name it."""


def read_text(folder: str | Path) -> str:
    """The program text in `folder`.  Raises BscError if it is no folder of a compiled
    program, or if the file is no text."""
    path = Path(folder)
    if not path.is_dir():
        what = "is a file" if path.exists() else "no such folder"
        raise BscError(f"{path}: {what}: give the folder that 'bsc compile' wrote")
    _require(path, PROGRAM)
    try:
        return (path / PROGRAM).read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise BscError(f"{path / PROGRAM}: not a text in UTF-8: {e.reason}") from None


def read_program(folder: str | Path) -> tuple[Program, Bytes]:
    """The program in `folder` and its packed weights.

    Raises BscError if it is no folder of a compiled program, or if its text is not well
    formed.  Whether text and weights belong together is checked when they are run.
    """
    path, text = Path(folder), read_text(folder)
    _require(path, WEIGHTS)
    return parse_program(text, str(path / PROGRAM)), np.fromfile(path / WEIGHTS, np.uint8)


def _require(path: Path, name: str) -> None:
    if not (path / name).is_file():
        raise BscError(
            f"{path}: not a compiled program, it has no {name}: "
            "give the folder that 'bsc compile' wrote"
        )


def check_target(folder: str | Path) -> None:
    """Raises BscError if no folder can be made there, before work is spent on it."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise BscError(f"{path}: is a file: give a folder to write to")


@contextmanager
def written_together(folder: str | Path) -> Generator[Path]:
    """A folder to write some of FILES into, which become those of `folder` if all goes well.

    The files are made beside `folder` and moved at the end, so that nothing is half
    written.  Files that are in `folder` under other names stay; those of FILES that are
    not written anew go.  Raises BscError if the folder cannot be made.
    """
    with _aside(folder) as (aside, path):
        yield aside
        if not path.exists():
            aside.rename(path)
        else:
            for name in FILES:
                if (aside / name).exists():
                    (aside / name).replace(path / name)
                else:
                    (path / name).unlink(missing_ok=True)


@contextmanager
def written_anew(folder: str | Path) -> Generator[Path]:
    """A folder to write into, which takes the place of `folder` if all goes well: nothing of
    what was there stays.  Raises BscError if the folder cannot be made."""
    with _aside(folder) as (aside, path):
        yield aside
        if path.exists():
            shutil.rmtree(path)
        aside.rename(path)


@contextmanager
def _aside(folder: str | Path) -> Generator[tuple[Path, Path]]:
    """A new folder beside `folder`, and where `folder` is; what is left of it goes."""
    check_target(folder)
    path = Path(folder).resolve()
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told_of(folder, aside):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.mkdir()
            yield aside, path
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _told_of(target: str | Path, aside: Path) -> Generator[None]:
    """Turns what the system says of `aside`, of the folders around it, or of a full disk into
    a BscError about `target`, which is what the user knows."""
    try:
        yield
    except OSError as e:
        found = aside if e.errno in _FULL else Path(str(e.filename))
        if not (aside.is_relative_to(found) or found.is_relative_to(aside)):
            raise
        raise BscError(f"{target}: cannot be written: {e.strerror}") from None


@contextmanager
def written_whole(file: str | Path) -> Generator[Path]:
    """A path to write to, which becomes `file` if all goes well.

    Raises BscError if `file` is a folder or in none, or cannot be written.
    """
    path = Path(file)
    if path.is_dir():
        raise BscError(f"{path}: is a folder: give a file to write to")
    if not path.parent.is_dir():
        raise BscError(f"{path}: cannot be written: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        # A device or a pipe: there is nothing to replace.
        yield path
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told_of(path, aside):
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
