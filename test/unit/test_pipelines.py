"""Pipelines: names, specs, options, and what the monitor tells of a run."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.passes import ModulePass

from bsc.errors import BscError
from bsc.monitor import DumpPoints, PassMonitor, format_timings
from bsc.passes.set_arch import SetArchPass
from bsc.pipelines import (
    NAMED_PIPELINES,
    PassTable,
    collector_paused,
    parse_specs,
    pipeline,
    resolve,
    run_passes,
)
from bsc.universe import PASS_NAMES


@dataclass(frozen=True)
class NotePass(ModulePass):
    """Leaves its options in the module."""

    name = "note"

    text: str = "x"
    count: int | None = None
    sizes: tuple[int, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.text == "slow":
            assert not gc.isenabled()
        op.attributes[f"note.{self.text}"] = UnitAttr()


@dataclass(frozen=True)
class StrictPass(ModulePass):
    """Has a required option, and refuses a negative one."""

    name = "strict"

    depth: int

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise BscError(f"depth must not be negative: {self.depth}")

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        raise NotImplementedError


TABLE: PassTable = {"note": lambda: NotePass, "strict": lambda: StrictPass}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("note", NotePass()),
        ("note{text=y count=3}", NotePass("y", 3)),
        ("note{sizes=1,2,3}", NotePass(sizes=(1, 2, 3))),
        ("note{sizes=4}", NotePass(sizes=(4,))),
        ("note{count}", NotePass(count=None)),
        ("strict{depth=1}", StrictPass(1)),
    ],
)
def test_resolve(text: str, expected: ModulePass):
    assert resolve(parse_specs(text), TABLE) == (expected,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "unknown pass 'nope'; did you mean 'note'?"),
        ("note{texts=y}", "note: unknown option 'texts'; did you mean 'text'?"),
        ("note{zzz=1}", "note: unknown option 'zzz' (options: text, count, sizes)"),
        ("note{count=y}", "note: option 'count' takes int | None, not y"),
        ("note{text}", "note: option 'text' takes str, not without a value"),
        ("strict", 'strict: strict requires argument "depth"'),
        ("strict{depth=-1}", "strict: depth must not be negative: -1"),
        ("note{", "pipeline 'note{', column 6: Expected argument name here"),
        (
            "note note",
            "pipeline 'note note', column 5: Expected a comma or pass arguments here",
        ),
        ("bsc-compile{a=1}", "in the pipeline bsc-compile: it takes no options"),
        ("bsc-compile", "in the pipeline bsc-compile: unknown pass 'drop-unread'"),
    ],
)
def test_mistakes(text: str, message: str):
    with pytest.raises(BscError) as e:
        resolve(parse_specs(text), TABLE)
    assert str(e.value) == message


def test_a_named_pipeline_is_its_passes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bsc.pipelines.NAMED_PIPELINES", {"twice": ("note{text=a}", "note")})
    assert resolve(parse_specs("twice,note{text=b}"), TABLE) == (
        NotePass("a"),
        NotePass(),
        NotePass("b"),
    )


def test_named_pipelines_name_passes_of_ours_in_their_order():
    for texts in NAMED_PIPELINES.values():
        # Where a pass comes again later, its first place counts.
        names = list(dict.fromkeys(s.name for text in texts for s in parse_specs(text)))
        assert names == sorted(names, key=PASS_NAMES.index)


def test_a_pass_that_cannot_be_imported():
    def factory() -> type[ModulePass]:
        raise ImportError("No module named 'jax'")

    with pytest.raises(BscError, match="the pass 'jit' is not available: No module named"):
        resolve(parse_specs("jit"), {"jit": factory})


def test_unknown_pipeline():
    with pytest.raises(BscError, match="unknown pipeline 'bsc-comp'; did you mean"):
        pipeline("bsc-comp")


def test_run_passes_without_collections():
    module = ModuleOp([])
    run_passes(module, [NotePass("slow"), SetArchPass("npu1")])
    assert set(module.attributes) == {"note.slow", "bsc.arch"}
    assert gc.isenabled()


def test_the_collector_stays_off_if_it_was():
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_monitor_times_every_pass():
    monitor = PassMonitor()
    run_passes(ModuleOp([]), [NotePass("a"), NotePass("b")], monitor)
    assert [name for name, _ in monitor.seconds] == ["note", "note"]
    assert all(seconds > 0 for _, seconds in monitor.seconds)
    assert set(monitor.other_seconds) == {"verify"}
    assert monitor.stage == ""
    lines = monitor.timing_table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["note", "note", "verify", "total"]


def test_the_monitor_knows_the_stage():
    stages: list[str] = []
    monitor = PassMonitor()

    class StagePass(ModulePass):
        name = "stage"

        def apply(self, ctx: Context, op: ModuleOp) -> None:
            stages.append(monitor.stage)

    def check(
        previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        stages.append(monitor.stage)

    monitor.validator = check
    run_passes(ModuleOp([]), [StagePass()], monitor)
    assert stages == ["", "stage", "after stage"]


def test_timings_add_up():
    assert format_timings([("parse", 0.001), ("long-name", 0.003)]).splitlines() == [
        "                   ms   share",
        "parse            1.00   25.0%",
        "long-name        3.00   75.0%",
        "total            4.00  100.0%",
    ]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (DumpPoints(), []),
        (DumpPoints(before=frozenset({"note"})), ["before note"]),
        (DumpPoints(after=frozenset({"note", "other"})), ["after note"]),
        (DumpPoints(after_all=True), ["after set-arch", "after note"]),
        (DumpPoints(between=True), ["after set-arch"]),
    ],
)
def test_dumps(points: DumpPoints, expected: list[str], capsys: pytest.CaptureFixture[str]):
    run_passes(ModuleOp([]), [SetArchPass(), NotePass()], PassMonitor(dumps=points))
    out, err = capsys.readouterr()
    assert out == ""
    titles = [line for line in err.splitlines() if line.startswith("//")]
    assert titles == [f"// IR {title}:" for title in expected]
