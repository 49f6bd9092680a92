"""The exchange format of allocation problems: CSV with the columns id, lower, upper, size.

A buffer is live from `lower` until just before `upper`, as in MiniMalloc's files; a solution
has the column offset besides.  Columns may come in any order; others are not read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from bsc.allocate.problem import Buffer
from bsc.errors import BscError

COLUMNS = ("id", "lower", "upper", "size")
OFFSET = "offset"
_LIMIT = 1 << 62


def read_problem(text: str, name: str) -> list[Buffer]:
    """The buffers in the CSV `text`.  Raises BscError, which begins with `name` and a line."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    buffers: list[Buffer] = []
    ids: dict[str, int] = {}
    try:
        header = [column.strip() for column in next(reader, [""])]
        places = _places(header, name)
        for row in reader:
            if any(row):
                where = f"{name}:{reader.line_num}"
                buffers.append(_buffer(row, places, len(header), where))
                first = ids.setdefault(buffers[-1].name, reader.line_num)
                if first != reader.line_num:
                    given = f"id '{_shown(buffers[-1].name)}' is that of line {first} too"
                    raise BscError(f"{where}: {given}: give each buffer an id of its own")
    except csv.Error as e:
        raise BscError(f"{name}:{reader.line_num}: no CSV: {e}") from None
    return buffers


def _places(header: list[str], name: str) -> list[int]:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        shown = _shown(",".join(header))
        raise BscError(
            f"{name}:1: no column {' and '.join(missing)} in '{shown}': "
            f"the first line must name {','.join(COLUMNS)}"
        )
    return [header.index(column) for column in COLUMNS]


def _buffer(row: list[str], places: list[int], columns: int, where: str) -> Buffer:
    if len(row) != columns:
        raise BscError(f"{where}: {len(row)} fields, where the first line has {columns}")
    name, *texts = (row[place].strip() for place in places)
    numbers: list[int] = []
    for column, text in zip(COLUMNS[1:], texts, strict=True):
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            raise BscError(f"{where}: {column} is '{_shown(text)}', not a whole number")
        numbers.append(int(text))
    lower, upper, size = numbers
    if lower >= upper:
        raise BscError(f"{where}: lower {lower} is not below upper {upper}")
    if not 0 <= size <= _LIMIT:
        raise BscError(f"{where}: size {size} is not between 0 and {_LIMIT}")
    return Buffer(name, lower, upper, size)


def _shown(text: str) -> str:
    """Text from a file as part of a message of one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:60]}…"


def write_solution(buffers: Sequence[Buffer], offsets: Sequence[int]) -> str:
    """The problem as CSV, with the column offset."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*COLUMNS, OFFSET))
    for b, offset in zip(buffers, offsets, strict=True):
        writer.writerow((b.name, b.lower, b.upper, b.size, offset))
    return stream.getvalue()
