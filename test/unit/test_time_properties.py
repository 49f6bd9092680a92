"""What must hold of the time of any program on any machine, in both simulators and in what
the compiler predicts.

A faster machine is not slower: start = max(…), end = start + duration grows with each
duration.  That is a proof wherever durations depend on nothing but the machine, and so with
one channel from DDR to each memtile, which then serves each kind (activations, weights) at
the same speed whatever the other does.  With more, a kind that is alone has all of them, and
one that is not has its half: durations depend on who meets whom, and a faster machine may
make two transfers meet.  The last test has such a case.  What still holds is a bound: sharing
is never slower than if each kind always had its half and no more.  Where half of the channels
is one channel, that is the machine with one channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest
from exact_times import GHZ
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from layer_times import simulated_overlap, simulated_serial
from varied_networks import compiled, random_arch, varied_network
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.order import units
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Layer, Program, Ready
from bsc.cost.network import TIMINGS, cost_of, costs_of
from bsc.cost.work import Work, work_of
from bsc.sim.timeline import run_timeline

ROUNDING = 1 + 1e-9
"""Sums of thousands of times that are not exact."""

any_program = settings(max_examples=12, derandomize=True)

proven = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
"""For what cannot fail on any program: other ones in each run."""


@cache
def program_of(seed: int) -> Program | None:
    """The program of a random network on a random machine; None if it does not fit."""
    try:
        text, _ = compiled(varied_network(seed), replace(random_arch(seed), clock_ghz=GHZ))
    except PassFailedException:
        return None
    return parse_program(text)


def on(program: Program, arch: Arch) -> Program:
    """The same text on another machine."""
    return replace(program, arch=arch)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Random layers, compiled for random memories, run at random rates and overheads."""
    program = program_of(draw(st.integers(0, 10**4)))
    assume(program is not None)
    assert program is not None
    overheads = {
        name: draw(st.sampled_from((0, 0, most)))
        for name, most in (
            ("load_task_cycles", 300),
            ("write_task_cycles", 200),
            ("dispatch_cycles", 500),
            ("descriptor_cycles", 4),
            ("lock_cycles", 2),
            ("reprogram_cycles", 5000),
        )
    }
    rates = {
        "link_bytes_per_s": draw(st.floats(2**28, 2**36)),
        "clock_ghz": draw(st.floats(0.1, 10.0)),
        "ddr_read_channels": draw(st.integers(1, 4)),
        "ddr_write_channels": draw(st.integers(1, 3)),
    }
    return on(program, replace(program.arch, **overheads, **rates))


def works(program: Program) -> Iterator[tuple[list[Instr], list[Work]]]:
    """Stages and transfers from and to DDR, with what they do."""
    for _, unit in units(program):
        if not isinstance(unit, Ready):
            yield unit, [work_of(instr, program.arch) for instr in unit]


def in_sequence_s(program: Program) -> float:
    """One iteration of one instruction after another, on all columns at once, on a single
    channel each."""
    arch = program.arch
    cycles = arch.dispatch_cycles * len(program.instructions())
    cycles += arch.reprogram_cycles * sum(isinstance(item, Layer) for item in program.body)
    iterations = [
        float(w.seconds.max(axis=1).sum()) for _, unit in works(program) for w in unit
    ]
    return sum(iterations) + arch.cycles_to_s(cycles)


def fill_and_drain_s(program: Program) -> float:
    """Of all stages: what comes into the cores and is computed first, what is computed and
    written last."""
    total = 0.0
    for instrs, unit in works(program):
        for instr, work in zip(instrs, unit, strict=True):
            first, last = float(work.seconds[0].max()), float(work.seconds[-1].max())
            engine = instr.spec.engine
            if engine is Engine.COMP:
                total += first + last
            elif engine not in DDR_ENGINES:
                total += last if engine is Engine.WRITEFM else first
    return total


@any_program
@given(programs())
def test_times_are_not_negative_and_not_below_the_lower_bound(program: Program):
    times = run_timeline(program)
    costs = costs_of(program)
    assert (times.start_s >= 0).all()
    assert (times.end_s >= times.start_s).all()
    for layers in (simulated_overlap(program, times), simulated_serial(program)):
        assert min(layers.values()) >= 0
    for cost in costs.values():
        assert all(layer.duration_s >= 0 and layer.start_s >= 0 for layer in cost.layers)
        assert all(span.start >= 0 and span.duration >= 0 for span in cost.spans)
        assert 0 < cost.lower_bound_s <= cost.total_s * ROUNDING
    assert costs["overlap"].lower_bound_s <= times.total_s * ROUNDING
    assert sum(simulated_serial(program).values()) * ROUNDING >= costs["serial"].lower_bound_s


@any_program
@given(programs())
def test_overlap_is_not_longer_than_one_thing_after_the_other(program: Program):
    times, costs = run_timeline(program), costs_of(program)
    serial = costs["serial"].total_s + fill_and_drain_s(program)
    for seconds in (times.total_s, costs["overlap"].total_s):
        assert seconds <= in_sequence_s(program) * ROUNDING
        assert seconds <= serial * ROUNDING


@st.composite
def speedups(draw: st.DrawFn) -> Callable[[Arch], Arch]:
    """Faster links, a faster clock, more channels to DDR; not all at once each time."""
    links, clock = (draw(st.sampled_from((1.0, 1.1, 2.0)) | st.floats(1, 8)) for _ in "lc")
    writes = draw(st.integers(0, 2))

    def faster(arch: Arch) -> Arch:
        return replace(
            arch,
            link_bytes_per_s=arch.link_bytes_per_s * links,
            clock_ghz=arch.clock_ghz * clock,
            ddr_write_channels=arch.ddr_write_channels + writes,
        )

    return faster


def with_read_channels(program: Program, channels: int) -> Program:
    """The same text on a machine with that many channels from DDR to each memtile."""
    return on(program, replace(program.arch, ddr_read_channels=channels))


def assert_not_longer(fast: Program, slow: Program, timings: Sequence[str] = TIMINGS) -> None:
    """In the event simulation, and in what the compiler predicts."""
    if "overlap" in timings:
        assert run_timeline(fast).total_s <= run_timeline(slow).total_s * ROUNDING
    before, after = costs_of(slow, timings), costs_of(fast, timings)
    for timing, cost in after.items():
        assert cost.total_s <= before[timing].total_s * ROUNDING


@proven
@given(programs(), speedups())
def test_a_faster_machine_takes_no_longer(program: Program, faster: Callable[[Arch], Arch]):
    """Whatever the program, where the speed of a transfer does not depend on others."""
    alone = with_read_channels(program, 1)
    assert_not_longer(on(alone, faster(alone.arch)), alone)


@proven
@given(programs(), st.integers(2, 3), speedups())
def test_sharing_channels_is_not_slower_than_halves(
    program: Program, channels: int, faster: Callable[[Arch], Arch]
):
    """Nor is it on a faster machine.  Serial timing knows from the text who meets whom, and
    so takes no longer on a faster machine with any number of channels."""
    halves, shared = (with_read_channels(program, n) for n in (1, channels))
    assert_not_longer(shared, halves)
    assert_not_longer(on(shared, faster(shared.arch)), halves)
    assert_not_longer(on(program, faster(program.arch)), program, ("serial",))


@pytest.mark.parametrize("seed", [1118, 1220])
def test_what_a_network_does_not_read_is_not_in_the_lower_bound(seed: int):
    """Strides that step over rows, and an input that nobody reads."""
    program = program_of(seed)
    assert program is not None
    assert cost_of(program).lower_bound_s <= run_timeline(program).total_s


def test_a_faster_machine_can_make_transfers_meet():
    """With more channels from the memtiles to DDR a tensor is back earlier, and then shares
    the channels to the memtile with weights, which somebody waits for; with a speed of its
    own for each kind, it does not.  One of 400 random programs is such a case."""
    program = program_of(3542)
    assert program is not None
    for read_channels, slower in ((2, True), (1, False)):
        arch = replace(program.arch, ddr_read_channels=read_channels)
        before, after = (
            on(program, replace(arch, ddr_write_channels=channels)) for channels in (1, 2)
        )
        seconds = [run_timeline(each).total_s for each in (before, after)]
        assert (seconds[1] > seconds[0]) == slower
        assert seconds == [cost_of(each, "overlap").total_s for each in (before, after)]
