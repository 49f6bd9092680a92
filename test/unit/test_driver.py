"""The command `bsc`: what it prints and writes, and how it refuses.

Every refusal is one line on stderr and a non-zero exit code, and leaves no file behind.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import Bsc
from onnx import TensorProto, helper, numpy_helper
from small_models import INPUT, image, residual_network, save_image, saved

from bsc import oracle
from bsc.arrays import read_arrays
from bsc.folder import FILES
from bsc.pipelines import NAMED_PIPELINES
from bsc.prepare import NETWORKS
from bsc.tools import progress
from bsc.tools.diagnostics import INTERRUPTED


def spoilt(change: Callable[[onnx.ModelProto], None]) -> onnx.ModelProto:
    model = residual_network()
    change(model)
    return model


def float_model() -> onnx.ModelProto:
    shape = [1, 8, 6, 6]
    weight = np.random.default_rng(0).standard_normal((16, 8, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])],
        "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, 4, 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


# What it does --------------------------------------------------------------------------


def test_from_a_float_model_to_a_program_that_is_exact(bsc: Bsc):
    saved(float_model(), Path("float.onnx"))
    code, out, err = bsc("prepare", "float.onnx", "-o", "m.onnx", "--block", "4x8")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"m\.onnx: \d+ nodes, .*B in .* (us|ms|s)\n", out)
    code, out, err = bsc("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2")
    assert (code, err) == (0, "")
    assert re.search(r"^y +conv2d ", out, re.MULTILINE)
    assert "lower bound" in out
    assert out.splitlines()[-1].startswith("out: compiled for paper-2x2 in ")
    code, out, err = bsc("check", "m.onnx", "out", "--every-tensor", "--inputs", "2")
    assert (code, err) == (0, "")
    assert re.search(r"(\d+) of \1 tensors? made by the program equal: ([\d,]+) of \2 val", out)


def test_run_writes_the_tensors_of_the_model(bsc: Bsc):
    model = saved(residual_network(), Path("m.onnx"))
    save_image(Path("x.npy"))
    assert bsc("compile", str(model), "-o", "out")[0] == 0
    assert {path.name for path in Path("out").iterdir()} <= set(FILES)
    code, out, err = bsc("run", "out", "-i", "x.npy", "-o", "y.npz", "--every-tensor")
    assert (code, err) == (0, "")
    found = read_arrays("y.npz")
    assert isinstance(found, dict)
    assert out.startswith(f"y.npz: {len(found)} tensors, simulated in ")
    expected = oracle.quantized_tensors(model, {INPUT: image()})
    for name, values in found.items():
        assert values.dtype == np.int8
        assert np.array_equal(values.reshape(expected[name].shape), expected[name])
    assert re.search(r"^output quantizelinear_\d+: int8 \[1, 10\]$", out, re.MULTILINE)


def test_run_under_random_timing(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    save_image(Path("x.npy"))
    assert bsc("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2")[0] == 0
    assert bsc("run", "out", "-i", "x.npy", "-o", "text.npz")[0] == 0
    code, out, err = bsc("run", "out", "-i", "x.npy", "-o", "y.npz", "--timing-seed", "7")
    assert (code, err) == (0, "")
    assert out.startswith("y.npz: 1 tensor, simulated with the random timing of seed 7 in ")
    found, expected = read_arrays("y.npz"), read_arrays("text.npz")
    assert isinstance(found, dict)
    assert isinstance(expected, dict)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(found[name], values)


def test_check_under_random_timing(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    assert bsc("compile", "m.onnx", "-o", "out", "--arch", "paper-2x2")[0] == 0
    code, out, err = bsc("check", "m.onnx", "out", "--inputs", "2", "--timing-seeds", "2")
    assert (code, err) == (0, "")
    assert out.endswith(
        "in event order, the outputs of 2 of 2 runs with nominal timing and of 4 of 4 runs "
        "with random timing equal\n"
    )


def test_compile_prints_the_time_of_each_pass(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    code, _, err = bsc("compile", "m.onnx", "-o", "out", "--time-passes")
    assert code == 0
    names = [line.split()[0] for line in err.splitlines()[1:]]
    passes = list(NAMED_PIPELINES["bsc-compile"])
    assert [name for name in names if name in passes] == passes
    assert names[-1] == "total"


def test_check_names_the_first_tensor_that_differs(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    saved(residual_network(seed=1), Path("other.onnx"))
    assert bsc("compile", "m.onnx", "-o", "out")[0] == 0
    code, out, err = bsc("check", "other.onnx", "out", "--every-tensor")
    assert code == 1
    assert "equal" in out
    assert re.fullmatch(
        r"bsc: error: tensor 'quantizelinear_\d+' \(made by layer '.*'\) is the first that "
        r"differs: .* values, the first at \[.*\]: -?\d+, onnxruntime has -?\d+.*\n",
        err,
    )


def test_help_and_version(bsc: Bsc):
    code, out, _ = bsc("--version")
    assert code == 0
    assert re.fullmatch(r"bsc \S+ \(xDSL 0\.74\.0\)\n", out)
    for argv in (
        ("--help",),
        *((name, "-h") for name in ("prepare", "compile", "run", "check")),
    ):
        code, out, err = bsc(*argv)
        assert (code, err) == (0, "")
        assert "Usage: bsc" in out
        assert "example" in out


def test_the_help_names_all_built_in_networks(bsc: Bsc):
    _, out, _ = bsc("prepare", "--help")
    (listed,) = re.findall(r"networks: ([\w,\s]+)", out)
    assert set(re.split(r",\s+", listed.strip())) == set(NETWORKS)


def test_prepare_writes_the_form_that_is_asked_for(bsc: Bsc):
    options = ("--size", "33", "--format", "qoperator", "--activations", "uint8")
    code, _, err = bsc("prepare", "squeezenet", "-o", "s.onnx", *options)
    assert (code, err) == (0, "")
    model = onnx.ModelProto.FromString(Path("s.onnx").read_bytes())
    points = {node.input[7] for node in model.graph.node if node.op_type == "QLinearConv"}
    types = {t.data_type for t in model.graph.initializer if t.name in points}
    assert types == {TensorProto.UINT8}
    assert len(points) == 26


# What it refuses -----------------------------------------------------------------------

RUN = ("run", "out", "-i", "x.npy", "-o", "y.npz")
COMPILE = ("compile", "m.onnx", "-o", "out")


def refused(bsc: Bsc, argv: tuple[str, ...], message: str, code: int = 1) -> None:
    """The command ends with this one line on stderr, and writes nothing."""
    before = contents()
    found, out, err = bsc(*argv)
    assert (found, out) == (code, "")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert err.startswith("bsc: error: ")
    assert re.search(message, err), err
    assert contents() == before


def contents() -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in Path().rglob("*")}


def odd_scale(model: onnx.ModelProto) -> None:
    scale = next(t for t in model.graph.initializer if "scale" in t.name)
    values = np.asarray(numpy_helper.to_array(scale)) * np.float32(1.5)
    scale.CopyFrom(numpy_helper.from_array(values, scale.name))


def odd_operator(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.op_type == "Relu")
    node.op_type, node.name = "Softplus", "soft"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (float_model, "m.onnx: is a float model .* quantize it first, e.g. with 'bsc prepare'"),
        (
            lambda: spoilt(odd_operator),
            "m.onnx: node 'soft' .* operator Softplus is not supported here: ",
        ),
        (lambda: spoilt(odd_scale), "m.onnx: .*scale.* not a power of two"),
    ],
)
def test_models_that_are_not_accepted(
    bsc: Bsc, model: Callable[[], onnx.ModelProto], message: str
):
    saved(model(), Path("m.onnx"))
    refused(bsc, COMPILE, message)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07", bytes(range(256))])
def test_files_that_are_no_models(bsc: Bsc, content: bytes):
    Path("m.onnx").write_bytes(content)
    refused(bsc, COMPILE, "m.onnx: .*not an? (valid )?ONNX")
    refused(bsc, ("prepare", "m.onnx", "-o", "q.onnx"), "m.onnx: .*not an? (valid )?ONNX")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("compile", "gone.onnx", "-o", "out"), "gone.onnx: no such file"),
        (("check", "gone.onnx", "out"), "out: no such folder: give the folder that 'bsc comp"),
        (("run", "out", "-i", "x.npy", "-o", "y.npz"), "x.npy: no such file: give a .npy or"),
        (("prepare", "gone.onnx", "-o", "q.onnx"), "gone.onnx: no such file"),
        (
            ("prepare", "resnet5", "-o", "q.onnx"),
            "unknown network 'resnet5': .*'resnet50'",
        ),
        ((*COMPILE, "--arch", "paper-4"), "unknown arch 'paper-4': give one of paper-2x2, "),
        ((*COMPILE, "--arch", "my.toml"), "my.toml: cannot read the arch file: No such file"),
        ((*COMPILE, "--timing", "seral"), "unknown timing 'seral': .*; did you mean 'serial'"),
        (("compile", "m.onnx", "-o", "m.onnx"), "m.onnx: is a file: give a folder to write to"),
        (("prepare", "resnet50", "-o", "no/q.onnx"), "no/q.onnx: .*there is no folder no"),
        (("prepare", "resnet50", "-o", "q.onnx", "--block", "8by8"), "form 8x8, not '8by8'"),
        (("prepare", "resnet50", "-o", "q.onnx", "--sparsity", "2"), "sparsity.* not 2"),
        (("prepare", "resnet50", "-o", "q.onnx", "--format", "q"), "unknown format 'q': give"),
        (("prepare", "resnet50", "-o", "q.onnx", "--size", "0"), "1 pixel or more, not 0"),
        (("prepare", "resnet50", "-o", "q.onnx", "--criterion", "l3"), "criterion.*'l3'"),
        (("prepare", "m.onnx", "-o", "q.onnx"), "m.onnx: quantized already .*give the float"),
    ],
)
def test_what_is_not_there_or_not_known(bsc: Bsc, argv: tuple[str, ...], message: str):
    saved(residual_network(), Path("m.onnx"))
    refused(bsc, argv, message)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("compil", "m.onnx"), "No such command 'compil'"),
        (("compile", "m.onnx"), "Missing option '-o'"),
        (("compile", "-o", "out"), "Missing argument 'MODEL.onnx'"),
        ((*COMPILE, "--arhc", "npu1"), "No such option: --arhc"),
        ((*COMPILE, "more"), "unexpected extra argument"),
        (("check", "m.onnx", "out", "--inputs", "0"), "for '--inputs': "),
        (("check", "m.onnx", "out", "--timing-seeds", "-1"), "for '--timing-seeds': "),
        ((*RUN, "--timing-seed", "-1"), "for '--timing-seed': "),
        (("check", "m.onnx", "out", "--inputs", "x"), "for '--inputs': "),
    ],
)
def test_command_lines_that_make_no_sense(bsc: Bsc, argv: tuple[str, ...], message: str):
    refused(bsc, argv, message, code=2)


def test_a_key_of_a_machine_that_is_wrong_is_named(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    Path("my.toml").write_text("memtile_byte = 1024\n")
    arch = (*COMPILE, "--arch", "my.toml")
    refused(bsc, arch, "my.toml: unknown key 'memtile_byte'; did you mean 'memtile_bytes'")
    Path("my.toml").write_text("rows = 0\n")
    refused(bsc, arch, "my.toml: arch 'my': rows must be at least 1, not 0")


def test_what_does_not_fit_is_told_with_the_pass_and_the_layer(bsc: Bsc):
    saved(residual_network(), Path("m.onnx"))
    Path("my.toml").write_text("core_data_bytes = 256\ncore_scratch_bytes = 256\n")
    code, out, err = bsc(*COMPILE, "--arch", "my.toml")
    assert (code, out) == (1, "")
    assert re.match(r"bsc: error: [a-z-]+: .*\d+ bytes", err)
    assert not Path("out").exists()


@pytest.fixture
def program(bsc: Bsc) -> Path:
    """A compiled program, with its model and an input beside it."""
    saved(residual_network(), Path("m.onnx"))
    assert bsc("compile", "m.onnx", "-o", "out")[0] == 0
    save_image(Path("x.npy"))
    return Path("out")


def test_inputs_that_are_not_the_models(bsc: Bsc, program: Path):
    for array, message in (
        (np.zeros((1, 4, 12, 13), np.float32), r"shape .*\[1, 4, 12, 13\]|1, 4, 12, 13"),
        (np.zeros((1, 4, 12, 12), np.int8), "int8"),
        (np.full((1, 4, 12, 12), np.nan, np.float32), "has NaN, which nothing can be made of"),
    ):
        np.save("x.npy", array)
        refused(bsc, RUN, message)
    Path("x.npy").write_text("no numbers")
    refused(bsc, RUN, "x.npy: not a .npy or .npz file of numbers")


def test_every_tensor_is_for_text_order(bsc: Bsc, program: Path):
    refused(bsc, (*RUN, "--every-tensor", "--timing-seed", "0"), "in text order only")


def test_programs_that_were_tampered_with(bsc: Bsc, program: Path):
    text = (program / "program.asm").read_text()
    (program / "program.asm").write_text(text.replace("LOADFM", "LOADFN", 1))
    refused(bsc, RUN, r"program.asm:\d+: unknown instruction 'LOADFN'; did you mean 'LOADFM'")
    (program / "program.asm").write_text(text)
    weights = (program / "weights.bin").read_bytes()
    (program / "weights.bin").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    refused(bsc, RUN, "weights.bin is not the blob of this program")
    (program / "weights.bin").unlink()
    refused(bsc, RUN, "out: not a compiled program, it has no weights.bin")
    refused(bsc, ("check", "m.onnx", "out"), "out: not a compiled program")


def test_a_program_that_was_there_survives_a_failed_compilation(bsc: Bsc, program: Path):
    saved(spoilt(odd_scale), Path("m.onnx"))
    refused(bsc, COMPILE, "not a power of two")


# The process ---------------------------------------------------------------------------

BSC = Path(sys.executable).parent / "bsc"


def test_the_installed_command(tmp_path: Path):
    argv = [BSC, "compile", "gone.onnx", "-o", "out"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bsc: error: gone.onnx: no such file\n"
    assert not list(tmp_path.iterdir())


_INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "{}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from bsc.tools.start import bsc
sys.exit(bsc())
"""


@pytest.mark.parametrize(
    ("module", "code"), [("typer", -signal.SIGINT), ("bsc.api", INTERRUPTED)]
)
def test_an_interrupt_is_no_traceback(tmp_path: Path, module: str, code: int):
    """Ctrl-C while something is imported: what all commands need, or what one needs."""
    model = saved(residual_network(), tmp_path / "m.onnx")
    argv = [sys.executable, "-c", _INTERRUPTED.format(module), "compile", model, "-o", "out"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_an_interrupted_command_leaves_nothing(bsc: Bsc, monkeypatch: pytest.MonkeyPatch):
    saved(residual_network(), Path("m.onnx"))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bsc.compiled.cost_table", interrupted)
    code, out, err = bsc(*COMPILE)
    assert (code, out, err) == (INTERRUPTED, "", "")
    assert [path.name for path in Path().iterdir()] == ["m.onnx"]


def test_no_output_to_write_to(tmp_path: Path):
    model = saved(residual_network(), tmp_path / "m.onnx")
    argv = f"{BSC} explain {model} >&-"
    done = subprocess.run(argv, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "argv",
    [
        ("compile", "m.onnx", "-o", "/proc/out"),
        ("compile", "m.onnx", "-o", "/proc/out", "--partition"),
        ("prepare", "squeezenet", "--size", "17", "-o", "/proc/out"),
    ],
)
def test_where_nobody_can_write(bsc: Bsc, argv: tuple[str, ...]):
    saved(residual_network(), Path("m.onnx"))
    refused(bsc, argv, "bsc: error: /proc/out: cannot be written: No such file or directory")


def test_a_full_disk(bsc: Bsc, monkeypatch: pytest.MonkeyPatch):
    saved(residual_network(), Path("m.onnx"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bsc.compiled.cost_table", full)
    refused(bsc, COMPILE, "bsc: error: out: cannot be written: No space left on device")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path):
    model = saved(residual_network(), tmp_path / "m.onnx")
    argv = [BSC, "compile", model, "-o", tmp_path / "out"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert (tmp_path / "out" / "program.asm").exists()


def test_nothing_moves_where_nobody_watches(capsys: pytest.CaptureFixture[str]):
    with progress.steps("working") as say:
        say("step")
    with progress.bar("working", patience=0) as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_appears_on_a_terminal_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for patience, shown in ((1000.0, False), (0.0, True)):
        with progress.bar("working", patience) as tell:
            for done in range(1, 101):
                tell(done, 100)
        assert ("working" in capsys.readouterr().err) is shown
