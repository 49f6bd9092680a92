"""All that is wrong with a model, told at once.

A user who fixes one line of a long list and starts again is a user who leaves.  So what
looks at the model never stops at the first mistake: it refuses one node or tensor, notes
one line, and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from bsc.errors import BscError

_LONGEST_NAME = 120


class Refusal(Exception):
    """Why one node or tensor cannot be imported, in words that follow its name.

    `subject` is the node or tensor to blame if it is not the one at hand.  Without a text
    the reason has been noted already.
    """

    def __init__(self, text: str = "", subject: str | None = None):
        super().__init__(text)
        self.subject = subject


class Problems:
    """The problems of the model `where`, one line each, in the order in which they show."""

    def __init__(self, where: str):
        self.where = where
        self._lines: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, text: str) -> None:
        """Note a problem, in one printable line; the same one is noted once."""
        line = " ".join(f"{self.where}: {text}".split())
        self._lines["".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)] = None

    @contextmanager
    def at(self, subject: str) -> Generator[None]:
        """Note what the block refuses as a problem of `subject`, and go on."""
        try:
            yield
        except Refusal as e:
            if str(e):
                self.add(f"{e.subject or subject}: {e}")

    def raise_if_any(self) -> None:
        """Raises BscError with all problems, one line each."""
        if self._lines:
            raise BscError("\n".join(self._lines))


def quoted(name: str) -> str:
    """A name from the file, fit for one line of a message."""
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return repr(name)


def text(value: str | bytes) -> str:
    """A string of the file.  Raises UnicodeDecodeError if it is not UTF-8, as older
    versions of protobuf do by themselves: newer ones hand such strings out as bytes."""
    return value if isinstance(value, str) else value.decode()
