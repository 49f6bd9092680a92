"""`bsc-opt --help` and `--list-passes`.

The passes tell about themselves: their first line of documentation and their options are
read from the classes.  Only these two options import every pass.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from xdsl.passes import ModulePass, get_pass_option_infos

from bsc.errors import BscError
from bsc.pipelines import NAMED_PIPELINES, PassTable, find_pass
from bsc.universe import PASS_NAMES

_INTRODUCTION = """\
usage: bsc-opt [--PASS[=OPTIONS] ...] [options] [FILE.mlir | FILE.onnx]

Runs passes over a module, in the order in which they are given, and prints the result.
Without FILE, or with -, the module is read from stdin.

examples:
  bsc-opt --split-width --alloc-memtile model.mlir      two passes, in this order
  bsc-opt model.onnx --set-arch=npu1 -o model.mlir      options of a pass: a bare value is its
  bsc-opt --set-arch=mine.toml model.onnx               first option, or name=value pairs in
  bsc-opt --select-subvolume="rows=4 cout=16" m.mlir    quotes, or {name=value} as in xDSL
  bsc-opt -p 'set-arch{arch=npu1},bsc-compile' m.mlir   the same as one text
  bsc-opt --bsc-compile --time-passes model.onnx        a named pipeline
  bsc-opt --split-width --validate-values=3 model.onnx  the same values before and after

errors: one line on stderr; exit code 1, or 2 for a command line that makes no sense.

weights: payloads of more than 4096 bytes stay out of the text.  With -o out.mlir they go to
out.weights.bin beside it; on stdout, to STEM.weights.bin in the current directory, STEM
being that of the input (a note on stderr says so; a file of that name with other content
is kept, and the new one named after its hash).  Nothing is written if there is nothing
large, if the payload's file lies in or below the folder of the output, or if the file is
there already with the same content.
"""


def add_help(parser: argparse.ArgumentParser, available: PassTable) -> None:
    """Add `--help` and `--list-passes`; the parser's conflict handler is "resolve"."""

    def full_help(p: argparse.ArgumentParser) -> str:
        p.description = f"{_INTRODUCTION}\n{_our_passes(available)}\n{_pipelines()}"
        return p.format_help()

    def all_passes(p: argparse.ArgumentParser) -> str:
        others = "\n".join(
            _line(name, available) for name in sorted({*available} - {*PASS_NAMES})
        )
        return f"{_our_passes(available)}\n{_pipelines()}\npasses of xDSL:\n{others}\n"

    add = parser.add_argument_group("information").add_argument
    add("-h", "--help", action=_PrintAction, text=full_help, help="show this help")
    add("--list-passes", action=_PrintAction, text=all_passes,
        help="list all passes, those of xDSL too")  # fmt: skip


class _PrintAction(argparse.Action):
    """An option that prints a text and ends the program."""

    def __init__(
        self, *args: Any, text: Callable[[argparse.ArgumentParser], str], **kwargs: Any
    ):
        super().__init__(*args, nargs=0, **kwargs)
        self.text = text

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        sys.stdout.write(self.text(parser))
        parser.exit()


def _our_passes(available: PassTable) -> str:
    lines = "\n".join(_line(name, available) for name in PASS_NAMES)
    return (
        f"passes of bsc, with their options and defaults (of xDSL's: --list-passes):\n{lines}\n"
    )


def _line(name: str, available: PassTable) -> str:
    try:
        cls = find_pass(name, available)
    except BscError as e:
        return f"  --{name:24}({e})"
    options = ", ".join(
        option.name if option.default_value is None else f"{option.name}={option.default_value}"
        for option in get_pass_option_infos(cls)
    )
    lines = [f"  --{name:24}{summary(cls)}".rstrip()]
    if len(name) > 23:
        lines = [f"  --{name}", f"{'':28}{summary(cls)}"]
    if options:
        lines.append(f"{'':28}options: {options}")
    return "\n".join(line for line in lines if line.strip())


def summary(cls: type[ModulePass]) -> str:
    """The first line of a pass's documentation: its module's if that begins with the flag
    (`--name: …`), else its class's."""
    module = sys.modules[cls.__module__]
    first = next(iter(inspect.cleandoc(module.__doc__ or "").splitlines()), "")
    if first.startswith(f"`--{cls.name}"):
        return first.partition(": ")[2].rstrip(".")
    text = inspect.cleandoc(cls.__doc__ or "")
    # A dataclass without documentation has its own signature for one.
    return "" if text.startswith(f"{cls.__name__}(") else text.partition("\n")[0].rstrip(".")


def _pipelines() -> str:
    lines: list[str] = ["named pipelines:"]
    for name, specs in NAMED_PIPELINES.items():
        text = textwrap.fill(", ".join(specs), 90, break_on_hyphens=False)
        lines += [f"  --{name}", textwrap.indent(text, " " * 6)]
    return "\n".join(lines) + "\n"
