"""The page: one HTML file with everything in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bsc.errors import BscError
from bsc.view.content import program_content

_PARTS = {
    "@UPLOT_CSS@": "vendor/uPlot.min.css",
    "@STYLE@": "page.css",
    "@LICENCE@": "vendor/LICENSE",
    "@UPLOT_JS@": "vendor/uPlot.iife.min.js",
}
_SCRIPTS = ("data.js", "drawing.js", "charts.js", "table.js", "page.js")
"""Ours, in the order in which they run, as one script."""


def page_names(folders: Sequence[Path]) -> list[str]:
    """The names to show programs under: those of their folders, if these tell them apart.

    Raises BscError if two are the same folder.
    """
    paths = [folder.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise BscError(f"{folders[-1]}: is the same folder: give another one to compare with")
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def view_page(programs: Mapping[str, str], progress: Callable[[str], object] = str) -> str:
    """The page of one program or two, given as texts by the names to show them under.

    `progress` is called with each name.  Raises BscError if a text is no program, or if it
    runs into a deadlock.
    """
    content: list[dict[str, Any]] = []
    for name, text in programs.items():
        progress(name)
        content.append(program_content(name, text))
    data = json.dumps({"programs": content}, ensure_ascii=False, separators=(",", ":"))
    folder = files("bsc.view")
    page = (folder / "page.html").read_text(encoding="utf-8")
    for mark, name in _PARTS.items():
        page = page.replace(mark, (folder / name).read_text(encoding="utf-8").strip())
    script = "\n".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    page = page.replace("@SCRIPT@", script.strip())
    # Nothing in the data may end the element that it stands in; it comes last, so that
    # no mark in it is taken for one of ours.
    return page.replace("@DATA@", data.replace("<", "\\u003c"))
