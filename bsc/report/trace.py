"""`trace.json`: an event simulation in the Chrome trace event format, which Perfetto opens.

The format is that of the "Trace Event Format" document of the Chromium project: a process
is a program, a thread is a channel, link or core, and a complete event ("X") is an
operation, in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bsc.asm.program import Instr, Layer, Program
from bsc.cost.work import work_of
from bsc.sim.channels import Channel
from bsc.sim.timeline import Times

MOST_OPERATIONS = 50_000
"""Of a program with more operations, neighbouring ones of one instruction on one channel
become one event, so that the file stays in the megabytes."""


class Slice(NamedTuple):
    """Operations of one instruction that follow each other on one channel, as one event."""

    instr: Instr
    part: int
    first: int
    """The first of the iterations."""
    iterations: int
    start_s: float
    end_s: float
    busy_s: float
    """Of the time from start to end, what the channel works and does not wait."""


def trace_record(
    program: Program, times: Times, name: str, most: int = MOST_OPERATIONS
) -> dict[str, Any]:
    """The content of `trace.json`: one process with a thread for each channel."""
    merged = times.order.operations - 1 > most
    threads = {channel: tid for tid, channel in enumerate(times.order.channels, start=1)}
    events = [_named("process_name", 0, name)]
    for channel, tid in threads.items():
        events.append(_named("thread_name", tid, str(channel)))
    described = _described(program)
    slices = list(_slices(times))
    for piece in _merged(slices) if merged else slices:
        tid = threads[Channel(piece.instr.spec.engine, piece.part)]
        events.append(_event(piece, tid, described[piece.instr.line]))
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


def _described(program: Program) -> Mapping[int, dict[str, Any]]:
    """What each instruction, by its line, tells of itself."""
    found: dict[int, dict[str, Any]] = {}
    layer = ""
    for item in program.body:
        if isinstance(item, Layer):
            layer = item.full_name
        elif isinstance(item, Instr):
            found[item.line] = {
                "line": item.line,
                "layer": layer,
                "bytes": work_of(item, program.arch).bytes,
                "locks": lock_words(item),
            }
    return found


def _slices(times: Times) -> Iterator[Slice]:
    """Every operation, channel by channel in the order of the text."""
    start, end = times.start_s.tolist(), times.end_s.tolist()
    for channel in times.order.channels:
        for step in times.order.by_engine[channel.engine]:
            at = step.first + channel.part
            seconds = start[at], end[at], end[at] - start[at]
            yield Slice(step.instr, channel.part, step.iteration, 1, *seconds)


def _merged(slices: list[Slice]) -> Iterator[Slice]:
    """Neighbours of one instruction on one channel as one."""
    current = slices[0]
    for piece in slices[1:]:
        if piece.instr is current.instr and piece.part == current.part:
            current = current._replace(
                iterations=current.iterations + 1,
                end_s=piece.end_s,
                busy_s=current.busy_s + piece.busy_s,
            )
        else:
            yield current
            current = piece
    yield current


def _event(piece: Slice, tid: int, described: dict[str, Any]) -> dict[str, Any]:
    last = piece.first + piece.iterations - 1
    args = {**described, "iteration": piece.first}
    if last > piece.first:
        args |= {"last_iteration": last, "busy_us": round(piece.busy_s * 1e6, 3)}
    # Whole nanoseconds, so that the next event does not start before this one ends.
    start, end = round(piece.start_s * 1e9), round(piece.end_s * 1e9)
    return {
        "ph": "X",
        "pid": 1,
        "tid": tid,
        "name": piece.instr.mnemonic,
        "ts": start / 1e3,
        "dur": (end - start) / 1e3,
        "args": args,
    }
