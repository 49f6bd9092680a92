"""Changes of one field of a program's text, for tests that ask whether they are noticed.

A site is one field of one line.  A change puts something else where its value stands:
another number for one of its elements, a number of its own for one column, row or link
where there was one for all, another word, name or mnemonic, or nothing if the field may be
left out.  Not among the sites are locks and the order of lines, the machine (`.arch`), and
the labels by which people call a program, a layer or a stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bsc.asm.instr_parser import parse_value
from bsc.asm.isa import BARE, LAYER_OPS, SPECS, Field, Kind
from bsc.asm.program import Program, axis_size

T = TypeVar("T")

_DIRECTIVES = (".blob", ".tensor", ".input", ".output", ".alias", ".elided", ".layer", ".ready")
_WORDS = {
    "type": ("i8", "i32"),
    "dtype": ("float32", "int8", "uint8"),
    "layout": ("NCHW", "NHWC"),
    "spread": ("w", "c", "all"),
    "count": ("window", "inside"),
    "rounding": ("half_even", "half_up", "half_away", "floor"),
    "op": tuple(LAYER_OPS),
}
_NO_NUMBER = (*_WORDS, "opcode", "name", "tensor", "of", "place", "sha256")
_NUMBER = re.compile(r"-?(?:0x[0-9a-fA-F]+|\d+)")
_TOKEN = re.compile(r'(?:[^\s"]+=)?"(?:[^"\\]|\\.)*"|[^\s"]+')
_STEPS = (1, 1, 2, 4, 8, 16, 64)
"""How much more or less another number is."""


@dataclass(frozen=True)
class Site:
    """One field: its line, the words of that, which of them it is, and the field's name."""

    line: int
    words: tuple[str, ...]
    at: int
    name: str
    prefix: str = ""

    @property
    def value(self) -> str:
        """What stands there."""
        return self.words[self.at].removeprefix(self.prefix)

    @property
    def field(self) -> Field | None:
        """The field of the instruction set, if it is one of an instruction."""
        spec = SPECS.get(self.words[0])
        fields = () if spec is None else spec.fields
        return next((field for field in fields if field.name == self.name), None)


@dataclass(frozen=True)
class Change:
    """A field with another value; None leaves it out."""

    site: Site
    value: str | None

    def apply(self, text: str) -> str:
        """The whole text, changed."""
        lines, words = text.split("\n"), list(self.site.words)
        words[self.site.at] = "" if self.value is None else self.site.prefix + self.value
        lines[self.site.line] = " ".join(words)
        return "\n".join(lines)

    def __str__(self) -> str:
        site = self.site
        return f"{site.line + 1}: {site.words[0]} {site.name} {site.value} -> {self.value}"


def sites(text: str) -> list[list[Site]]:
    """The fields of each line that has any."""
    found: list[list[Site]] = []
    for number, line in enumerate(text.split("\n")):
        words = tuple(_TOKEN.findall(line.split("##", 1)[0]))
        if words and words[0] in SPECS:
            found.append(list(_of_instruction(number, words)))
        elif words and words[0] in _DIRECTIVES:
            found.append(list(_of_directive(number, words)))
    return found


def _of_instruction(line: int, words: tuple[str, ...]) -> Iterator[Site]:
    yield Site(line, words, 0, "opcode")
    for at, word in enumerate(words[1:], 1):
        key, sign, _ = word.partition("=")
        if words[at - 1] in (*BARE, "iter", "iteration"):
            yield Site(line, words, at, words[at - 1])
        elif sign and key not in ("acq", "rel"):
            yield Site(line, words, at, key, f"{key}=")


def _of_directive(line: int, words: tuple[str, ...]) -> Iterator[Site]:
    head = words[0]
    for at, word in enumerate(words[1:], 1):
        key, sign, _ = word.partition("=")
        if sign and not word.startswith('"') and key != "part":
            yield Site(line, words, at, key, f"{key}=")
        elif at == 1 and head in (".input", ".output", ".ready"):
            yield Site(line, words, at, "tensor")
        elif at == (1 if head in (".alias", ".elided") else 2) and word.startswith('"'):
            yield Site(line, words, at, "name")
        elif word == "ddr":
            yield Site(line, words, at, "place")


class Changer:
    """Draws changes of a program: uniform over its lines, then over the fields of the line,
    then over the elements of the field."""

    def __init__(self, text: str, program: Program, seed: int):
        self.lines = sites(text)
        self.program = program
        self.rng = np.random.default_rng(seed)
        self.numbers: dict[str, list[int]] = {}
        for site in (site for line in self.lines for site in line):
            if site.name not in _NO_NUMBER:
                found = [_number(n) for n in _NUMBER.findall(site.value)]
                self.numbers.setdefault(site.name, []).extend(found)

    def draw(self) -> Change:
        """One change; never to what means the same by the rules of writing alone."""
        while True:
            site = self._any(self._any(self.lines))
            value = self._other(site)
            if value is None or not _same(site, value):
                return Change(site, value)

    def _any(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def _other(self, site: Site) -> str | None:
        """Another value for a field."""
        field = site.field
        if field is not None and field.optional and self.rng.random() < 0.2:
            return None
        if site.name in _WORDS:
            return self._any(_WORDS[site.name])
        match site.name:
            case "opcode":
                return self._any(_mnemonics(site))
            case "tensor" | "of":
                return self._any(list(self.program.tensors))
            case "name":
                return f'"another {site.value[1:]}'
            case "place":
                return "memtile=0x0 spread=all"
            case "sha256":
                return f"{'1' if site.value[0] == '0' else '0'}{site.value[1:]}"
            case _:
                return self._with_another_number(site)

    def _with_another_number(self, site: Site) -> str:
        field = site.field
        axes = () if field is None else field.axes
        if axes and _NUMBER.fullmatch(site.value) and self.rng.random() < 0.5:
            # One number stands for all: only one of them changes.
            elements = [site.value] * axis_size(axes[0], self.program.arch)
            at = int(self.rng.integers(len(elements)))
            elements[at] = self._another_number(site.name, site.value)
            return f"[{','.join(elements)}]"
        found = self._any(list(_NUMBER.finditer(site.value)))
        start, end = found.span()
        changed = self._another_number(site.name, found[0])
        return site.value[:start] + changed + site.value[end:]

    def _another_number(self, name: str, old: str) -> str:
        """A little more or less, nothing, or what the same field has elsewhere."""
        kind = self.rng.random()
        if kind < 0.2:
            new = self._any(self.numbers[name])
        elif kind < 0.3:
            new = 0
        else:
            new = _number(old) + self._any(_STEPS) * self._any((-1, 1))
        return f"0x{new:x}" if "x" in old and new >= 0 else str(new)


def _number(text: str) -> int:
    return int(text, 16 if "x" in text else 10)


def _same(site: Site, value: str) -> bool:
    """Whether two texts are one value: but for the base and width of the numbers, and for
    a list with the same number for all."""
    if site.name in _NO_NUMBER:
        return value == site.value
    field = site.field
    if field is not None and field.kind in (Kind.NUMBER, Kind.ADDRESS, Kind.POSITION):
        old, new = parse_value(site.value), parse_value(value)
        if isinstance(old, int) and not isinstance(new, int):
            return {*new} == {old}
        return old == new
    return _plain(value) == _plain(site.value)


def _plain(value: str) -> str:
    return _NUMBER.sub(lambda found: str(_number(found[0])), value)


def _mnemonics(site: Site) -> list[str]:
    """Other mnemonics: those that take all fields of the line, or any if there is none."""
    given = {other.name for other in _of_instruction(0, site.words)}
    given -= {"opcode", "iter", "iteration"}
    others = [spec for spec in SPECS.values() if spec.mnemonic != site.value]
    alike = [spec for spec in others if given <= {field.name for field in spec.fields}]
    return [spec.mnemonic for spec in alike or others]
