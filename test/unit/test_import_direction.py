"""The arrows between the parts of bsc point one way: downwards in this table.

A part may import those of the layers below it, and itself.  The simulator stands on the
text, the machine and the arithmetic alone, so that a mistake of the compiler cannot hide in
it.  A part that is not in the table fails the test: whoever adds one says where it stands.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "bsc": "bsc",
    "dialects": "bsc.dialects",
    "passes": "bsc.passes",
    "tools": "bsc.tools",
}
"""The folders of the package and the names that they are imported by."""

LAYERS = """
    errors suggest geometry mapped
    arch numerics allocate options
    asm
    blocks
    sim dialects cost verify folder sessions
    frontend storage residency sidecar remarks interpreter oracle prepare arrays
    tiling codegen monitor validation
    balance placing
    splitting lowering
    sums
    stripes fitting
    passes pipelines
    universe report.units report.record
    report.table report.trace
    compiled
    api
    checking
    report view partition
    sweep
    __init__
    tools
"""
RANKS = {part: rank for rank, line in enumerate(LAYERS.split("\n")) for part in line.split()}
"""How high each part stands; what is in one line knows nothing of each other."""

STANDS_ON = {
    "sim": {"asm", "arch", "numerics", "geometry", "errors"},
    "cost": {"asm", "arch", "numerics", "geometry", "errors"},
    "dialects": {
        "blocks",
        "asm",
        "arch",
        "numerics",
        "geometry",
        "errors",
        "suggest",
        "mapped",
    },
    "frontend": {
        "blocks",
        "dialects",
        "asm",
        "arch",
        "numerics",
        "geometry",
        "errors",
        "suggest",
        "mapped",
        "sessions",
    },
    "oracle": {"numerics", "geometry", "errors", "sessions"},
    "prepare": {"errors", "sessions", "suggest"},
}
"""All that some parts may reach, on whatever way."""


def modules() -> dict[str, str]:
    """The source of every module, by name."""
    found: dict[str, str] = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.resolve() == path:  # not through a link
                inner = path.relative_to(ROOT / folder).with_suffix("").parts
                found[".".join((package, *inner))] = path.read_text(encoding="utf-8")
    return found


def imports(source: str) -> Iterator[str]:
    """The modules of bsc that a module imports, at its top or anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "bsc":
            names = [f"bsc.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        yield from (name for name in names if name == "bsc" or name.startswith("bsc."))


def part_of(module: str) -> str:
    """The part that a module belongs to: the longest name in the table."""
    names = module.split(".")[1:] or ["__init__"]
    known = [".".join(names[:n]) for n in range(len(names), 0, -1)]
    # `from bsc import compile`: one of the names that the package itself hands on.
    fallback = "__init__" if len(names) == 1 and not (ROOT / "bsc" / names[0]).is_dir() else ""
    return next((name for name in known if name in RANKS), fallback)


def upward(module: str, source: str) -> list[str]:
    """The imports of a module that do not go down."""
    own = part_of(module)
    parts = {name: part_of(name) for name in imports(source)}
    return [
        f"{module} ({own}) imports {name} ({part})"
        for name, part in parts.items()
        if part != own and RANKS[part] >= RANKS[own]
    ]


def test_every_part_has_a_place():
    missing = [name for name in modules() if part_of(name) == ""]
    assert not missing
    files = {".".join(name.split(".")[1:]) for name in modules()}
    assert all(any(f == part or f.startswith(f"{part}.") for f in files) for part in RANKS)


def test_imports_go_down():
    wrong = [line for name, source in modules().items() for line in upward(name, source)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bsc.sim.run", "from bsc.cost.work import work_of"),
        ("bsc.sim.run", "import bsc.dialects.qnn"),
        ("bsc.asm.parser", "from bsc import sim"),
        ("bsc.dialects.qnn", "def f():\n    from bsc.passes import split_width"),
        ("bsc.tiling.search", "from bsc.placing import Layout"),
        ("bsc.report.record", "from bsc.compiled import Compiled"),
        ("bsc.api", "import bsc"),
        ("bsc.api", "from bsc import compile"),
    ],
)
def test_an_import_that_goes_up_is_found(module: str, line: str):
    assert len(upward(module, line)) == 1


@pytest.mark.parametrize("part", STANDS_ON)
def test_some_parts_stand_on_little(part: str):
    edges: dict[str, set[str]] = {}
    for name, source in modules().items():
        edges.setdefault(part_of(name), set()).update(map(part_of, imports(source)))
    reached, fresh = {part}, {part}
    while fresh := {after for before in fresh for after in edges[before]} - reached:
        reached |= fresh
    assert reached - {part} <= STANDS_ON[part]


def test_the_simulator_loads_nothing_of_the_compiler():
    code = "import sys, bsc.sim, bsc.folder; print(*(n for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "bsc.sim.run" in loaded
    allowed = STANDS_ON["sim"] | {"sim", "folder", "__init__"}
    assert {part_of(name) for name in loaded if name.split(".")[0] == "bsc"} <= allowed
    assert not loaded & {"xdsl", "onnx", "onnxruntime"}
