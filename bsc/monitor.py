"""What happens between two passes: verify, time, dump, validate by value.

`PassMonitor` is the one callback that `bsc-opt`, the driver and the Python API give to a
pipeline.  It also knows, when something fails, in which pass that was.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass, PassPipelineCallbackType
from xdsl.printer import Printer


@dataclass(frozen=True)
class DumpPoints:
    """Where to print the IR on stderr: before and after passes of these names, after every
    pass but the last (`between`), or after every pass (`after_all`)."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    between: bool = False
    after_all: bool = False

    def titles(self, previous: ModulePass | None, following: ModulePass | None) -> list[str]:
        """The titles of the dumps wanted at this point; usually none."""
        titles: list[str] = []
        if previous is not None and (
            self.after_all
            or previous.name in self.after
            or (self.between and following is not None)
        ):
            titles.append(f"after {previous.name}")
        if following is not None and following.name in self.before:
            titles.append(f"before {following.name}")
        return titles


@dataclass
class PassMonitor:
    """A `PassPipeline` callback; each of its parts is optional."""

    verify: bool = True
    validator: PassPipelineCallbackType | None = None
    dumps: DumpPoints = DumpPoints()

    stage: str = field(default="", init=False)
    """What runs now, for messages: `split-width`, or `after split-width` while its result
    is checked."""

    seconds: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    """Each pass that ran and how long it took, the checks not counted."""

    other_seconds: dict[str, float] = field(default_factory=dict[str, float])
    """What else took time: `verify`, `validate`, and what `measure` was given (`bsc-opt`
    gives it `parse` and `print`)."""

    _started: float = field(default=0.0, init=False, repr=False)

    def __call__(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called by the pipeline before the first pass and after each pass."""
        self.stage = ""
        if previous is not None:
            self.seconds.append((previous.name, time.perf_counter() - self._started))
            self.stage = f"after {previous.name}"
        if self.verify:
            with self.measure("verify"):
                module.verify()
        for title in self.dumps.titles(previous, following):
            dump(module, title)
        if self.validator is not None:
            with self.measure("validate"):
                self.validator(previous, module, following)
        self.stage = following.name if following is not None else ""
        self._started = time.perf_counter()

    @contextmanager
    def measure(self, what: str) -> Generator[None]:
        """Count the time that the body takes as `what`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.other_seconds[what] = self.other_seconds.get(what, 0.0) + spent

    def timing_table(self) -> str:
        """The time of parsing, of each pass, and of the rest, in ms and as a share."""
        others = dict(self.other_seconds)
        first = [("parse", others.pop("parse"))] if "parse" in others else []
        return format_timings([*first, *self.seconds, *others.items()])


def format_timings(rows: Sequence[tuple[str, float]]) -> str:
    """A table of (name, seconds), with the total."""
    total = sum(seconds for _, seconds in rows)
    width = max(len(name) for name, _ in (*rows, ("total", 0.0)))
    lines = [f"{'':{width}}  {'ms':>10}  {'share':>6}"]
    for name, seconds in (*rows, ("total", total)):
        share = 100 * seconds / total if total else 0.0
        lines.append(f"{name:{width}}  {1000 * seconds:10.2f}  {share:5.1f}%")
    return "\n".join(lines)


def dump(module: ModuleOp, title: str) -> None:
    """Print the module on stderr under a title, large payloads by their hash only."""
    print(f"// IR {title}:", file=sys.stderr)
    _DumpPrinter(stream=sys.stderr).print_op(module)
    print("\n", file=sys.stderr)


class _DumpPrinter(Printer):
    """Prints what a sidecar file would hold as a hash: a dump writes no files, and tens of
    megabytes of base64 help nobody."""

    def print_attribute(self, attribute: Attribute) -> None:
        # By name: a module without weights should not cost the import of numpy.
        if attribute.name == "bsw.payload":
            from bsc.sidecar import is_large, payload_of

            if is_large(payload := payload_of(attribute)):
                self.print_string(f'#bsw.payload<sha256 "{payload.digest}", ')
                self.print_string(f"size {payload.size}, not in the text>")
                return
        super().print_attribute(attribute)
