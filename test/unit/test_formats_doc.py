"""docs/formats.md says what is in the files: its tables are held against the code.

The table of the machine is compared word by word with one made from `Arch`; the tables of
cost.json with the keys of a real one.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from small_models import residual_network

import bsc
from bsc import folder
from bsc.arch import Arch, arch_from_toml, preset
from bsc.asm.parser import parse_program
from bsc.cost.network import cost_of
from bsc.report.trace import MOST_OPERATIONS, trace_record
from bsc.sweep import Row

DOC = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
MACHINES = ("paper-4x4", "npu1", "npu2")


def section(title: str) -> list[str]:
    """The lines of the section under a heading."""
    text = DOC.read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title].splitlines()


def first_column(title: str) -> set[str]:
    """What the table of a section has in its first column, without backquotes."""
    rows = [line.split("|")[1].strip() for line in section(title) if line.startswith("| `")]
    return {name.strip("`") for row in rows for name in row.split(", ")}


def arch_table() -> list[str]:
    """The table of all keys of a machine, as it has to stand in the document."""
    head = ["key", *MACHINES, "least", "most", "meaning"]
    rows = [head, ["---"] * len(head)]
    for field in dataclasses.fields(Arch):
        if field.name == "name":
            continue
        values = [f"{getattr(preset(name), field.name):,}" for name in MACHINES]
        low, high = field.metadata["low"], field.metadata["high"]
        limits = [f"{n:,}" if isinstance(n, int) else f"{n:g}" for n in (low, high)]
        rows.append([f"`{field.name}`", *values, *limits, field.metadata["text"]])
    return ["| " + " | ".join(row) + " |" for row in rows]


def test_every_key_of_a_machine_is_described():
    table = arch_table()
    lines = section("The machine: a TOML file")
    start = lines.index(table[0])
    assert lines[start : start + len(table)] == table, "\n".join(table)


def test_the_example_of_a_machine_is_read():
    text = "\n".join(section("The machine: a TOML file"))
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    machine = arch_from_toml(example, "mine.toml")
    assert machine != preset("npu1")
    changed = {f.name for f in dataclasses.fields(Arch)} & set(
        re.findall(r"^\w+", example, re.M)
    )
    expected = dataclasses.replace(preset("npu1"), **{k: getattr(machine, k) for k in changed})
    assert machine == dataclasses.replace(expected, name="mine")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved")
    bsc.compile(residual_network(), "paper-2x2").save(path)
    return path


@pytest.fixture(scope="module")
def record(saved: Path) -> Mapping[str, Any]:
    return json.loads((saved / folder.COST).read_text())


def test_every_file_is_described(saved: Path):
    assert first_column("The folder of a program") == set(folder.FILES)
    assert {path.name for path in saved.iterdir()} <= set(folder.FILES)


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("The record", ()),
        ("A timing", ("timings", "serial")),
        ("The totals", ("totals",)),
        ("A node of the host", ("host", 0)),
        ("A layer", ("layers", 0)),
    ],
)
def test_every_key_of_cost_json_is_described(
    record: Mapping[str, Any], title: str, path: tuple[str | int, ...]
):
    part: Any = record
    for step in path:
        part = part[step]
    assert first_column(title) == set(cast("dict[str, Any]", part))


def test_every_column_of_cost_csv_is_described(saved: Path):
    header = (saved / folder.TABLE).read_text().splitlines()[0]
    assert first_column("cost.csv") == set(header.split(","))


def test_every_argument_of_an_event_is_described(saved: Path):
    program = parse_program((saved / folder.PROGRAM).read_text())
    lanes = cost_of(program, "overlap").lanes
    given = {
        name
        for most in (0, 10**9)
        for event in trace_record(program, lanes, "p", most)["traceEvents"]
        if event["ph"] == "X"
        for name in event["args"]
    }
    assert first_column("The arguments of an event") == given
    assert f"{MOST_OPERATIONS:,}" in "\n".join(section("trace.json"))


def test_every_key_of_a_row_of_a_sweep_is_described():
    assert first_column("A row") == {field.name for field in dataclasses.fields(Row)}


def test_every_bound_and_share_is_described(record: Mapping[str, Any]):
    timing = record["timings"]["overlap"]
    shares = {name for layer in record["layers"] for name in layer["shares_s"]}
    text = "\n".join(section("A timing") + section("A layer"))
    for name in shares | set(timing["lower_bounds_s"]):
        assert f"`{name}`" in text
