"""The script that draws docs/figure3.svg draws what it should, and what it finds is what
docs/figures.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
LANES = {"LOAD", "LOADW", "LOADFM", "LOADWDM", "COMP", "WRITEFM", "WRITE"}


def row(head: str) -> list[str]:
    """The numbers in the row of the table in docs/figures.md that begins so."""
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    (cells,) = re.findall(rf"^\| {re.escape(head)}[^|]*\|(.*)\|$", page, re.MULTILINE)
    return [cell.strip() for cell in cells.split("|")]


def words_of(path: Path) -> list[str]:
    """The texts in a drawing."""
    tree = ElementTree.parse(path)
    return [node.text or "" for node in tree.iter() if node.tag.endswith("text")]


def test_the_figure_is_drawn(tmp_path: Path):
    target = tmp_path / "figure.svg"
    script = ROOT / "benchmarks" / "figure3.py"
    out = subprocess.run(
        [sys.executable, script, target], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r": ([\d.]+) us as events, ([\d.]+) us with serial timing", out)
    events, serial = zip(*found, strict=True)
    assert float(events[1]) < float(events[0])
    stale = "run: python benchmarks/figure3.py, and write the times into docs/figures.md"
    assert row("bsc, event simulation") == list(events), stale
    assert row("bsc, `serial` timing") == list(serial), stale
    fresh, drawn = (words_of(path) for path in (target, ROOT / "docs" / "figure3.svg"))
    assert fresh == drawn, stale
    for words in (fresh, drawn):
        assert LANES | {"head", "body", "tail"} <= set(words)
        assert [w.partition(":")[0] for w in words if w.endswith(" µs") and ":" in w] == [
            "dense",
            "half of the blocks zero",
        ]
