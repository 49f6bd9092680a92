"""Texts with mistakes that nobody thought of, in MLIR or in the language of programs.

A mutation of characters mostly breaks the form.  One of words and numbers keeps it, so that
what is wrong is found later: a name of something else, a number that no machine has, a line
less, twice, elsewhere, or from another text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

NUMBERS = """
    0 1 -1 2 3 7 8 63 64 99 127 128 -128 255 256 4096 65535 65536 1000000 2147483647 2147483648
    -2147483648 4294967296 1000000000000 1152921504606846976 9223372036854775807
    9223372036854775808 -9223372036854775808 18446744073709551616 0x0 0xff 0x7fffffff
    0xffffffffffffffffffff 0.0 0.5 -1.5 1e9 1e400 1e-400 nan inf 00 -0 1_000 0x ٣
""".split()
ODD = "\"\\[](){}<>=,:|@*/+-#%!^?&;'._ \t\0\v\f\x1b\x85\u2028é٣∞😀azAZ09"
BRACKETS = '[](){}<>"'

_WORD = re.compile(r'"[^"\n]*"|-?\d+(?:\.\d+)?|[\w.]+|\S')
_NUMBER = re.compile(r"-?\b(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)")


def mutated(rng: random.Random, text: str, others: Sequence[str]) -> str:
    """`text` with a few changes, drawn from `rng`; lines and words come from `others` too."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change = rng.choice(_CHANGES)
        text = change(rng, text, rng.choice(others))
    return text


def _characters(rng: random.Random, text: str, other: str) -> str:
    at, length = rng.randrange(len(text) + 1), rng.randrange(1, 6)
    match rng.randrange(3):
        case 0:
            return text[:at] + rng.choice(ODD) + text[at + 1 :]
        case 1:
            return text[:at] + "".join(rng.choices(ODD, k=length)) + text[at:]
        case _:
            return text[:at] + text[at + length :]


def _number(rng: random.Random, text: str, other: str) -> str:
    """Another number in the place of one: an odd one, or one that is near."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    new = rng.choice(NUMBERS)
    if rng.random() < 0.4 and re.fullmatch(r"-?[0-9]{1,20}", match[0]):
        new = str(int(match[0]) + rng.choice((-8, -1, 1, 4, 8)))
    elif rng.random() < 0.02:
        new = "9" * 5000
    return text[: match.start()] + new + text[match.end() :]


def _word(rng: random.Random, text: str, other: str) -> str:
    """A word that goes, comes twice, or is another one."""
    found = list(_WORD.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    words = _WORD.findall(text if rng.random() < 0.7 else other)
    alike = [word for word in words if word[:1].isalnum() == match[0][:1].isalnum()]
    new = rng.choice(("", f"{match[0]} {match[0]}", *[rng.choice(alike or words)] * 4))
    return text[: match.start()] + new + text[match.end() :]


def _line(rng: random.Random, text: str, other: str) -> str:
    """A line that goes, comes twice, changes its place, or comes from another text."""
    lines, more = text.splitlines(), other.splitlines()
    if not lines or not more:
        return text
    one, place = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[one]
        case 1:
            lines.insert(place, lines[one])
        case 2:
            lines[one], lines[place] = lines[place], lines[one]
        case 3:
            lines.insert(place, rng.choice(more))
        case _:
            lines[one] = rng.choice(more)
    return "".join(f"{line}\n" for line in lines)


def _bracket(rng: random.Random, text: str, other: str) -> str:
    """A bracket that goes, or becomes others: one, or as many as no stack takes."""
    found = [at for at, character in enumerate(text) if character in BRACKETS]
    if not found:
        return text
    at = rng.choice(found)
    count = rng.choice((0, 1, 1, 2, 3, 2000))
    new = (text[at] if rng.random() < 0.5 else rng.choice(BRACKETS)) * count
    return text[:at] + new + text[at + 1 :]


def _end(rng: random.Random, text: str, other: str) -> str:
    """Only the beginning, or what another text ends with behind it."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + (other[rng.randrange(len(other) + 1) :] if rng.random() < 0.3 else "")


Change = Callable[[random.Random, str, str], str]
_CHANGES: tuple[Change, ...] = (
    *[_number] * 5,
    *[_word] * 4,
    *[_line] * 3,
    *[_characters] * 2,
    _bracket,
    _end,
)
