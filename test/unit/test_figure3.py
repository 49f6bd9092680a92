"""The script that draws docs/figure3.svg draws what it should."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
LANES = {"LOAD", "LOADW", "LOADFM", "LOADWDM", "COMP", "WRITEFM", "WRITE"}


def test_the_figure_is_drawn(tmp_path: Path):
    target = tmp_path / "figure.svg"
    script = ROOT / "benchmarks" / "figure3.py"
    out = subprocess.run(
        [sys.executable, script, target], capture_output=True, text=True, check=True
    ).stdout
    dense, sparse = (float(us) for us in re.findall(r": ([\d.]+) us as events", out))
    assert sparse < dense
    for path in (target, ROOT / "docs" / "figure3.svg"):
        tree = ElementTree.parse(path)
        words = [node.text or "" for node in tree.iter() if node.tag.endswith("text")]
        assert LANES | {"head", "body", "tail"} <= set(words)
        assert [w.partition(":")[0] for w in words if w.endswith(" µs") and ":" in w] == [
            "dense",
            "half of the blocks zero",
        ]
