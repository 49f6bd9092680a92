"""Presets and the user's own TOML files.

A preset is a name: `npu1`, `npu2`, or `paper-RxC` for any grid.  A user's file holds the
fields of `Arch`, and may start from a preset with `base = "paper-4x4"`.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bsc.arch.arch import Arch
from bsc.errors import BscError

DEFAULT_ARCH = "paper-4x4"
"""The machine that every tool takes when none is named."""

_PAPER = re.compile(r"paper-([1-9]\d?)x([1-9]\d?)")


def preset_names() -> tuple[str, ...]:
    """The presets worth listing; `paper-RxC` stands for every grid."""
    return (*(f"paper-{n}x{n}" for n in range(2, 9)), "paper-RxC", "npu1", "npu2")


@cache
def preset(name: str) -> Arch:
    """The preset called `name`.  Raises BscError, listing the presets, if there is none."""
    if grid := _PAPER.fullmatch(name):
        rows, cols = (int(n) for n in grid.groups())
        return Arch(name, **{**_preset_fields("paper"), "rows": rows, "cols": cols})
    if name not in preset_names() or name == "paper-RxC":
        raise BscError(
            f"unknown arch '{name}': give one of {', '.join(preset_names())} or a TOML file"
        )
    return Arch(name, **_preset_fields(name))


def _preset_fields(stem: str) -> dict[str, Any]:
    text = files("bsc.arch").joinpath("presets", f"{stem}.toml").read_text()
    return tomllib.loads(text)


def load_arch(name_or_path: str | Path) -> Arch:
    """A preset by name, or the machine in a TOML file.

    Raises BscError naming the file and the offending key or value.
    """
    text = str(name_or_path)
    if not text.endswith(".toml"):
        return preset(text)
    try:
        content = Path(text).read_text()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise BscError(f"{text}: cannot read the arch file: {reason}") from None
    return arch_from_toml(content, text)


def arch_from_toml(content: str, where: str = "arch") -> Arch:
    """The machine that the TOML text `content` describes; `where` names it in messages."""
    try:
        table: dict[str, Any] = tomllib.loads(content)
    except tomllib.TOMLDecodeError as e:
        raise BscError(f"{where}: not a TOML file: {e}") from None
    known = {f.name for f in dataclasses.fields(Arch)}
    for key in table:
        if key not in known | {"base"}:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise BscError(f"{where}: unknown key '{key}'{hint}")
    for key in ("base", "name"):
        if not isinstance(table.get(key, ""), str):
            raise BscError(f"{where}: {key} must be a string, not {table[key]!r}")
    base = preset(table.pop("base", DEFAULT_ARCH))
    table.setdefault("name", Path(where).stem)
    try:
        return dataclasses.replace(base, **table)
    except BscError as e:
        raise BscError(f"{where}: {e}") from None
