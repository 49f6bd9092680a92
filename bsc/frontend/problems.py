"""All that is wrong with a model, told at once.

A user who fixes one line of a long list and starts again is a user who leaves.  So what
looks at the model never stops at the first mistake: it refuses one node or tensor, notes
one line, and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from bsc.errors import ModelError

_LONGEST_NAME = 120


class Place(Protocol):
    """A node, as far as a problem needs one: what messages call it, and its number."""

    @property
    def subject(self) -> str: ...

    @property
    def index(self) -> int: ...


class Refusal(Exception):
    """Why one node or tensor cannot be imported, in words that follow its name.

    `node` is the one to blame if it is not the one at hand.
    """

    def __init__(self, text: str, node: Place | None = None):
        super().__init__(text)
        self.node = node


class Problem(NamedTuple):
    """What is wrong, with the name of what it is wrong with, and the index of the node if it
    is one.  `cut` says that nothing is wrong where the model is cut into parts."""

    text: str
    node: int | None
    cut: bool = False


class Problems:
    """The problems of the model `where`, one line each, in the order in which they show."""

    def __init__(self, where: str):
        self.where = _line(where)
        self._found: dict[str, Problem] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, text: str, node: Place | None = None, *, cut: bool = False) -> None:
        """Note a problem of the model or of a node; the same one is noted once."""
        line = _line(text if node is None else f"{node.subject}: {text}")
        index = None if node is None else node.index
        self._found.setdefault(line, Problem(line, index, cut))

    @contextmanager
    def at(self, subject: str) -> Generator[None]:
        """Note what the block refuses as a problem of `subject`, and go on."""
        try:
            yield
        except Refusal as e:
            if e.node is not None:
                self.add(str(e), e.node)
            else:
                self.add(f"{subject}: {e}")

    def sort(self) -> None:
        """Bring the problems of nodes into the order of the file, behind all others."""
        whole = {k: p for k, p in self._found.items() if p.node is None}
        nodes = [(p.node, k) for k, p in self._found.items() if p.node is not None]
        nodes.sort(key=lambda item: item[0])
        self._found = whole | {key: self._found[key] for _, key in nodes}

    def of_nodes(self) -> dict[int, str]:
        """The first problem of each node, by its index."""
        found: dict[int, str] = {}
        for problem in self._found.values():
            if problem.node is not None:
                found.setdefault(problem.node, problem.text)
        return found

    def of_parts(self) -> Problems:
        """The problems that the model also has if it is cut into parts."""
        found = Problems(self.where)
        found._found = {key: problem for key, problem in self._found.items() if not problem.cut}
        return found

    def error(self) -> ModelError:
        """All problems, one line each."""
        return ModelError(self.where, [problem.text for problem in self._found.values()])

    def raise_if_any(self) -> None:
        """Raises ModelError with all problems, one line each."""
        if self:
            raise self.error()


def _line(text: str) -> str:
    """A text as one printable line."""
    flat = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in flat)


def quoted(name: str) -> str:
    """A name from the file, fit for one line of a message."""
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return repr(name)


def text(value: str | bytes) -> str:
    """A string of the file.  Raises UnicodeDecodeError if it is not UTF-8, as older
    versions of protobuf do by themselves: newer ones hand such strings out as bytes."""
    return value if isinstance(value, str) else value.decode()
