"""Writes docs/passes.md, from what the passes say of themselves and from what they do.

    python test/passes_page.py

Prose and prerequisites are the docstrings of the passes, tables of options their fields.  The
IR before and after is made by the first RUN line of the pass's FileCheck test, so that no
example on the page is one that a pass would not give.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from xdsl.passes import ModulePass

from bsc.options import option_of
from bsc.pipelines import NAMED_PIPELINES
from bsc.tools.help import summary
from bsc.tools.opt import run
from bsc.universe import BSC_UNIVERSE, PASS_NAMES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "passes.md"
TESTS = ROOT / "test" / "filecheck" / "passes"
_WIDTH = 96
_OWN_MACHINE = ("set-arch", "verify-dataflow")
"""Passes whose tests say which machine they are for."""

INTRODUCTION = """\
# The passes

A pass works alone on any module that has what it needs, and says which pass to run first
where it does not. Passes are flags of `bsc-opt`, and run in the order in which they are
typed:

```
bsc-opt --split-width --alloc-memtile model.mlir
bsc-opt --split-width=factor=2 --alloc-memtile="capacity=262144 strict=true" model.onnx
```

The first option may be given as a bare value (`--split-width=2`). An option that cannot have
the value it is given is told in one line, before anything runs. `--validate-values` runs the
reference interpreter before and after each pass on tensors, and compares every value;
`--print-ir-after=PASS` shows the IR in between.

The examples below are real runs, with the machine already in the module. Lines that a pass
leaves as they are stand as `…`.

*This page is written by `python test/passes_page.py`; a test tells when it is out of date.*
"""

EMBEDDING = '''\
## Passes in another compiler

The passes, the dialects and the target `bsc-asm` are registered under xDSL's entry point
`xdsl.universe`. Wherever `bsc` is installed, stock `xdsl-opt` knows them, with xDSL's form of
options:

```
xdsl-opt -p 'set-arch{arch=npu1},split-width{factor=2},alloc-memtile' model.mlir
```

So does any tool that subclasses `xDSLOptMain`. In Python a pass is a frozen dataclass, its
options are the fields:

```python
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import PassPipeline

from bsc.passes.alloc_memtile import AllocMemtilePass
from bsc.passes.split_width import SplitWidthPass


def place(ctx: Context, module: ModuleOp) -> None:
    """Somebody else's pipeline, with two of our passes in it."""
    PassPipeline((SplitWidthPass(factor=2), AllocMemtilePass())).apply(ctx, module)
```

Passes raise `xdsl.utils.exceptions.PassFailedException` for a module that they cannot work
on, `bsc.errors.BscError` for an option. `bsc.pipelines` makes the passes of a named pipeline,
and runs them; with `bsc.monitor.PassMonitor` as a callback, timings and dumps are those of
`bsc-opt`:

```python
from xdsl.dialects.builtin import ModuleOp

from bsc.codegen import build_program
from bsc.passes.set_arch import SetArchPass
from bsc.pipelines import pipeline, run_passes


def compile_for(module: ModuleOp, arch: str) -> int:
    """The number of instructions of a network on a machine."""
    run_passes(module, [SetArchPass(arch), *pipeline("bsc-compile")])
    return len(build_program(module).body)
```
'''


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, _pipelines()]
    parts += [_section(BSC_UNIVERSE.all_passes[name]()) for name in PASS_NAMES]
    return "\n".join([*parts, EMBEDDING])


def _pipelines() -> str:
    lines = ["## The pipeline\n"]
    for name, specs in NAMED_PIPELINES.items():
        lines += [
            f"`--{name}` is what `bsc compile` runs. In `bsc-opt` the name stands for these",
            "passes, so that each can be timed, dumped and validated:\n",
            "| pass | what it does |",
            "|---|---|",
        ]
        lines += [
            f"| [`--{each}`](#--{each}) | {summary(BSC_UNIVERSE.all_passes[each]())} |"
            for each in specs
        ]
    return "\n".join(lines) + "\n"


def _section(cls: type[ModulePass]) -> str:
    title, _, text = inspect.cleandoc(sys.modules[cls.__module__].__doc__ or "").partition("\n")
    meaning = title.partition(": ")[2]
    lines = [f"## `--{cls.name}`\n", f"{meaning[0].upper()}{meaning[1:]}", text.rstrip(), ""]
    return "\n".join([*lines, *_options(cls), *_example(cls.name)])


def _options(cls: type[ModulePass]) -> Iterator[str]:
    """A table of the options; nothing for a pass without any."""
    if not fields(cls):
        return
    yield "| option | default | can be | meaning |\n|---|---|---|---|"
    for f in fields(cls):
        known = option_of(cls, f.name)
        assert known is not None
        shown = {"None": "none", "False": "false"}.get(str(f.default), str(f.default))
        yield f"| `{f.name}` | {shown} | {known.values} | {known.text} |"
    yield ""


def _example(name: str) -> Iterator[str]:
    """Before and after, of the first RUN line of the pass's test."""
    path = TESTS / f"{name}.mlir"
    flags = run_line(path)
    # A pass writes the machine down if nobody has; told before, it is no change.
    machine = [] if name in _OWN_MACHINE else ["--set-arch"]
    before, after = _changed(
        _printed([*machine, *flags[:-1]], path), _printed([*machine, *flags], path)
    )
    if after:
        yield f"Example: before `{flags[-1]}`\n\n```mlir\n{before}\n```\n\nand after\n"
        yield f"```mlir\n{after}\n```\n\nas given by\n\n```"
        yield _filled(shlex.join(["bsc-opt", *flags, path.name]), 90)
        yield "```\n"
    found = sorted(TESTS.glob(f"{name}*.mlir"), key=lambda p: p.stem)
    yield "Tests to learn it from:"
    links = [f"[{p.stem}](../{p.relative_to(ROOT)})" for p in found]
    yield ",\n".join(links) + ".\n"


def run_line(path: Path) -> list[str]:
    """The passes in the first RUN line of a test."""
    text = re.sub(r"\\\n// RUN: *", "", path.read_text(encoding="utf-8"))
    found = re.search(r"// RUN: bsc-opt (.*?) %s", text)
    assert found is not None
    return [f for f in shlex.split(found[1]) if not f.startswith("--validate-values")]


def _printed(flags: list[str], path: Path) -> list[str]:
    """What `bsc-opt` prints, without the payloads of weights."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run([*flags, str(path)]) == 0
    return re.sub(r'base64 "[^"]*"', 'base64 "…"', out.getvalue()).rstrip().splitlines()


def _changed(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, folded; … for those that do not."""
    old: list[str] = []
    new: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        for shown, lines in ((old, before[i:j]), (new, after[k:m])):
            shown += ["…"] if tag == "equal" else [_filled(line, _WIDTH) for line in lines]
    same = before == after
    return ("", "") if same else ("\n".join(old), "\n".join(new))


def _filled(line: str, width: int) -> str:
    """A line in several, those that follow further to the right."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
