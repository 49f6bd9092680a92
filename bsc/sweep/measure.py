"""What a sweep wants to know of one program: time, traffic, memory, and if asked for, whether
its values are onnxruntime's.

`features_s` is what the paper counts: convolutions, pooling and the additions between them,
everything up to the first fully connected layer.  ResNet-50 ends at its average pool, VGG16
has 13 convolutions and the pools.  It is the time at which the layer before the first dense
one is done (its spills and changes of distribution are its own), or all the time if there is
none.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx
import threadpoolctl
from xdsl.utils.exceptions import DiagnosticException, ParseError

from bsc.api import compile
from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Program
from bsc.checking import check as check_values
from bsc.compiled import Compiled
from bsc.cost.network import NetworkCost
from bsc.errors import BscError
from bsc.monitor import PassMonitor
from bsc.report.outcome import difference_lines
from bsc.report.record import sums
from bsc.view.residence import Residence, Span, cut_at_end, residences

_DENSE = "dense"
_LONGEST = 300


@dataclass(frozen=True)
class Times:
    """The seconds of a program by the rules of one timing."""

    total_s: float
    lower_bound_s: float
    features_s: float


@dataclass(frozen=True)
class Measured:
    """What is known of one program."""

    timings: dict[str, Times]
    ddr_read_bytes: int
    ddr_write_bytes: int
    peak_memtile_bytes: int
    """The most bytes of a memtile that hold something that is still to be read."""
    equal_tensors: int | None = None
    """The quantized tensors of the model, all equal to onnxruntime's, if they were checked."""


@dataclass(frozen=True)
class Refused:
    """Why there is no program, in one line."""

    reason: str


def measure(model: Path | bytes, arch: Arch, check: bool = False) -> Measured | Refused:
    """Compile a model, in a file or as its bytes, for a machine; writes nothing.

    With `check` the program is also run on a random input, and all quantized tensors of the
    model are compared with onnxruntime's.

    Takes one core: BLAS is told to use no threads of its own, as the other cores have cells
    of theirs.
    """
    monitor = PassMonitor(verify=False)
    source = onnx.ModelProto.FromString(model) if isinstance(model, bytes) else model
    try:
        with threadpoolctl.threadpool_limits(1):
            compiled = compile(source, arch, monitor=monitor)
            monitor.stage = "check"
            equal = _equal_tensors(source, compiled) if check else None
    except (BscError, DiagnosticException, ParseError, OSError, MemoryError) as e:
        return Refused(": ".join(part for part in (monitor.stage, one_line(e)) if part))
    return measured(compiled, equal)


def measured(compiled: Compiled, equal_tensors: int | None = None) -> Measured:
    """What is known of a program that somebody has compiled."""
    totals = sums(compiled.cost.layers)
    return Measured(
        {
            name: Times(cost.total_s, cost.lower_bound_s, features_s(cost))
            for name, cost in compiled.costs.items()
        },
        totals["ddr_read_bytes"],
        totals["ddr_write_bytes"],
        peak_memtile_bytes(parse_program(compiled.program)),
        equal_tensors,
    )


def _equal_tensors(model: Path | onnx.ModelProto, compiled: Compiled) -> int:
    """How many tensors were compared.  Raises BscError if one is not equal."""
    result = check_values(model, compiled, every_tensor=True)
    if not result.ok:
        raise BscError(difference_lines(result)[0])
    return len(result.tensors)


def one_line(error: BaseException) -> str:
    """What an error says, in one line of a length that a table can hold."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][:_LONGEST]}…"


def features_s(cost: NetworkCost) -> float:
    """Seconds until the first dense layer may begin."""
    return next((x.start_s for x in cost.layers if x.op == _DENSE), cost.total_s)


def peak_memtile_bytes(program: Program) -> int:
    """The most bytes of one memtile that are in use at once, the program run in text order.

    A byte is in use from the instruction that first writes its tensor or weights to the last
    one that reads them.
    """
    order = {id(instr): n for n, instr in enumerate(program.instructions())}

    def when(instr: Instr, column: int) -> Span:
        return order[id(instr)], order[id(instr)] + 1

    size, peak = program.arch.memtile_bytes, 0
    live: list[Residence] = []
    for new in sorted(residences(program, when), key=lambda r: r.start_s):
        live = [there for there in live if there.end_s > new.start_s]
        live.append(new)
        peak = max(peak, _covered(live, size))
    return peak


def _covered(live: Iterable[Residence], size: int) -> int:
    """Bytes of a memtile in any of some residences, those in several counted once."""
    ranges: list[tuple[int, int]] = []
    for there in live:
        for lo, hi in cut_at_end(there.lo % size, there.lo % size + there.hi - there.lo, size):
            insort(ranges, (lo, hi))
    total = end = 0
    for lo, hi in ranges:
        total += max(0, hi - max(lo, end))
        end = max(end, hi)
    return total
