"""What a person looks at: trace.json, cost.csv, and the content of the page."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from qdq_models import random_network
from small_models import residual_network

import bsc
from bsc import folder
from bsc.arch import preset
from bsc.asm.parser import parse_program
from bsc.asm.program import Program
from bsc.report.table import COLUMNS, cost_table
from bsc.report.trace import trace_record
from bsc.sim.timeline import Times, run_timeline

SEEDS = range(4)
Event = dict[str, Any]


@pytest.fixture(scope="module")
def compiled() -> bsc.Compiled:
    return bsc.compile(residual_network(sparse=True), "paper-2x2")


def timed(seed: int) -> tuple[Program, Times]:
    """A random network's program on a random machine, and its times."""
    rows, cols = 1 + seed % 3, 1 + seed // 2
    found = bsc.compile(random_network(seed), preset(f"paper-{rows}x{cols}"))
    program = parse_program(found.program)
    return program, run_timeline(program)


# trace.json ----------------------------------------------------------------------------


def complete(record: dict[str, Any]) -> list[Event]:
    return [event for event in record["traceEvents"] if event["ph"] == "X"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trace_has_every_operation_on_its_channel(seed: int):
    program, times = timed(seed)
    record = trace_record(program, times, "p")
    names = {
        e["tid"]: e["args"]["name"] for e in record["traceEvents"] if e["name"] == "thread_name"
    }
    assert sorted(names.values()) == sorted(map(str, times.order.channels))
    events = complete(record)
    assert len(events) == times.order.operations - 1
    expected = {
        (step.instr.line, step.iteration, f"{channel}"): (
            round(times.start_s[step.first + channel.part] * 1e9),
            round(times.end_s[step.first + channel.part] * 1e9),
        )
        for channel in times.order.channels
        for step in times.order.by_engine[channel.engine]
    }
    for event in events:
        key = event["args"]["line"], event["args"]["iteration"], names[event["tid"]]
        start, end = expected.pop(key)
        assert round(event["ts"] * 1e3) == start
        assert round((event["ts"] + event["dur"]) * 1e3) == end
    assert not expected


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("most", [0, 10**9])
def test_events_of_a_thread_do_not_overlap(seed: int, most: int):
    record = trace_record(*timed(seed), "p", most)
    ends: dict[int, int] = {}
    for event in complete(record):
        start = round(event["ts"] * 1e3)
        assert start >= ends.get(event["tid"], 0)
        ends[event["tid"]] = start + round(event["dur"] * 1e3)


@pytest.mark.parametrize("seed", SEEDS)
def test_merged_events_stand_for_all_operations(seed: int):
    program, times = timed(seed)
    every, merged = (complete(trace_record(program, times, "p", n)) for n in (10**9, 0))
    assert len(merged) <= len(every)

    def iterations(events: list[Event]) -> list[tuple[int, int, int]]:
        return sorted(
            (event["tid"], args["line"], iteration)
            for event in events
            for args in (event["args"],)
            for iteration in range(
                args["iteration"], args.get("last_iteration", args["iteration"]) + 1
            )
        )

    assert iterations(merged) == iterations(every)


def test_the_trace_of_a_folder_is_json_and_names_lines(compiled: bsc.Compiled, tmp_path: Path):
    compiled.save(tmp_path)
    record: dict[str, Any] = json.loads((tmp_path / folder.TRACE).read_text())
    text = (tmp_path / folder.PROGRAM).read_text().splitlines()
    layers = {layer.name for layer in compiled.cost.layers}
    for event in complete(record):
        line: int = event["args"]["line"]
        assert text[line - 1].split()[0] == event["name"]
        assert event["args"]["layer"].partition("[")[0] in layers
    conv = next(e for e in complete(record) if e["name"] == "LOADFM")
    locks = conv["args"]["locks"].split()
    assert any(word.startswith("+k_") for word in locks)
    assert any(word.startswith("-f_in") for word in locks)


# cost.csv ------------------------------------------------------------------------------


def test_the_table_has_the_layers_of_the_record(compiled: bsc.Compiled, tmp_path: Path):
    compiled.save(tmp_path)
    text = (tmp_path / folder.TABLE).read_text()
    assert text == cost_table(compiled.cost)
    rows = list(csv.DictReader(io.StringIO(text)))
    record = json.loads((tmp_path / folder.COST).read_text())
    assert len(rows) == len(record["layers"])
    for row, layer in zip(rows, record["layers"], strict=True):
        assert tuple(row) == COLUMNS
        for name in COLUMNS:
            if name in layer:
                assert row[name] == str(layer[name])
        for share, seconds in layer["shares_s"].items():
            assert row[f"{share}_s"] == str(seconds)
        stored = layer["macs"] / layer["macs_dense"] if layer["macs_dense"] else ""
        assert row["density"] == str(stored)
    assert any(0 < float(row["density"] or 0) < 1 for row in rows)
