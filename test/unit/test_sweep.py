"""A sweep: what it measures, what it keeps, how it fails, goes on, and compares."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, cast

import onnx
import pytest
from commands import Bsc
from rich.console import Console
from small_models import residual_network, saved
from varied_networks import random_arch, varied_network

import bsc
from bsc.arch import Arch, preset
from bsc.asm.footprint import accesses
from bsc.asm.parser import parse_program
from bsc.asm.program import Program, Ready
from bsc.cost.network import TIMINGS
from bsc.errors import BscError
from bsc.sweep import (
    Cache,
    Cell,
    Row,
    Sweep,
    Workers,
    dask_workers,
    local_workers,
    make_cells,
    runner,
    sweep,
    workers,
)
from bsc.sweep import measure as measuring
from bsc.sweep.cache import cell_key, content_of
from bsc.sweep.measure import Measured, measure
from bsc.sweep.paper import paper_times
from bsc.sweep.table import failure_lines, mean_lines, sparsity_table, sweep_table
from bsc.tools.driver import invoke
from bsc.view.residence import piece_bytes

ARCHS = ("paper-1x2", "paper-3x2")
TOO_SMALL = 'base = "paper-2x2"\nmemtile_bytes = 1024\ncore_data_bytes = 256\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a dense model and one that is half sparse."""
    monkeypatch.chdir(tmp_path)
    saved(residual_network(), Path("dense.onnx"))
    saved(residual_network(sparse=True), Path("sparse.onnx"))
    return tmp_path


@pytest.fixture
def threads() -> Generator[Workers]:
    """Workers in this process, so that tests can replace what they do."""
    with ThreadPoolExecutor(1) as executor:
        yield Workers(executor, lambda path: path)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Bsc:
    """Runs `bsc sweep` with one process: exit code, stdout, stderr."""

    def call(*argv: str) -> tuple[int, str, str]:
        code = invoke(["sweep", "-o", "table.json", "-j", "1", *argv])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def here(run: Bsc, threads: Workers, monkeypatch: pytest.MonkeyPatch) -> Bsc:
    """The same without a process, for tests of what is done with the cells."""

    def workers_here(count: int) -> AbstractContextManager[Workers]:
        return nullcontext(threads)

    monkeypatch.setattr("bsc.sweep.local_workers", workers_here)
    return run


def table() -> list[dict[str, Any]]:
    return json.loads(Path("table.json").read_text())


# The command ---------------------------------------------------------------------------


def test_rows_are_what_the_compiler_says(run: Bsc):
    models = "dense.onnx", "sparse.onnx"
    code, out, err = run("--models", ",".join(models), "--arch", ",".join(ARCHS))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("table.json: 8 rows, 4 cells, in ")
    rows = iter(table())
    for model in models:
        for arch in ARCHS:
            compiled = bsc.compile(model, arch)
            for timing in TIMINGS:
                cost = compiled.costs[timing]
                (dense,) = (layer for layer in cost.layers if layer.op == "dense")
                assert 0 < dense.start_s < cost.total_s
                assert next(rows) == {
                    "model": model,
                    "arch": arch,
                    "sparsity": 0.5 if model == "sparse.onnx" else 0.0,
                    "timing": timing,
                    "total_s": cost.total_s,
                    "lower_bound_s": cost.lower_bound_s,
                    "features_s": dense.start_s,
                    "error": None,
                }
    assert not list(rows)


def test_one_timing_and_what_is_known(here: Bsc):
    argv = ("--models", "dense.onnx", "--arch", ",".join(ARCHS), "--timing", "serial")
    assert here(*argv)[0] == 0
    first = table()
    assert [row["timing"] for row in first] == ["serial", "serial"]
    code, out, err = here(*argv, "--arch", ",".join((*ARCHS, "paper-2x1")))
    assert (code, err) == (0, "")
    assert "3 rows, 3 cells, 2 of them known before" in out
    assert table()[:2] == first


def test_checked_cells_are_run_and_kept_as_such(here: Bsc):
    argv = ("--models", "dense.onnx,sparse.onnx", "--timing", "serial")
    assert here(*argv)[0] == 0
    models = (residual_network(), residual_network(sparse=True))
    nodes = [node.op_type for model in models for node in model.graph.node]
    tensors = nodes.count("QuantizeLinear")
    for known in ("", ", 2 of them known before"):
        code, out, err = here(*argv, "--check")
        assert (code, err) == (0, "")
        assert f"2 rows, 2 cells{known}, in " in out
        assert f"{tensors} quantized tensors equal to onnxruntime's" in out.splitlines()[-1]
    # What was not asked for is not said.
    assert "quantized tensors" not in here(*argv)[1]


def test_a_cell_with_a_wrong_value_is_a_failure(
    run: Bsc, threads: Workers, monkeypatch: pytest.MonkeyPatch
):
    right = measuring.compile

    def off_by_one(*args: Any, **kwargs: Any) -> bsc.Compiled:
        compiled = right(*args, **kwargs)
        spoilt = compiled.program.replace(",0,127)", ",1,127)")  # of a relu
        assert spoilt != compiled.program
        return dataclasses.replace(compiled, program=spoilt)

    monkeypatch.setattr(measuring, "compile", off_by_one)
    cells = make_cells(["dense.onnx"], ["paper-1x2"], [])
    done = sweep(cells, Cache(Path("cache")), threads, threads, check=True)
    assert "is the first that differs" in done.failures[cells[0]]
    assert not done.equal_tensors
    assert sweep(cells, Cache(Path("cache")), threads, threads).failures == {}


def test_a_cell_that_fails_is_a_row(here: Bsc):
    Path("tiny.toml").write_text(TOO_SMALL)
    code, out, err = here("--models", "dense.onnx", "--arch", "paper-1x2,tiny.toml")
    assert code == 1
    failed = [row for row in table() if row["error"] is not None]
    assert [(row["arch"], row["timing"]) for row in failed] == [
        ("tiny.toml", timing) for timing in TIMINGS
    ]
    (reason,) = {row["error"] for row in failed}
    assert reason
    assert "\n" not in reason
    assert {row["total_s"] for row in failed} == {None}
    assert f"failed: dense.onnx tiny.toml sparsity 0: {reason}" in out
    expected = (
        f"bsc: error: 1 cell of 2 failed, first dense.onnx tiny.toml sparsity 0: {reason}"
    )
    assert err == f"{expected}\n"
    # It is tried again; the other is known.
    assert (
        "1 of them known before"
        in here("--models", "dense.onnx", "--arch", "tiny.toml,paper-1x2")[1]
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--models", "resnet5"), "unknown network 'resnet5': .*did you mean 'resnet50'"),
        (("--models", "gone.onnx"), "gone.onnx: no such file"),
        (("--models", "dense.onnx,"), "--models must be names with commas"),
        (("--models", "dense.onnx", "--arch", "paper-4"), "unknown arch 'paper-4'"),
        (("--models", "resnet50", "--sparsity", "0,1.5"), "between 0 and 1, not 1.5"),
        (("--models", "resnet50", "--sparsity", "half"), "numbers from 0 to 1, not 'half'"),
        (("--models", "dense.onnx", "--timing", "seriel"), "did you mean 'serial'"),
        (("--models", "dense.onnx", "--cache", "dense.onnx"), "cannot keep a cache there"),
        (("--models", "dense.onnx", "-o", "no/table.json"), "there is no folder no"),
    ],
)
def test_mistakes_are_told_before_any_work(run: Bsc, argv: tuple[str, ...], message: str):
    before = sorted(Path().iterdir())
    code, out, err = run(*argv)
    assert (code, out) == (1, "")
    assert re.fullmatch(f"bsc: error: .*{message}.*\n", err)
    assert sorted(Path().iterdir()) == before


BSC = Path(sys.executable).parent / "bsc"


def test_ctrl_c_leaves_what_was_done(folder: Path):
    argv = [BSC, "sweep", "--models", "dense.onnx,sparse.onnx", "-j", "1", "-o", "table.json"]
    argv += ["--arch", ",".join(f"paper-{r}x{c}" for r in range(1, 9) for c in range(1, 9))]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, start_new_session=True, text=True)
    kept = folder / "bsc-cache" / "cells"
    deadline = time.monotonic() + 60
    while not list(kept.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "stopped: the same command goes on from here\n")
    assert not Path("table.json").exists()
    done = len(list(kept.glob("*.json")))
    assert 0 < done < 128
    assert all(json.loads(path.read_text()) for path in kept.glob("*.json"))


# The cells -----------------------------------------------------------------------------


def test_cells_are_in_the_order_of_the_options_and_each_once():
    cells = make_cells(["resnet50"], ["paper-2x2", "npu1", "paper-2x2"], [0.5, 0.0])
    assert cells == [
        Cell("resnet50", arch, sparsity)
        for arch in ("paper-2x2", "npu1")
        for sparsity in (0.5, 0.0)
    ]


def test_a_model_is_prepared_once_for_all_its_cells(
    tmp_path: Path, threads: Workers, monkeypatch: pytest.MonkeyPatch
):
    made: list[float] = []

    def prepare(network: str, *, sparsity: float) -> onnx.ModelProto:
        assert network == "resnet50"
        made.append(sparsity)
        return residual_network(sparse=sparsity > 0)

    monkeypatch.setattr(runner, "prepare", prepare)
    cells = make_cells(["resnet50"], ARCHS, [0.0, 0.5])
    steps: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        steps.append((done, total))

    result = sweep(cells, Cache(tmp_path), threads, threads, tell)
    assert made == [0.0, 0.5]
    assert steps == [(n, 6) for n in range(7)]
    assert list(result.found) == cells
    assert not result.failures
    again = sweep(cells, Cache(tmp_path), threads, threads)
    assert again == Sweep(result.found, known=4)
    assert made == [0.0, 0.5]


def test_a_model_that_cannot_be_prepared_fails_its_own_cells(
    tmp_path: Path, threads: Workers, monkeypatch: pytest.MonkeyPatch
):
    def prepare(network: str, *, sparsity: float) -> onnx.ModelProto:
        if sparsity:
            raise BscError("no such luck")
        return residual_network()

    monkeypatch.setattr(runner, "prepare", prepare)
    cells = make_cells(["resnet50"], ARCHS, [0.0, 0.5])
    result = sweep(cells, Cache(tmp_path), threads, threads)
    reasons = {cell: "prepare: no such luck" for cell in cells if cell.sparsity}
    assert result.failures == reasons
    rows = result.rows(["serial"])
    assert [row.error for row in rows] == [reasons.get(cell) for cell in cells]


# Failures and interruptions ------------------------------------------------------------


def test_a_defect_is_the_failure_of_one_cell(
    folder: Path, threads: Workers, monkeypatch: pytest.MonkeyPatch
):
    def defective(model: Path, arch: Arch, check: bool) -> Any:
        if arch.rows == 1:
            raise KeyError("oops")
        return measure(model, arch, check)

    monkeypatch.setattr(runner, "measure", defective)
    cells = make_cells(["dense.onnx"], ARCHS, [])
    result = sweep(cells, Cache(folder), threads, threads)
    assert result.failures == {cells[0]: "unexpected KeyError: 'oops'"}


def die(model: Path, arch: Arch, check: bool) -> Any:
    """As the system ends a process that takes too much memory."""
    os._exit(1)


def test_a_worker_that_dies_ends_the_sweep(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "measure", die)
    cells = make_cells(["dense.onnx"], ARCHS, [])
    with local_workers(1) as local, pytest.raises(BscError, match="a worker died"):
        sweep(cells, Cache(folder), local, local)


def test_what_was_measured_before_an_interruption_is_kept(folder: Path, threads: Workers):
    def interrupt(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    cells = make_cells(["dense.onnx", "sparse.onnx"], ARCHS, [])
    with pytest.raises(KeyboardInterrupt):
        sweep(cells, Cache(folder), threads, threads, interrupt)
    assert sweep(cells, Cache(folder), threads, threads).known == 1


def test_the_key_is_of_everything_in_the_machine_and_the_model():
    machine = preset("npu1")
    keys = [cell_key(b"model", machine), cell_key(b"Model", machine)]
    for field in fields(Arch):
        value = getattr(machine, field.name)
        other = f"{value}x" if isinstance(value, str) else value + 1
        keys.append(cell_key(b"model", dataclasses.replace(machine, **{field.name: other})))
    assert len(set(keys)) == len(keys)
    assert cell_key(b"model", preset("npu1")) == keys[0]


def test_external_data_belong_to_the_content(tmp_path: Path):
    contents: list[bytes] = []
    for seed in (0, 1):
        model = residual_network(seed)
        path = tmp_path / "m.onnx"
        for old in tmp_path.iterdir():
            old.unlink()
        cast("Any", onnx).save_model(model, path, save_as_external_data=True, size_threshold=0)
        contents.append(content_of(path))
    assert contents[0] != contents[1]
    inside = onnx.ModelProto.FromString(contents[1])
    assert measure(contents[1], preset("paper-2x2")) == measure(path, preset("paper-2x2"))
    assert all(tensor.HasField("raw_data") for tensor in inside.graph.initializer)


# What is measured ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_peak_of_memtile_use_against_bytes_that_are_counted(seed: int, tmp_path: Path):
    arch = random_arch(seed)
    found = measure(saved(varied_network(seed), tmp_path / "m.onnx"), arch)
    if not isinstance(found, Measured):
        assert found.reason
        return
    program = parse_program(bsc.compile(tmp_path / "m.onnx", arch).program)
    pieces = [
        piece_bytes(program.tensors[item.tensor], item)
        for item in program.body
        if isinstance(item, Ready) and item.memtile is not None
    ]
    least = max([most_bytes_alive(program), *pieces])
    assert least <= found.peak_memtile_bytes <= bytes_touched(program)


def bytes_touched(program: Program) -> int:
    """All bytes of a memtile that anything is ever written to: what can be in use at most."""
    size = program.arch.memtile_bytes
    touched: set[int] = set()
    for instr in program.instructions():
        for access in accesses(instr, program.arch):
            if access.memory == "memtile" and access.writes:
                touched.update(byte % size for byte in range(access.lo, access.hi))
    return len(touched)


def most_bytes_alive(program: Program) -> int:
    """The most bytes of one memtile that have been written and will be read, each byte by
    itself: what is in use at least."""
    size = program.arch.memtile_bytes
    written: dict[int, int] = {}
    read: dict[int, int] = {}
    alive = [0] * len(program.instructions())
    for now, instr in enumerate(program.instructions()):
        inside = [a for a in accesses(instr, program.arch) if a.memory == "memtile"]
        for access in sorted(inside, key=lambda a: a.writes):
            for byte in (byte % size for byte in range(access.lo, access.hi)):
                if not access.writes:
                    read[byte] = now
                else:
                    _count(alive, written.pop(byte, now), read.pop(byte, -1))
                    written[byte] = now
    for byte, end in read.items():
        _count(alive, written.get(byte, end), end)
    return max(alive)


def _count(alive: list[int], begin: int, end: int) -> None:
    for now in range(begin, end + 1):
        alive[now] += 1


# The paper -----------------------------------------------------------------------------


def test_the_papers_figures():
    cells = [
        (model, f"paper-{n}x{n}", sparsity)
        for model in ("resnet50", "inception_v3", "vgg16")
        for n in range(2, 9)
        for sparsity in (0.0, 0.5)
    ]
    found = [paper_times(*cell) for cell in cells]
    assert None not in found
    failed = [c for c, t in zip(cells, found, strict=True) if t and t.published_s is None]
    assert failed == [
        ("resnet50", "paper-5x5", 0.0),
        ("inception_v3", "paper-5x5", 0.5),
        ("inception_v3", "paper-7x7", 0.5),
        ("vgg16", "paper-3x3", 0.0),
        ("vgg16", "paper-5x5", 0.0),
        ("vgg16", "paper-6x6", 0.0),
    ]
    for times in found:
        assert times is not None
        assert (times.published_s is None) == (times.corrected_s is None)
        assert times.published_s is None or 0 < (times.corrected_s or 0) < times.published_s
    for cell in (
        ("resnet50", "paper-4x4", 0.25),
        ("resnet50", "paper-2x4", 0.5),
        ("resnet50", "npu1", 0.5),
        ("r50.onnx", "paper-4x4", 0.5),
    ):
        assert paper_times(*cell) is None


def rows_of(**features: float | None) -> list[Row]:
    """ResNet-50 cells, `d4=…` being dense on 4x4, under both timings."""
    rows: list[Row] = []
    for name, value in features.items():
        sparsity = 0.5 if name[0] == "s" else 0.0
        for timing in TIMINGS:
            place = "resnet50", f"paper-{name[1]}x{name[1]}", sparsity, timing
            if value is None:
                rows.append(Row(*place, error="does not fit"))
            else:
                rows.append(Row(*place, 2 * value, value / 2, value))
    return rows


def printed(shown: Any) -> list[list[str]]:
    console = Console(width=200, record=True, file=StringIO())
    console.print(shown)
    return [line.split() for line in console.export_text().splitlines()]


def test_the_table_has_the_papers_times_beside_serial_ones():
    theirs = paper_times("resnet50", "paper-4x4", 0.5)
    assert theirs is not None
    assert theirs.published_s is not None
    assert theirs.corrected_s is not None
    lines = printed(sweep_table(rows_of(s4=theirs.corrected_s / 2, d5=None, d4=None)))
    time = theirs.corrected_s * 1e3
    ours = [f"{time:.3f}", f"{time / 4:.3f}", "4.00", f"{time / 2:.3f}"]
    paper = [
        f"{theirs.published_s * 1e3:.3f}",
        f"{theirs.published_s / theirs.corrected_s * 2:.2f}",
        f"{time:.3f}",
        "2.00",
    ]
    assert lines[1] == ["resnet50", "4x4", "0.5", "serial", *ours, *paper]
    assert lines[2] == ["resnet50", "4x4", "0.5", "overlap", *ours]
    assert lines[3] == ["resnet50", "5x5", "0", "serial", "failed", "failed", "failed"]
    assert lines[5] == ["resnet50", "4x4", "0", "serial", "failed", "10.773", "4.140"]


def test_means_leave_out_what_has_no_time():
    four = paper_times("resnet50", "paper-4x4", 0.0)
    eight = paper_times("resnet50", "paper-8x8", 0.0)
    assert four is not None
    assert eight is not None
    assert four.corrected_s is not None
    assert eight.corrected_s is not None
    rows = rows_of(d4=four.corrected_s * 2, d8=eight.corrected_s / 8, d5=1.0, d7=None)
    lines = list(mean_lines(rows))
    assert len(lines) == 2
    # The square root of 1/2 times 8.
    assert re.search(r"corrected/ours 2\.00 \(geometric means of 2 cells\)", lines[0])
    assert lines[1] == "slower than corrected: resnet50 paper-4x4 sparsity 0: 0.500"
    assert list(failure_lines(rows)) == ["failed: resnet50 paper-7x7 sparsity 0: does not fit"]


def test_what_sparsity_brings():
    assert sparsity_table(rows_of(s4=1.0, d8=1.0)) is None
    shown = sparsity_table(rows_of(d4=3.0, s4=2.0, d5=3.0, s5=1.0))
    lines = printed(shown)
    assert lines[1] == ["resnet50", "4x4", "0.5", "serial", "1.50", "1.52", "1.29"]
    assert lines[2] == ["resnet50", "4x4", "0.5", "overlap", "1.50"]
    assert lines[3] == ["resnet50", "5x5", "0.5", "serial", "3.00"]


# dask ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Generator[str]:
    """The address of a cluster of two workers, each a process."""
    distributed: Any = import_module("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as local:
        yield local.scheduler_address


def test_a_cluster_gives_the_same(run: Bsc, cluster: str):
    Path("tiny.toml").write_text(TOO_SMALL)
    argv = ("--models", "dense.onnx,sparse.onnx", "--arch", "paper-1x2,paper-3x2,tiny.toml")
    assert run(*argv)[0] == 1
    expected = table()
    code, out, _ = run(*argv, "--dask", cluster, "--cache", "other")
    assert code == 1
    assert "known" not in out
    assert table() == expected


def test_a_cluster_that_is_not_there(run: Bsc, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "_PATIENCE_S", 1)
    code, out, err = run("--models", "dense.onnx", "--dask", "tcp://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert re.fullmatch("bsc: error: no dask scheduler at 'tcp://127.0.0.1:1': .*\n", err)


def test_dask_that_is_not_installed(run: Bsc, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run("--models", "dense.onnx", "--dask", "tcp://127.0.0.1:1")
    assert code == 1
    assert "pip install 'bsc[dask]'" in err


def test_workers_with_another_compiler_are_refused(
    cluster: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workers, "compiler_hash", os.getpid)  # different on every worker
    with pytest.raises(BscError, match="has another version of bsc"), dask_workers(cluster):
        pass
