"""Taking locks out of a program's text."""

from __future__ import annotations

import re


def memtile_locks(text: str) -> list[str]:
    """The families of locks that a program has on memtiles."""
    return re.findall(r"^\.lock (\S+) memtile ", text, re.MULTILINE)


def without_lock(text: str, family: str) -> str:
    """The program without one family: its declaration and all its uses."""
    lines = (line for line in text.splitlines() if not line.startswith(f".lock {family} "))
    return "".join(f"{_without(line, family)}\n" for line in lines)


def _without(line: str, family: str) -> str:
    kept: list[str] = []
    for word in line.split(" "):
        name, equals, uses = word.partition("=")
        if equals and name in ("acq", "rel"):
            left = [use for use in uses.split(",") if re.split(r"[@*/]", use)[0] != family]
            if not left:
                continue
            word = f"{name}={','.join(left)}"
        kept.append(word)
    return " ".join(kept)
