"""From an exception to one line on stderr.

    model.mlir:12:8: error: after split-width: qnn.conv2d "conv1" does not verify: …
    bsc-opt: error: set-arch: unknown arch 'npu9': give one of …

xDSL's own report of a module that does not verify is the whole module.  The operation that
it is about is known only to `Operation.emit_error`, from which it is taken here.
"""

from __future__ import annotations

import sys
import traceback

from xdsl.ir import Operation
from xdsl.utils.exceptions import DiagnosticException, ParseError, VerifyException

from bsc.errors import BscError
from bsc.tools.locations import Locations

USER_ERRORS = (
    BscError,
    ParseError,
    DiagnosticException,
    OSError,
    RecursionError,
    MemoryError,
    # xDSL's passes and targets raise these for what they do not support or do not find.
    ImportError,
    NotImplementedError,
    ValueError,
)
"""What a mistake in the input raises; anything else is a mistake in the program."""

INTERRUPTED = 130
"""The exit code that shells give to what Ctrl-C ended."""

_LONGEST_LINE = 1000
"""A message may quote an attribute, and an attribute may be megabytes long."""


def flush_output() -> None:
    """Write what stdout still holds, unless it was closed before we were started."""
    if sys.stdout is not None:
        sys.stdout.flush()


def describe(
    error: BaseException, prog: str, stage: str = "", locations: Locations | None = None
) -> str:
    """The message for one of `USER_ERRORS`, raised during `stage` (a pass, or nothing).

    One line; a BscError has one for each of its problems, and a pass may add lines that
    explain (the memory map of a failed allocation).
    """
    where, text = _place_and_text(error, locations)
    prefix = f"{where or prog}: error: {f'{stage}: ' if stage else ''}"
    if isinstance(error, BscError):
        text = text.replace("\n", f"\n{prefix}")
    lines = f"{prefix}{text}".splitlines()
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines
    )


def _place_and_text(
    error: BaseException, locations: Locations | None
) -> tuple[str | None, str]:
    match error:
        case ParseError():
            return str(error.span.get_location()), _flat(error.msg)
        case DiagnosticException():
            return _about_operation(error, locations)
        case OSError():
            file = f"{error.filename}: " if error.filename is not None else ""
            return None, f"{file}{error.strerror or error}"
        case RecursionError():
            return None, "the input is nested too deeply"
        case MemoryError():
            return None, f"not enough memory: {error}".rstrip(": ")
        case ImportError() | NotImplementedError() | ValueError():
            kind = type(error).__name__
            return None, f"{_flat(str(error))} ({kind}; --traceback shows where)"
        case _:
            return None, str(error)


def _about_operation(
    error: DiagnosticException, locations: Locations | None
) -> tuple[str | None, str]:
    text = _flat(str(error)) if isinstance(error, VerifyException) else str(error)
    if (op := failing_operation(error)) is None:
        return locations.reached if locations is not None else None, text
    verb = " does not verify" if isinstance(error, VerifyException) else ""
    where = locations.of(op) if locations is not None else None
    return where, f"{_title(op)}{verb}: {text}"


def failing_operation(error: BaseException) -> Operation | None:
    """The operation for which `Operation.emit_error` raised `error`, if it did."""
    found: Operation | None = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is Operation.emit_error.__code__:
            found = frame.f_locals["self"]
    return found


def _title(op: Operation) -> str:
    from bsc.dialects.slices import location_name  # numpy, wanted only now

    name = location_name(op.location)
    return op.name if name is None else f'{op.name} "{name}"'


def _flat(text: str) -> str:
    """One line of a message that xDSL lays out in several."""
    return " ".join(text.split())
