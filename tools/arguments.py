"""The command line of `bsc-opt`: passes as flags, and the options that xDSL lacks.

`bsc-opt --split-width --alloc-memtile m.mlir` cannot be told to argparse: an option with
an optional value takes the file name for its value.  So the pass flags are taken out
first, in order, and argparse sees the rest.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from xdsl.utils.arg_spec import ArgSpec, parse_spec
from xdsl.utils.exceptions import ArgSpecParseError

from bsc.errors import BscError
from bsc.pipelines import PassTable, find_pass, option_types, parse_specs
from bsc.suggest import did_you_mean

PROG = "bsc-opt"

_FLAG = re.compile(r"--([\w-]+)(?:=(.*)|(\{.*\}))?", re.DOTALL)
_VALUE_OPTIONAL = {"--validate-values": "--validate-values=1"}
"""Options of ours that stand alone or with `=value`, never with a separate value."""


class UsageError(BscError):
    """A command line that cannot be understood: exit code 2."""


@dataclass(frozen=True)
class PassFlag:
    """A pass as typed: `--name`, `--name=options` or `--name{options}`."""

    name: str
    options: str | None = None

    def spec(self, available: PassTable) -> ArgSpec:
        """The flag as xDSL's spec of a pass.  Raises BscError if its options are wrong."""
        if self.options is None:
            return ArgSpec(self.name, {})
        if self.options.startswith("{"):
            return _one_spec(f"{self.name}{self.options}")
        if "=" in self.options:
            return _one_spec(f"{self.name}{{{self.options.strip()}}}")
        return self._bare_value(self.options, available)

    def _bare_value(self, text: str, available: PassTable) -> ArgSpec:
        """`--set-arch=npu1`: the value of the pass's first option."""
        if not text.strip():
            raise BscError(f"--{self.name}= lacks its options")
        types = (
            {} if self.name not in available else option_types(find_pass(self.name, available))
        )
        if not types:
            raise BscError(f"{self.name} takes no options, not '{text}'")
        first, hint = next(iter(types.items()))
        if hint is str:
            # As typed: a path needs no quotes, and 4 is a name if a name is asked for.
            return ArgSpec(self.name, {first: (text,)})
        return _one_spec(f"{self.name}{{{first}={text}}}")


def _one_spec(text: str) -> ArgSpec:
    specs = parse_specs(text)
    if len(specs) != 1:
        raise BscError(f"'{text}' is more than one pass")
    return specs[0]


def split_pass_flags(
    argv: Iterable[str], names: Collection[str]
) -> tuple[list[str], list[PassFlag]]:
    """What is left of `argv` for argparse, and the flags that name a pass, both in order."""
    rest: list[str] = []
    flags: list[PassFlag] = []
    tokens = iter(argv)
    for token in tokens:
        match = _FLAG.fullmatch(token)
        if token == "--":
            rest += [token, *tokens]
        elif match and match[1] in names:
            flags.append(PassFlag(match[1], match[2] if match[3] is None else match[3]))
        else:
            rest.append(_VALUE_OPTIONAL.get(token, token))
    return rest, flags


def read_arch_file(spec: ArgSpec) -> ArgSpec:
    """`set-arch` with a TOML file for a name: the file's text goes with it, because a pass
    reads no files.  Raises BscError if the file cannot be read."""
    arch = spec.parameters.get("arch", ("",))
    if spec.name != "set-arch" or len(arch) != 1 or not str(arch[0]).endswith(".toml"):
        return spec
    path = str(arch[0])
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise BscError(f"{path}: cannot read the arch file: {reason}") from e
    return ArgSpec(spec.name, {**spec.parameters, "toml": (text,)})


def add_options(parser: argparse.ArgumentParser, targets: Collection[str]) -> None:
    """Add our options, and put ours in the place of xDSL's where those fall short."""
    parser.prog = PROG
    parser.usage = argparse.SUPPRESS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.allow_abbrev = False
    # Seen by the groups made from here on: their options replace those of the same name.
    parser.conflict_handler = "resolve"

    add = parser.add_argument_group("passes and output").add_argument
    add("-t", "--target", default="mlir", type=_target(targets), metavar="TARGET",
        help=f"what to print (default: mlir), one of {', '.join(sorted(targets))}; "
        "options in braces")  # fmt: skip
    add("-p", "--passes", default="", metavar="PIPELINE",
        help="passes and named pipelines, `a,b{x=1 y=2}`; instead of pass flags")  # fmt: skip
    add("-o", "--output-file", metavar="FILE",
        help="write to FILE, once all has gone well (default: stdout)")  # fmt: skip

    flag = parser.add_argument_group("looking inside").add_argument
    flag("--validate-values", type=_count, default=0, metavar="[=N]",
         help="run the reference interpreter on N random inputs (default: 1) before the first "
         "pass and after each pass, and compare every result")  # fmt: skip
    flag("--time-passes", action="store_true", help="print the time of each pass on stderr")
    flag("--print-between-passes", action="store_true",
         help="print the IR on stderr after every pass but the last")  # fmt: skip
    flag("--print-ir-before", action="append", default=[], metavar="PASS",
         help="print the IR on stderr before each run of PASS; may be repeated")  # fmt: skip
    flag("--print-ir-after", action="append", default=[], metavar="PASS",
         help="the same after each run of PASS")  # fmt: skip
    flag(
        "--print-ir-after-all",
        action="store_true",
        help="the same after every pass, the last one too",
    )
    flag("--traceback", action="store_true",
         help="show the Python traceback of an error, for developers")  # fmt: skip


def _target(names: Collection[str]) -> Callable[[str], str]:
    """An argparse type: the spec of a target, which must be one of `names`."""

    def check(text: str) -> str:
        try:
            name = parse_spec(text).name
        except ArgSpecParseError:
            raise argparse.ArgumentTypeError(
                f"'{text}' is not of the form name{{x=1}}"
            ) from None
        if name not in names:
            choices = f" (choose from {', '.join(sorted(names))})"
            hint = did_you_mean(name, names)
            raise argparse.ArgumentTypeError(f"unknown target '{name}'{hint}{choices}")
        return text

    return check


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1, not '{text}'")
    return int(text)


def raise_usage_errors(parser: argparse.ArgumentParser, names: Collection[str]) -> None:
    """Let the parser raise UsageError, in one line, with a hint for a mistyped name."""

    def fail(message: str) -> NoReturn:
        _, unrecognized, text = message.partition("unrecognized arguments: ")
        if unrecognized:
            message = f"'{text}' is one file too many (options of a pass: --pass=options)"
            if text.startswith("-"):
                token = text.split()[0]
                name = token.lstrip("-").partition("=")[0].partition("{")[0]
                known = {*names, *re.findall(r"--([a-z][\w-]*)", parser.format_help())}
                message = f"unknown pass or option '{token}'{did_you_mean(name, known)}"
        raise UsageError(message)

    parser.error = fail
