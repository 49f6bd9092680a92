"""The tables of docs/asm.md, made from the instruction set, so that they cannot go stale.

    python -m bsc.asm.reference docs/asm.md

writes them anew between the two marks in the file.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from bsc.arch import Arch
from bsc.asm.isa import BARE, LAYER_OPS, SPECS, Field, Kind, Spec

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

_FORMS = {
    Kind.NUMBER: "number",
    Kind.ADDRESS: "address",
    Kind.POSITION: "position",
    Kind.SLOTS: "buffer",
    Kind.POST: "steps",
    Kind.WORD: "word",
    Kind.TABLE: "table",
}


def tables() -> str:
    """All tables, in Markdown."""
    lines = [*_instructions(), *_layer_ops(), *_machine()]
    return "\n".join(lines).strip() + "\n"


def renewed(document: str) -> str:
    """The document with its tables as they are now.  Raises ValueError without the marks."""
    head, found, rest = document.partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"the document has no {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


def _instructions() -> Iterator[str]:
    for fields, group in groupby(SPECS.values(), lambda spec: spec.fields):
        specs = list(group)
        yield f"### {', '.join(spec.mnemonic for spec in specs)}"
        yield ""
        yield from (_head(spec) for spec in specs)
        yield ""
        yield "| field | form | list over | meaning |"
        yield "|---|---|---|---|"
        yield from (_row(field) for field in fields)
        yield ""


def _head(spec: Spec) -> str:
    return f"- `{spec.mnemonic}` (engine `{spec.engine}`): {spec.text}."


def _row(field: Field) -> str:
    name = f"`{field.name}`" if field.name in BARE else f"`{field.name}=`"
    axes = " × ".join((*(["iteration"] if field.varies else []), *field.axes))
    optional = " (may be left out)" if field.optional else ""
    return _line((name, _FORMS[field.kind], axes, f"{field.text}{optional}"))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _layer_ops() -> Iterator[str]:
    yield "### Operations of a layer"
    yield ""
    yield "| `op=` | computes with |"
    yield "|---|---|"
    for op, mnemonics in LAYER_OPS.items():
        yield _line((f"`{op}`", ", ".join(f"`{m}`" for m in mnemonics)))
    yield ""


def _machine() -> Iterator[str]:
    yield "### Fields of the machine"
    yield ""
    yield "| `.arch` | at least | meaning |"
    yield "|---|---|---|"
    for field in dataclasses.fields(Arch)[1:]:
        low = field.metadata["low"]
        least = str(low) if isinstance(low, int) else "more than 0"
        yield _line((f"`{field.name}=`", least, field.metadata["text"]))
    yield ""


def main(path: Path) -> None:
    """Write the tables of a document anew."""
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
