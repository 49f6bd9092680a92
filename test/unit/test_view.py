"""What a person looks at: trace.json, cost.csv, and the content of the page."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import itertools
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdq_models import random_network
from small_models import residual_network

import bsc
from bsc import folder
from bsc.arch import preset
from bsc.asm.isa import SPECS, Engine
from bsc.asm.parser import parse_program
from bsc.asm.printer import print_program
from bsc.asm.program import Instr, Program, Ready
from bsc.cost.network import cost_of, costs_of
from bsc.cost.overlap import Lane
from bsc.report.table import COLUMNS, cost_table
from bsc.report.trace import trace_record
from bsc.sim.timeline import Times, run_timeline
from bsc.tools import driver
from bsc.view import page_names, view_page
from bsc.view.residence import Residence, piece_bytes, residences

SEEDS = range(4)
Event = dict[str, Any]


@pytest.fixture(scope="module")
def compiled() -> bsc.Compiled:
    return bsc.compile(residual_network(sparse=True), "paper-2x2")


@cache
def timed(seed: int) -> tuple[Program, Times]:
    """A random network's program on a random machine, with little memory every second
    time, and its times."""
    machine = preset(f"paper-{1 + seed % 3}x{1 + seed // 2}")
    if seed % 2:
        machine = dataclasses.replace(machine, memtile_bytes=16384)
    program = parse_program(bsc.compile(random_network(seed), machine).program)
    return program, run_timeline(program)


def lanes_of(program: Program) -> Sequence[Lane]:
    return cost_of(program, "overlap").lanes


# trace.json ----------------------------------------------------------------------------


def complete(record: dict[str, Any]) -> list[Event]:
    return [event for event in record["traceEvents"] if event["ph"] == "X"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lanes_of_overlap_are_the_times_of_an_event_simulation(seed: int):
    program, times = timed(seed)
    lanes = lanes_of(program)
    order = times.order
    assert [lane.engine for lane in lanes] == list(order.by_engine)
    lines = [instr.line for instr in program.instructions()]
    for lane in lanes:
        steps = order.by_engine[lane.engine]
        assert [lines[i] for i in lane.instr] == [step.instr.line for step in steps]
        assert lane.iteration.tolist() == [step.iteration for step in steps]
        parts = range(lane.start.shape[1])
        numbers = [[step.first + part for part in parts] for step in steps]
        assert np.abs(lane.start - times.start_s[numbers]).max() < 1e-15
        assert np.abs(lane.end - times.end_s[numbers]).max() < 1e-15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trace_has_every_operation_on_its_channel(seed: int):
    program, times = timed(seed)
    record = trace_record(program, lanes_of(program), "p")
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
        # The recurrence adds in another order: a time half way between two nanoseconds may
        # come out as the other one.
        assert abs(round(event["ts"] * 1e3) - start) <= 1
        assert abs(round((event["ts"] + event["dur"]) * 1e3) - end) <= 1
    assert not expected


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("most", [0, 10**9])
def test_events_of_a_thread_do_not_overlap(seed: int, most: int):
    program, _ = timed(seed)
    record = trace_record(program, lanes_of(program), "p", most)
    ends: dict[int, int] = {}
    for event in complete(record):
        start = round(event["ts"] * 1e3)
        assert start >= ends.get(event["tid"], 0)
        ends[event["tid"]] = start + round(event["dur"] * 1e3)


@pytest.mark.parametrize("seed", SEEDS)
def test_merged_events_stand_for_all_operations(seed: int):
    program, _ = timed(seed)
    lanes = lanes_of(program)
    every, merged = (complete(trace_record(program, lanes, "p", n)) for n in (10**9, 0))
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
    lines = {n for n, line in enumerate(text, start=1) if line.split()[0] in SPECS}
    assert {event["args"]["line"] for event in complete(record)} == lines
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


# The page ------------------------------------------------------------------------------


def data_of(page: str) -> dict[str, Any]:
    """The programs that a page holds."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def test_the_page_needs_no_network(compiled: bsc.Compiled):
    page = view_page({"one": compiled.program})
    assert "default-src 'none'" in page
    assert not re.search(r"<(link|img|iframe)|\bsrc=|@import|url\(", page)
    assert "Permission is hereby granted" in page  # the licence of uPlot
    assert not re.search(r"@[A-Z_]+@", page)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_page_has_every_operation(seed: int):
    program, times = timed(seed)
    (content,) = data_of(view_page({"one": print_program(program)}))["programs"]
    arrays = {
        key: np.frombuffer(base64.b64decode(content["operations"][key]), kind)
        for key, kind in (("start", "<f8"), ("duration", "<f4"), ("instruction", "<u4"))
    }
    assert len(arrays["start"]) == times.order.operations - 1
    lanes = content["lanes"]
    rows = content["instructions"]
    for lane, part, first, end in content["channels"]:
        engine = Engine(lanes[lane].lower())
        steps = times.order.by_engine[engine]
        assert end - first == len(steps)
        for at, step in zip(range(first, end), steps, strict=True):
            assert arrays["start"][at] == times.start_s[step.first + part] * 1e6
            assert rows[arrays["instruction"][at]][0] == step.instr.line
            assert rows[arrays["instruction"][at]][1] == lane
        # What bisection needs.
        assert (np.diff(arrays["start"][first:end]) >= 0).all()
        assert (arrays["duration"][first:end] >= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_layer_times_add_up_to_the_last_result(seed: int):
    program, times = timed(seed)
    (content,) = data_of(view_page({"one": print_program(program)}))["programs"]
    last = max(
        times.end_s[step.first : step.first + program.arch.cols].max()
        for step in times.order.by_engine[Engine.WRITEFM]
    )
    assert round(sum(layer["us"] for layer in content["layers"]), 3) == round(last * 1e6, 3)
    assert all(layer["busy"] > 0 for layer in content["layers"])
    assert content["total_us"] == round(times.total_s * 1e6, 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_are_those_of_the_timing_that_is_drawn(seed: int):
    program, _ = timed(seed)
    (content,) = data_of(view_page({"one": print_program(program)}))["programs"]
    costs = costs_of(program)
    layers = zip(
        content["layers"], costs["overlap"].layers, costs["serial"].layers, strict=True
    )
    for shown, overlap, serial in layers:
        assert shown["bound"] == max(overlap.shares, key=overlap.shares.__getitem__)
        assert shown["serial"] == round(serial.duration_s * 1e6, 6)
    spans = [span.bound for span in costs["overlap"].spans]
    assert [row[7] for row in content["instructions"]] == spans


def test_names_cannot_break_the_page(compiled: bsc.Compiled):
    name = "</script><b>@SCRIPT@ <!--"
    (content,) = data_of(view_page({name: compiled.program}))["programs"]
    assert content["name"] == name


def test_programs_are_told_apart(tmp_path: Path):
    one, two, same = tmp_path / "a" / "out", tmp_path / "b", tmp_path / "c" / "out"
    assert page_names([one, two]) == ["out", "b"]
    assert page_names([one, same]) == [str(one.resolve()), str(same.resolve())]
    with pytest.raises(bsc.BscError, match="is the same folder"):
        page_names([one, tmp_path / "a" / "." / "out"])


def test_the_command_needs_the_text_alone(
    compiled: bsc.Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("one", "two"):
        compiled.save(tmp_path / name)
        for file in (tmp_path / name).iterdir():
            if file.name != folder.PROGRAM:
                file.unlink()
    assert driver.invoke(["view", str(tmp_path / "one")]) == 0
    (tmp_path / "one" / "view.html").read_text()
    both = [str(tmp_path / name) for name in ("one", "two")]
    page = tmp_path / "both.html"
    assert driver.invoke(["view", *both, "-o", str(page)]) == 0
    assert [p["name"] for p in data_of(page.read_text())["programs"]] == ["one", "two"]
    capsys.readouterr()
    assert driver.invoke(["view", str(tmp_path)]) == 1
    assert "it has no program.asm" in capsys.readouterr().err


# What lies in the memtiles -------------------------------------------------------------


def resident(seed: int) -> tuple[Program, list[Residence]]:
    """What lies in a memtile of a program, with places in the text for times."""
    program, _ = timed(seed)
    place = {instr.line: float(n) for n, instr in enumerate(program.instructions())}

    def span(instr: Instr, neighbour: int) -> tuple[float, float]:
        return place[instr.line], place[instr.line] + 0.5

    return program, residences(program, span)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_lies_on_top_of_another(seed: int):
    program, found = resident(seed)
    size = program.arch.memtile_bytes
    for r in found:
        assert r.label
        assert 0 <= r.lo < r.hi <= r.lo + size
        assert r.lo < size
        assert r.start_s <= r.end_s
    for a, b in itertools.combinations(found, 2):
        if a.overlaps(b.lo, b.hi, size):
            assert a.end_s <= b.start_s or b.end_s <= a.start_s, f"{a} {b}"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_tensor_in_the_memtiles_is_on_the_map(seed: int):
    program, found = resident(seed)
    for item in program.body:
        if isinstance(item, Ready) and item.memtile is not None:
            tensor = program.tensors[item.tensor]
            end = item.memtile + piece_bytes(tensor, item)
            names = {tensor.onnx_name, tensor.name}
            places = [(r.lo, r.hi) for r in found if r.label in names]
            assert (item.memtile, end) in places, f"{tensor} {places}"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_memtile_has_a_map_in_time(seed: int):
    program, times = timed(seed)
    (content,) = data_of(view_page({"one": print_program(program)}))["programs"]
    assert len(content["memtiles"]) == program.arch.memtiles
    labels = {r.label for r in resident(seed)[1]}
    for rectangles in content["memtiles"]:
        assert {label for label, *_ in rectangles} <= labels
        for _, _, _, lo, hi, start, end in rectangles:
            assert 0 <= lo < hi <= program.arch.memtile_bytes
            assert 0 <= start <= end <= round(times.total_s * 1e6, 6)


def test_some_program_spills_and_loads_again():
    marked = {(r.kind, r.spilled) for seed in SEEDS for r in resident(seed)[1]}
    assert ("tensor", True) in marked
    assert {kind for kind, _ in marked} == {"input", "weights", "tensor", "reloaded"}
