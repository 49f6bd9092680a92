"""Options of passes: a dataclass field each, with its meaning, its unit and what it can be.

    @dataclass(frozen=True)
    class SplitWidthPass(ModulePass):
        name = "split-width"
        factor: int | None = count("pieces of W for every layer")
        __post_init__ = check_options

A wrong value is told in one line (`factor must be a whole number of at least 1, not 0`),
from the command line and from Python alike; `docs/passes.md` is written from the same text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from xdsl.passes import ModulePass

from bsc.errors import BscError

T = TypeVar("T")
_KEY = "option"


class Option(NamedTuple):
    """What an option does, what it can be (to follow "must be"), and the check of that."""

    text: str
    values: str
    valid: Callable[[Any], bool]


def option(default: T, text: str, values: str, valid: Callable[[T], bool]) -> T:
    """A field of a pass that is an option.  None, if it is the default, is always valid."""
    return dataclasses.field(default=default, metadata={_KEY: Option(text, values, valid)})


def count(text: str) -> int | None:
    """A number of at least 1, which the pass chooses if it is not given."""

    def valid(value: int | None) -> bool:
        return value is not None and not isinstance(value, bool) and value >= 1

    return option(None, text, "a whole number of at least 1", valid)


def choice(default: T, text: str, names: Iterable[str]) -> T:
    """One of some names."""
    known = tuple(names)
    return option(default, text, " or ".join(known), lambda value: value in known)


def flag(text: str) -> bool:
    """A switch that is off."""
    return option(False, text, "true or false", lambda value: True)


def option_of(cls: type[ModulePass], name: str) -> Option | None:
    """What is known of an option; None for a field that is not declared as one here."""
    (found,) = (f for f in dataclasses.fields(cls) if f.name == name)
    return found.metadata.get(_KEY)


def check_options(self: ModulePass) -> None:
    """Raises BscError for the first option with a value that it cannot have."""
    for f in dataclasses.fields(self):
        known: Option | None = f.metadata.get(_KEY)
        value: object = getattr(self, f.name)
        optional = value is None and f.default is None
        if known is not None and not optional and not known.valid(value):
            shown = "''" if value == "" else value
            raise BscError(f"{f.name} must be {known.values}, not {shown}")
