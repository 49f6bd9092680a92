"""Small edits of ONNX graphs that several steps need."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import onnx


def replace(field: Any, items: Iterable[Any]) -> None:
    """Makes `items` the content of a repeated protobuf field; they may come from it."""
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(copies)


def unique(name: str, taken: Container[str]) -> str:
    """`name`, or the first of name_1, name_2, … that is not in `taken`."""
    count, candidate = 0, name
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate
