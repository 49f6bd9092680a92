"""`trace.json`: the times of a program in the Chrome trace event format, which Perfetto opens.

The format is that of the "Trace Event Format" document of the Chromium project: a process
is a program, a thread is a channel, link or core, and a complete event ("X") is an
operation, in microseconds.  Times are those of `overlap`, which are those of an event
simulation of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from bsc.asm.program import Instr, Layer, Program
from bsc.cost.overlap import Lane
from bsc.cost.work import work_of
from bsc.sim.channels import Channel

MOST_OPERATIONS = 50_000
"""Of a program with more operations, neighbouring ones of one instruction on one channel
become one event, so that the file stays in the megabytes."""


class Slice(NamedTuple):
    """Operations of one instruction that follow each other on one channel, as one event."""

    instr: int
    """Its place among the instructions."""
    first: int
    """The first of the iterations."""
    last: int
    start_s: float
    end_s: float
    busy_s: float
    """Of the time from start to end, what the channel works and does not wait."""


def trace_record(
    program: Program, lanes: Sequence[Lane], name: str, most: int = MOST_OPERATIONS
) -> dict[str, Any]:
    """The content of `trace.json`: one process with a thread for each channel.

    `program` is as its text says it, with the lines.
    """
    merged = sum(lane.start.size for lane in lanes) > most
    channels = [(lane, part) for lane in lanes for part in range(lane.start.shape[1])]
    events = [_named("process_name", 0, name)]
    for tid, (lane, part) in enumerate(channels, start=1):
        events.append(_named("thread_name", tid, str(Channel(lane.engine, part))))
    instrs, described = program.instructions(), _described(program)
    for tid, (lane, part) in enumerate(channels, start=1):
        for piece in _slices(lane, part, merged):
            mnemonic = instrs[piece.instr].mnemonic
            events.append(_event(piece, tid, mnemonic, described[piece.instr]))
    return {
        "displayTimeUnit": "ns",
        "otherData": {"machine": program.arch.name, "merged": merged},
        "traceEvents": events,
    }


def lock_words(instr: Instr) -> str:
    """The locks that an instruction takes and gives, in one line."""
    words = [
        f"{sign}{'|'.join(use.names)}{f'@{use.where}' if use.where else ''}"
        + (f"*{use.amount}" if use.amount != 1 else "")
        for sign, uses in (("-", instr.acquires), ("+", instr.releases))
        for use in uses
    ]
    return " ".join(words)


def _named(what: str, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": 1, "tid": tid, "name": what, "args": {"name": name}}


def _described(program: Program) -> list[dict[str, Any]]:
    """What each instruction tells of itself."""
    found: list[dict[str, Any]] = []
    layer = ""
    for item in program.body:
        if isinstance(item, Layer):
            layer = item.full_name
        elif isinstance(item, Instr):
            found.append(
                {
                    "line": item.line,
                    "layer": layer,
                    "bytes": work_of(item, program.arch).bytes,
                    "locks": lock_words(item),
                }
            )
    return found


def _slices(lane: Lane, part: int, merged: bool) -> Iterator[Slice]:
    """The operations of one channel in the order of the text, each by itself, or neighbours
    of one instruction as one."""
    start, end = lane.start[:, part], lane.end[:, part]
    fresh = np.flatnonzero(np.diff(lane.instr, prepend=-1)) if merged else np.arange(len(start))
    last = np.append(fresh[1:], len(start)) - 1
    columns = (
        lane.instr[fresh],
        lane.iteration[fresh],
        lane.iteration[last],
        start[fresh],
        end[last],
        np.add.reduceat(end - start, fresh),
    )
    yield from map(Slice, *(column.tolist() for column in columns))


def _event(piece: Slice, tid: int, mnemonic: str, described: dict[str, Any]) -> dict[str, Any]:
    args = {**described, "iteration": piece.first}
    if piece.last > piece.first:
        args |= {"last_iteration": piece.last, "busy_us": round(piece.busy_s * 1e6, 3)}
    # Whole nanoseconds, so that the next event does not start before this one ends.
    start, end = round(piece.start_s * 1e9), round(piece.end_s * 1e9)
    return {
        "ph": "X",
        "pid": 1,
        "tid": tid,
        "name": mnemonic,
        "ts": start / 1e3,
        "dur": (end - start) / 1e3,
        "args": args,
    }
