"""The Python API: compile, save, run and check a small network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from lock_text import memtile_locks, without_lock
from small_models import INPUT, image, residual_network, saved
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.utils.exceptions import DiagnosticException, PassFailedException

import bsc
from bsc import oracle
from bsc.arch import load_arch
from bsc.asm.parser import parse_program
from bsc.checking import TimingCheck
from bsc.dialects.network import Network
from bsc.folder import written_together, written_whole
from bsc.monitor import PassMonitor
from bsc.passes.split_width import SplitWidthPass
from bsc.pipelines import NAMED_PIPELINES
from bsc.report.outcome import difference_lines, outcome_lines
from bsc.tools import opt


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return residual_network()


@pytest.fixture(scope="module")
def compiled(model: onnx.ModelProto) -> bsc.Compiled:
    return bsc.compile(model, "paper-2x2")


def test_import_is_light():
    code = "import sys, bsc; print(*{'numpy', 'onnx', 'xdsl', 'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "\n", done.stderr


def test_compiling_does_not_import_what_checking_takes():
    code = "import sys, bsc.api, bsc.report.screen; print('bsc.interpreter' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_the_names_of_the_package():
    assert all(getattr(bsc, name) is not None for name in bsc.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'compiler'"):
        _ = bsc.compiler  # pyright: ignore


def test_compile_tells_all(compiled: bsc.Compiled):
    program = parse_program(compiled.program)
    assert program.arch == compiled.arch == load_arch("paper-2x2")
    assert program.blob_bytes == compiled.weights.size > 0
    assert compiled.model == "residual"
    assert compiled.cost is compiled.costs["serial"]
    assert compiled.cost.total_s > compiled.cost.lower_bound_s > 0
    assert [e.onnx_name for e in compiled.elided] == [e.onnx_name for e in program.elided]
    assert compiled.elided
    hosted = [node.op_type for node in compiled.nodes if node.where == "host"]
    assert hosted == ["QuantizeLinear", "DequantizeLinear", "Softmax"]


def test_compile_takes_a_machine_of_any_kind(model: onnx.ModelProto, tmp_path: Path):
    toml = tmp_path / "mine.toml"
    toml.write_text('base = "paper-2x2"\nrows = 1\n')
    assert bsc.compile(model, toml).arch.name == "mine"
    assert bsc.compile(model, load_arch("paper-1x2")).arch.rows == 1


def test_compile_times_and_tells_each_step(model: onnx.ModelProto):
    monitor, steps = PassMonitor(), list[str]()
    bsc.compile(model, monitor=monitor, progress=steps.append)
    names = list(NAMED_PIPELINES["bsc-compile"])
    assert [name for name, _ in monitor.seconds] == names
    assert steps == ["import", *names, "print"]


def test_an_invalid_module_is_found_with_or_without_a_monitor(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
):
    """After the pass that made it invalid, or where bsc verifies by itself."""

    right = SplitWidthPass.apply

    def spoil(self: SplitWidthPass, ctx: Context, op: ModuleOp) -> None:
        right(self, ctx, op)
        for layer in Network(op).compute_ops():
            layer.properties["rounding"] = StringAttr("sideways")

    monkeypatch.setattr(SplitWidthPass, "apply", spoil)
    for monitor in (PassMonitor(), PassMonitor(verify=False), None):
        with pytest.raises(DiagnosticException, match="rounding must be one of"):
            bsc.compile(model, monitor=monitor)
    monitor = PassMonitor()
    with pytest.raises(DiagnosticException):
        bsc.compile(model, monitor=monitor)
    assert monitor.stage == "after split-width"


def test_the_same_program_every_time(model: onnx.ModelProto, compiled: bsc.Compiled):
    again = bsc.compile(model, "paper-2x2")
    assert again.program == compiled.program
    assert np.array_equal(again.weights, compiled.weights)


@pytest.mark.parametrize(
    ("arch", "timing", "message"),
    [
        ("paper-4", "serial", "unknown arch 'paper-4': give one of paper-2x2, "),
        ("paper-4x4", "seral", "unknown timing 'seral': .*; did you mean 'serial'?"),
    ],
)
def test_unknown_names(model: onnx.ModelProto, arch: str, timing: str, message: str):
    with pytest.raises(bsc.BscError, match=message):
        bsc.compile(model, arch, timing)


def test_what_does_not_fit_is_told_by_a_pass(model: onnx.ModelProto, tmp_path: Path):
    tiny = tmp_path / "tiny.toml"
    tiny.write_text('base = "paper-2x2"\ncore_data_bytes = 256\ncore_scratch_bytes = 256\n')
    with pytest.raises(PassFailedException):
        bsc.compile(model, tiny)


# Running -------------------------------------------------------------------------------


def test_run_in_memory(model: onnx.ModelProto, compiled: bsc.Compiled):
    x = image()
    expected = oracle.quantized_tensors(model, {INPUT: x})
    result = bsc.run(compiled, x, every_tensor=True)
    (output,) = result.outputs
    assert np.array_equal(result.outputs[output], expected[output])
    assert len(result.tensors) > 3
    for name, values in result.tensors.items():
        assert np.array_equal(values.reshape(expected[name].shape), expected[name])


def test_run_from_a_folder_with_nothing_else(compiled: bsc.Compiled, tmp_path: Path):
    compiled.save(tmp_path / "all")
    for name in ("program.asm", "weights.bin"):
        content = (tmp_path / "all" / name).read_bytes()
        (tmp_path / "two").mkdir(exist_ok=True)
        (tmp_path / "two" / name).write_bytes(content)
    found = bsc.run(tmp_path / "two", {INPUT: image()})
    expected = bsc.run(compiled, image())
    assert found.tensors == {}
    for name, values in expected.outputs.items():
        assert np.array_equal(found.outputs[name], values)


def test_run_reports_progress(compiled: bsc.Compiled):
    calls: list[tuple[int, int]] = []
    bsc.run(compiled, image(), progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert 0 < calls[-1][0] <= calls[-1][1]


def test_run_wants_names_for_several_inputs(compiled: bsc.Compiled, tmp_path: Path):
    lines = compiled.program.splitlines(keepends=True)
    port = next(line for line in lines if line.startswith(".input"))
    two = compiled.program.replace(port, port + port.replace(INPUT, "other"))
    (tmp_path / "program.asm").write_text(two)
    compiled.weights.tofile(tmp_path / "weights.bin")
    with pytest.raises(bsc.BscError, match=r"takes 2 inputs .*: give them by name"):
        bsc.run(tmp_path, image())


@pytest.mark.parametrize("seed", range(4))
def test_random_timing_changes_no_output(compiled: bsc.Compiled, seed: int):
    shares: list[float] = []
    found = bsc.run(
        compiled,
        image(),
        timing_seed=seed,
        progress=lambda done, total: shares.append(done / total),
    )
    expected = bsc.run(compiled, image()).outputs
    assert found.outputs.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(found.outputs[name], values)
    assert found.tensors == {}
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_every_tensor_is_for_text_order(compiled: bsc.Compiled):
    with pytest.raises(bsc.BscError, match="in text order only"):
        bsc.run(compiled, image(), every_tensor=True, timing_seed=0)


# Saving --------------------------------------------------------------------------------

FILES = [
    "cost.csv",
    "cost.json",
    "module.mlir",
    "program.asm",
    "trace.json",
    "weights.bin",
]  # no large weights


def test_save_writes_its_files_and_keeps_others(compiled: bsc.Compiled, tmp_path: Path):
    folder = tmp_path / "deep" / "out"
    compiled.save(folder)
    assert sorted(p.name for p in folder.iterdir()) == FILES
    (folder / "mine.txt").write_text("kept")
    for name in ("program.asm", "module.weights.bin"):
        (folder / name).write_text("old")
    compiled.save(folder)
    assert (folder / "program.asm").read_text() == compiled.program
    assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, "mine.txt"])
    assert [p.name for p in folder.parent.iterdir()] == ["out"]


def test_save_refuses_a_file(compiled: bsc.Compiled, tmp_path: Path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(bsc.BscError, match="out: is a file: give a folder to write to"):
        compiled.save(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_nothing_is_half_written(tmp_path: Path):
    def fail(file: Path) -> None:
        file.write_text("half")
        raise OSError("no space left")

    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(OSError, match="no space"), written_together(tmp_path / name) as a:
            fail(a / "program.asm")
    with pytest.raises(OSError, match="no space"), written_whole(tmp_path / "file") as aside:
        fail(aside)
    assert [p.name for p in tmp_path.rglob("*")] == ["old"]


def test_the_saved_module_gives_the_same_program(
    compiled: bsc.Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    compiled.save(tmp_path / "out")
    passes = ["--lower-to-dataflow", "--chain-locks", "--annotate-cost"]
    code = opt.run([str(tmp_path / "out" / "module.mlir"), *passes, "-t", "bsc-asm"])
    assert code == 0
    assert capsys.readouterr().out.strip() == compiled.program.strip()


def test_cost_json(compiled: bsc.Compiled, tmp_path: Path):
    compiled.save(tmp_path)
    record = json.loads((tmp_path / "cost.json").read_text())
    assert record["model"] == "residual"
    assert record["arch"] == "paper-2x2"
    assert record["timing"] == "serial"
    assert record["timings"]["serial"]["total_s"] == record["total_s"] > 0
    names = [layer["name"] for layer in record["layers"]]
    assert names == [layer.name for layer in compiled.cost.layers]


# Checking ------------------------------------------------------------------------------


def test_every_tensor_is_accounted_for(model: onnx.ModelProto, compiled: bsc.Compiled):
    result = bsc.check(model, compiled, inputs=2, every_tensor=True)
    assert result.ok
    assert result.first_different is None
    assert len(result.made) + len(result.elided) == len(result.tensors)
    assert {t.name for t in result.tensors} == {*oracle.quantized_names(model)}
    assert [t.elided for t in result.elided] == [e.reason for e in compiled.elided]
    sizes = oracle.quantized_tensors(model, {INPUT: image()})
    assert all(t.values == 2 * sizes[t.name].size for t in result.tensors)


def test_only_outputs_are_checked_unless_asked(model: onnx.ModelProto, compiled: bsc.Compiled):
    result = bsc.check(model, compiled)
    assert [t.values for t in result.tensors] == [10]
    assert result.ok


def test_check_in_event_order(model: onnx.ModelProto, compiled: bsc.Compiled):
    shares: list[float] = []
    result = bsc.check(
        model,
        compiled,
        inputs=2,
        timing_seeds=3,
        progress=lambda done, total: shares.append(done / total),
    )
    assert result.timing == TimingCheck(nominal=2, nominal_equal=2, random=6, random_equal=6)
    assert result.ok
    assert outcome_lines(result)[-1] == (
        "in event order, the outputs of 2 of 2 runs with nominal timing and of 6 of 6 runs "
        "with random timing equal"
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert bsc.check(model, compiled).timing is None


def test_check_finds_a_lock_that_is_missing(model: onnx.ModelProto, compiled: bsc.Compiled):
    """In text order all is well; under random timing reads come too early, in some runs."""
    found = 0
    for family in memtile_locks(compiled.program)[:4]:
        lucky = _with_program(compiled, without_lock(compiled.program, family))
        result = bsc.check(model, lucky, timing_seeds=4)
        assert result.first_different is None
        assert result.timing is not None
        assert result.timing.random == 4
        if result.timing.first is None:
            continue
        found += 1
        assert result.timing.random_equal < 4
        assert not result.ok
        (line,) = difference_lines(result)
        assert re.match(r"in event order, (nominal timing|timing seed \d): line \d+: ", line)
    assert found > 0


def test_check_compares_outputs_in_event_order_too(compiled: bsc.Compiled):
    result = bsc.check(residual_network(seed=1), compiled, timing_seeds=2)
    assert result.timing is not None
    assert (result.timing.nominal_equal, result.timing.random_equal) == (0, 0)
    _, line = difference_lines(result)
    assert re.fullmatch(
        r"in event order, nominal timing: \d+ of 10 values of '.*' differ from onnxruntime's",
        line,
    )


def test_the_first_difference_is_found(compiled: bsc.Compiled, tmp_path: Path):
    # The same network with other weights.
    other = saved(residual_network(seed=1), tmp_path / "other.onnx")
    result = bsc.check(other, compiled, every_tensor=True)
    assert not result.ok
    first = result.first_different
    assert first is not None
    assert first is next(t for t in result.tensors if t.different)
    assert first.layer == first.name
    assert first.first is not None
    assert first.first.found != first.first.expected
    assert len(first.first.at) == 4


def test_a_program_of_another_model_is_refused(compiled: bsc.Compiled):
    other = residual_network()
    for node in other.graph.node:
        for names in (node.input, node.output):
            renamed = [f"{n}_b" if n == "quantizelinear_18" else n for n in names]
            del names[:]
            names.extend(renamed)
    with pytest.raises(bsc.BscError, match="has no quantized tensor 'quantizelinear_18'"):
        bsc.check(other, compiled)


def test_a_program_that_hides_a_tensor_fails(model: onnx.ModelProto, compiled: bsc.Compiled):
    lines = compiled.program.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(".elided")]
    result = bsc.check(model, _with_program(compiled, "".join(kept)), every_tensor=True)
    assert not result.ok
    assert result.unaccounted == tuple(e.onnx_name for e in compiled.elided)


def _with_program(compiled: bsc.Compiled, text: str) -> bsc.Compiled:
    from dataclasses import replace

    return replace(compiled, program=text)
