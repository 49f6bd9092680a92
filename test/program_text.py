"""What a program's text says, read with nothing of the compiler: words, lists, products.

A second opinion on the counts of `bsc.asm.tally` and of the cost model.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple, TypeAlias

_WORD = re.compile(r'[^\s"]*(?:"[^"]*"[^\s"]*)*')


Numbers: TypeAlias = "int | list[Numbers]"


class Counts(NamedTuple):
    """MACs with stored blocks, and bytes to and from DDR."""

    macs: int
    ddr_read_bytes: int
    ddr_write_bytes: int


class Line(NamedTuple):
    """A line: its first word, the other plain words, and what is given as `name=value`."""

    head: str
    words: list[str]
    given: dict[str, str]

    @property
    def iterations(self) -> int:
        """All iterations of an instruction."""
        name = "iter" if "iter" in self.words else "iteration"
        count = self.words[self.words.index(name) + 1]
        return math.prod(int(n) for n in count.split("x"))

    def numbers(self, name: str, extents: tuple[int, ...]) -> list[list[int]]:
        """For each iteration the numbers of a field along axes of these extents, flat."""
        value: Numbers = json.loads(self.given[name])
        if _depth(value) == len(extents) + 1:
            return _parts(value, self.iterations, extents)
        return [_spread(value, extents)] * self.iterations


def _depth(value: Numbers) -> int:
    return 1 + _depth(value[0]) if isinstance(value, list) else 0


def _spread(value: Numbers, extents: tuple[int, ...]) -> list[int]:
    if isinstance(value, int):
        return [value] * math.prod(extents)
    return [n for part in _parts(value, extents[0], extents[1:]) for n in part]


def _parts(value: Numbers, size: int, extents: tuple[int, ...]) -> list[list[int]]:
    assert isinstance(value, list)
    assert len(value) == size
    return [_spread(part, extents) for part in value]


def lines(text: str) -> list[Line]:
    """The lines of a program, without comments."""
    found: list[Line] = []
    for line in text.splitlines():
        words = [word for word in _WORD.findall(line.split("##")[0]) if word]
        if words:
            pairs = [word for word in words[1:] if "=" in word and word[0] != '"']
            plain = [word for word in words[1:] if word not in pairs]
            found.append(Line(words[0], plain, dict(pair.split("=", 1) for pair in pairs)))
    return found


def grid(text: str) -> tuple[int, int]:
    """Rows and columns of the machine that a program is for."""
    given = {
        k: v for line in lines(text) if line.head == ".arch" for k, v in line.given.items()
    }
    return int(given["rows"]), int(given["cols"])


def count(text: str) -> Counts:
    """What all instructions of a program add up to."""
    rows, cols = grid(text)
    macs = read = written = 0
    for line in lines(text):
        match line.head:
            case "CONV" | "DENSE":
                macs += _macs(line, rows, cols)
            case "LOAD":
                read += _box_bytes(line, cols)
            case "WRITE":
                written += _box_bytes(line, cols)
            case "LOADW":
                read += sum(map(sum, line.numbers("bytes", (cols,))))
            case _:
                pass
    return Counts(macs, read, written)


def _macs(line: Line, rows: int, cols: int) -> int:
    channels, stored = (line.numbers(name, (rows,)) for name in ("cout", "blocks"))
    # A row of cores without output channels computes nothing.
    blocks = [
        sum(count for cout, count in zip(*row, strict=True) if cout)
        for row in zip(channels, stored, strict=True)
    ]
    pixels = [[sum(n) for n in line.numbers(*field)] for field in (("h", ()), ("w", (cols,)))]
    pairs = [[math.prod(n) for n in line.numbers(name, (2,))] for name in ("k", "blk")]
    return sum(map(math.prod, zip(blocks, *pixels, *pairs, strict=True)))


def _box_bytes(line: Line, cols: int) -> int:
    boxes = zip(
        line.numbers("h", ()),
        line.numbers("w", (cols,)),
        line.numbers("c", (cols,)),
        strict=True,
    )
    return sum(h * sum(map(math.prod, zip(w, c, strict=True))) for (h,), w, c in boxes)
