"""`bsc-opt` from within: the command line, exit codes, errors, and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc, StringAttr, UnknownLoc
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.exceptions import PassFailedException, VerifyException

import bsc.frontend
from bsc.errors import BscError
from bsc.tools import opt
from bsc.tools.arguments import PassFlag, UsageError, split_pass_flags
from bsc.universe import BSC_UNIVERSE

NAMES = {"set-arch", "split-width", "alloc-memtile", "cse"}
EMPTY = "builtin.module {\n}\n\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file with an empty module."""
    path = tmp_path / "m.mlir"
    path.write_text(EMPTY)
    return path


# The command line ------------------------------------------------------------------------

OTHERS = ["m.mlir", "-", "-o", "out.mlir", "--time-passes", "-p", "cse", "--verify-diagnostics"]
flags = st.builds(
    PassFlag,
    st.sampled_from(sorted(NAMES)),
    st.none() | st.sampled_from(["", "4", "a=1", "a=1 b=x", "{a=1}", "{a=1 b=x}"]),
)


def typed(flag: PassFlag) -> str:
    return f"--{flag.name}" if flag.options is None else f"--{flag.name}={flag.options}"


@given(st.lists(st.sampled_from(OTHERS) | flags))
def test_pass_flags_are_taken_out_in_order(tokens: list[str | PassFlag]):
    argv = [typed(token) if isinstance(token, PassFlag) else token for token in tokens]
    rest, found = split_pass_flags(argv, NAMES)
    assert found == [token for token in tokens if isinstance(token, PassFlag)]
    assert rest == [token for token in tokens if isinstance(token, str)]


# Whose value may be left out, and is filled in.
@given(st.lists(st.text().filter(lambda text: text != "--validate-values")))
def test_only_passes_are_taken_out(argv: list[str]):
    rest, found = split_pass_flags(argv, set())
    assert (rest, found) == (argv, [])


def test_braces_need_no_equals_sign():
    assert split_pass_flags(["--cse{a=1}"], NAMES) == ([], [PassFlag("cse", "{a=1}")])


def test_after_two_dashes_all_is_left_alone():
    assert split_pass_flags(["--cse", "--", "--cse"], NAMES) == (
        ["--", "--cse"],
        [PassFlag("cse")],
    )


def test_an_optional_value_does_not_swallow_the_file():
    assert split_pass_flags(["--validate-values", "m.mlir"], NAMES)[0] == [
        "--validate-values=1",
        "m.mlir",
    ]


def test_no_pass_is_called_like_an_option():
    tool = opt.BscOptMain(["m.mlir"])
    options = {f"--{name.replace('_', '-')}" for name in vars(tool.args)}
    passes = {f"--{name}" for name in Universe.get_multiverse().all_passes}
    assert not options & passes


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (None, {}),
        ("paper-2x2", {"arch": ("paper-2x2",)}),
        ("4", {"arch": ("4",)}),
        ("dir.d/mine.toml", {"arch": ("dir.d/mine.toml",)}),
        ("arch=npu1", {"arch": ("npu1",)}),
        ('arch=mine toml="rows=3"', {"arch": ("mine",), "toml": ("rows=3",)}),
        ("{arch=npu1}", {"arch": ("npu1",)}),
    ],
)
def test_options_of_a_pass(options: str | None, parameters: dict[str, tuple[str, ...]]):
    spec = PassFlag("set-arch", options).spec(BSC_UNIVERSE.all_passes)
    assert spec.parameters == parameters


@pytest.mark.parametrize("options", ["", " ", "{", "a=", "{a=1},cse", "a=1}", "{a=1}}"])
def test_malformed_options(options: str):
    with pytest.raises(BscError):
        PassFlag("set-arch", options).spec(BSC_UNIVERSE.all_passes)


@pytest.mark.parametrize(
    "argv",
    [
        ["--set-arc", "m.mlir"],
        ["-p", "set-arc", "m.mlir"],
        ["-p", "cse", "--cse", "m.mlir"],
        ["--set-arch=arch=1", "m.mlir"],
        ["--set-arch=", "m.mlir"],
        ["-t", "asm", "m.mlir"],
        ["-t", "mlir{", "m.mlir"],
        ["--print-ir-after", "nothing", "m.mlir"],
        ["--validate-values=0", "m.mlir"],
        ["m.mlir", "n.mlir"],
        ["m.mlir", ""],
        ["-f", "pb", "m.mlir"],
        ["--time-pass", "m.mlir"],
    ],
)
def test_usage_errors_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert opt.run(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bsc-opt: error: ")
    assert err.count("\n") == 1


def test_user_errors_exit_with_1(module: Path, capsys: pytest.CaptureFixture[str]):
    assert opt.run(["--set-arch=npu9", str(module)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bsc-opt: error: set-arch: unknown arch 'npu9'")
    assert err.count("\n") == 1


def test_traceback_is_for_developers(module: Path):
    with pytest.raises(BscError):
        opt.run(["--set-arch=npu9", str(module), "--traceback"])
    with pytest.raises(UsageError):
        opt.run(["--set-arc=npu9", str(module), "--traceback"])


# Errors of passes ------------------------------------------------------------------------


class FailingPass(ModulePass):
    """Fails in the way that its class variable says."""

    name = "failing"
    how = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        inner = list(op.walk())[1]
        match self.how:
            case "op":
                inner.location = NameLoc(StringAttr("conv1"), UnknownLoc())
                inner.emit_error("too wide", PassFailedException("too wide"))
            case "map":
                raise PassFailedException("conv1: no room\n0x0000-0x1000  conv0")
            case "problems":
                raise BscError("m.onnx: one\nm.onnx: two")
            case "invalid":
                raise VerifyException("a slice\n  is   wrong")
            case "value":
                raise ValueError("mlir-opt is not\navailable")
            case "long":
                raise BscError("x" * 10_000)
            case _:
                inner.detach()
                inner.verify_ = raise_invalid
                op.body.block.add_op(inner)


def raise_invalid() -> None:
    raise VerifyException("it is broken")


class FailingOpt(opt.BscOptMain):
    """bsc-opt, with the failing pass."""

    def register_all_passes(self) -> None:
        super().register_all_passes()
        self.register_pass("failing", lambda: FailingPass)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("op", 'm.mlir:2:3: error: failing: test.op "conv1": too wide\n'),
        (
            "map",
            "bsc-opt: error: failing: conv1: no room\n0x0000-0x1000  conv0\n",
        ),
        (
            "problems",
            "bsc-opt: error: failing: m.onnx: one\nbsc-opt: error: failing: m.onnx: two\n",
        ),
        ("invalid", "bsc-opt: error: failing: a slice is wrong\n"),
        (
            "value",
            "bsc-opt: error: failing: mlir-opt is not available "
            "(ValueError; --traceback shows where)\n",
        ),
        ("after", "m.mlir:2:3: error: after failing: test.op does not verify: it is broken\n"),
    ],
    ids=["op", "map", "problems", "invalid", "value", "after"],
)
def test_errors_of_passes(
    how: str,
    expected: str,
    module: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(FailingPass, "how", how)
    monkeypatch.setattr(opt, "BscOptMain", FailingOpt)
    module.write_text('builtin.module {\n  "test.op"() : () -> ()\n}\n')
    monkeypatch.chdir(module.parent)
    assert opt.run(["--failing", "m.mlir"]) == 1
    assert capsys.readouterr() == ("", expected)


def test_a_long_line_is_cut(
    module: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(FailingPass, "how", "long")
    monkeypatch.setattr(opt, "BscOptMain", FailingOpt)
    module.write_text('"test.op"() : () -> ()')
    assert opt.run(["--failing", str(module)]) == 1
    assert len(capsys.readouterr().err) < 1100


def test_a_string_without_end_is_an_error_at_once(
    module: Path, capsys: pytest.CaptureFixture[str]
):
    module.write_text('"test.op"() {a = "' + "x " * 5000 + "} : () -> ()\n")
    assert opt.run([str(module)]) == 1
    assert ":1:18: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "array<i7: 1>",
        "array<i64: 9223372036854775808>",
        '#bsw.payload<base64 "é">',
        "1 : i99999999",
    ],
)
def test_odd_texts_are_errors_of_the_text(
    text: str, module: Path, capsys: pytest.CaptureFixture[str]
):
    module.write_text(f'"test.op"() {{a = {text}}} : () -> ()\n')
    code = opt.run([str(module)])
    assert code == 0 or f"{module}:1:" in capsys.readouterr().err


# Files -----------------------------------------------------------------------------------


def test_the_output_appears_only_on_success(module: Path):
    out = module.with_name("out.mlir")
    assert opt.run([str(module), "--set-arch=npu9", "-o", str(out)]) == 1
    assert [p.name for p in module.parent.iterdir()] == ["m.mlir"]
    out.write_text("old")
    assert opt.run([str(module), "--set-arch=npu9", "-o", str(out)]) == 1
    assert out.read_text() == "old"
    assert opt.run([str(module), "-o", str(out)]) == 0
    assert out.read_text() == EMPTY
    assert sorted(p.name for p in module.parent.iterdir()) == ["m.mlir", "out.mlir"]


def test_an_onnx_model_is_imported_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seen: list[str] = []

    def import_onnx(path: str) -> SimpleNamespace:
        seen.append(path)
        return SimpleNamespace(module=ModuleOp([]))

    monkeypatch.setattr(bsc.frontend, "import_onnx", import_onnx)
    model = tmp_path / "m.onnx"
    model.write_bytes(b"")
    assert opt.run([str(model), "--set-arch=npu1"]) == 0
    assert seen == [str(model)]
    assert '#dataflow.arch<"npu1">' in capsys.readouterr().out


# In processes of their own ---------------------------------------------------------------


def script(name: str, *args: str, cwd: Path, text: str | None = None):
    """Run a console script of this environment."""
    command = [str(Path(sys.executable).with_name(name)), *args]
    return subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True)


def test_stock_xdsl_opt_has_our_passes_anywhere(module: Path):
    done = script("xdsl-opt", "-p", "set-arch{arch=npu1}", str(module), cwd=Path("/"))
    assert done.returncode == 0, done.stderr
    assert '#dataflow.arch<"npu1">' in done.stdout


def test_bsc_opt_reads_and_writes_streams(tmp_path: Path):
    done = script("bsc-opt", "--set-arch=npu1", "-", cwd=tmp_path, text=EMPTY)
    assert done.returncode == 0, done.stderr
    assert '#dataflow.arch<"npu1">' in done.stdout
    again = script("bsc-opt", cwd=tmp_path, text=done.stdout)
    assert again.stdout == done.stdout


def test_a_reader_that_leaves_is_no_error(tmp_path: Path):
    big = tmp_path / "big.mlir"
    big.write_text('"test.op"() : () -> ()\n' * 20_000)
    command = f"{Path(sys.executable).with_name('bsc-opt')} {big} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == "builtin.module {\n"
    assert done.stderr == ""


def test_start_up_imports_little(module: Path):
    code = (
        "import sys; from bsc.tools import opt; opt.run([sys.argv[1]]);"
        "print(*(m for m in ('numpy', 'onnx', 'bsc.interpreter') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(module)], capture_output=True, text=True
    )
    assert done.stdout == EMPTY + "\n", done.stderr
