"""What `overlap` predicts: stages counted by hand, and the event simulation of random
programs on random machines, whose overheads are sometimes those of a real one."""

from __future__ import annotations

import dataclasses

import pytest
from exact_times import BYTE, CYCLE, GHZ, exact_arch
from layer_times import simulated_overlap, simulated_serial
from qdq_models import QdqBuilder
from varied_networks import compiled, random_arch, varied_network
from xdsl.utils.exceptions import PassFailedException

import bsc
from bsc.arch import Arch, preset
from bsc.asm.parser import parse_program
from bsc.asm.program import FieldValue, Instr, Layer, Lock, LockUse, Program, Slots, Stage
from bsc.cost.network import NetworkCost, cost_of, costs_of
from bsc.cost.sharing import Job, durations
from bsc.report.record import cost_record
from bsc.sim.timeline import run_timeline

LOAD, COMP, WRITE = 256 * BYTE, 9 * CYCLE, 128 * BYTE
"""What an iteration of `pipeline` loads, computes and writes; the loads take longest."""


def pipeline(n: int, arch: Arch, slots: int = 2, blocks: int = 1) -> Program:
    """Load, compute and write n times, with `slots` buffers for input and output."""
    memtile: dict[str, FieldValue] = {"memtile": 0, "row": 0, "pix": 0}
    core: dict[str, FieldValue] = {**memtile, "core": Slots((0,))}
    window: dict[str, FieldValue] = {"k": (3, 3), "blk": (8, 8), "cin": 64, "cout": 64}
    locks = {"f_in": slots, "f_out": slots, "k_2": 0, "k_3": 0}
    taken, free = LockUse(("f_in",)), LockUse(("f_out",))
    loaded, done = LockUse(("k_2",)), LockUse(("k_3",))
    program = Program("pipeline", arch)
    program.locks = {name: Lock(name, "core", init) for name, init in locks.items()}
    program.body = [
        Layer("y", "", "conv2d"),
        Stage("body"),
        Instr("LOADFM", (n,), {**core, "h": 1, "w": 4, "c": 64}, loaded, (taken,)),
        Instr(
            "CONV",
            (n,),
            {"h": 1, "w": 4, "blocks": blocks, **window},
            None,
            (loaded, free),
            (taken, done),
        ),
        Instr(
            "WRITEFM",
            (n,),
            {**core, "h": 1, "w": 4, "c": 8, "coff": 0},
            done,
            (),
            (free,),
        ),
    ]
    return program


def overlap_s(program: Program) -> float:
    return cost_of(program, "overlap").total_s


@pytest.mark.parametrize("n", [1, 2, 3, 9, 100])
def test_a_stage_is_fill_its_slowest_part_and_drain(n: int):
    arch = exact_arch()
    assert overlap_s(pipeline(n, arch)) == n * LOAD + COMP + WRITE
    busy = 100 * COMP
    assert overlap_s(pipeline(n, arch, blocks=100)) == LOAD + n * busy + WRITE


@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_single_slot_keeps_a_load_waiting_for_the_computation(n: int):
    assert overlap_s(pipeline(n, exact_arch(), slots=1)) == n * (LOAD + COMP) + WRITE


def test_dispatch_and_programming_come_once_an_instruction():
    free = overlap_s(pipeline(9, exact_arch()))
    assert overlap_s(pipeline(9, exact_arch(dispatch_cycles=7))) == free + 7 * CYCLE
    late = exact_arch(reprogram_cycles=10**6)
    # The second input comes in the meantime; then what is written sets the pace.
    assert overlap_s(pipeline(2, late)) == LOAD + 10**6 * CYCLE + COMP + 2 * WRITE


def test_activations_and_weights_share_the_channels_of_a_memtile():
    # 8 s of activations, and from the first second on 2 s of weights, on two channels.
    loads = [Job(0.0, 0.0, 8.0), Job(0.0, 0.5, 2.0)]
    assert durations([loads, [Job(1.0, 0.0, 2.0)]], 2) == [[5.0, 1.0], [2.0]]
    # Alone, either has both; a single channel is not cut in two.
    assert durations([[Job(0.0, 0.0, 8.0)], [Job(9.0, 0.0, 2.0)]], 2) == [[4.0], [1.0]]
    assert durations([[Job(0.0, 0.0, 8.0)], [Job(0.0, 0.0, 2.0)]], 1) == [[8.0], [2.0]]


def test_what_is_asked_for_is_in_the_record_and_in_the_comments():
    b = QdqBuilder(1)
    model = b.model(b.conv(b.input((1, 5, 12, 11)), 16, (3, 3), pads=(1, 1, 1, 1)))
    made = bsc.compile(model, random_arch(2), "overlap")
    record = cost_record("m", made.arch, made.timing, made.costs)
    times = run_timeline(parse_program(made.program))
    assert record["timing"] == "overlap"
    assert record["total_s"] == record["timings"]["overlap"]["total_s"] == made.cost.total_s
    assert list(record["timings"]) == ["serial", "overlap"]
    assert abs(made.cost.total_s - times.total_s) < 1e-15
    last = made.program.rstrip().splitlines()[-2]
    assert last.startswith("WRITE ")
    assert f".. {times.total_s * 1e6:.2f} us" in last


# Random programs -----------------------------------------------------------------------

OVERHEADS = (
    "load_task_cycles",
    "write_task_cycles",
    "dispatch_cycles",
    "descriptor_cycles",
    "lock_cycles",
)


def machine(seed: int) -> Arch:
    """A random machine with exact times; each second one with the overheads of `npu1`."""
    arch = random_arch(seed)
    real = preset("npu1")
    overheads = {name: getattr(real, name) for name in OVERHEADS} if seed % 2 else {}
    links = {1: 1, 2: 2, 3: 4, 4: 4}[arch.writefm_links]
    reprogram = 5000 * (seed % 4 == 3)
    return dataclasses.replace(
        arch,
        clock_ghz=GHZ,
        writefm_links=links,
        reprogram_cycles=reprogram,
        **overheads,
    )


def programs(first: int, count: int) -> list[Program]:
    """The programs of random networks that fit."""
    found: list[Program] = []
    for seed in range(first, first + count):
        try:
            text, _ = compiled(varied_network(seed), machine(seed))
        except PassFailedException:
            continue
        found.append(parse_program(text))
    assert len(found) > count // 2
    return found


def of_layers(cost: NetworkCost) -> dict[tuple[str, str], float]:
    return {(layer.name, layer.op): layer.duration_s for layer in cost.layers}


@pytest.mark.parametrize("first", [500, 512, 524])
def test_both_timings_are_those_of_the_simulators(first: int):
    for program in programs(first, 12):
        costs = costs_of(program)
        assert of_layers(costs["serial"]) == simulated_serial(program)
        times = run_timeline(program)
        assert costs["overlap"].total_s == times.total_s
        assert of_layers(costs["overlap"]) == simulated_overlap(program, times)


def test_spans_are_those_of_the_simulator():
    for program in programs(540, 8):
        times = run_timeline(program)
        starts: dict[int, float] = {}
        ends: dict[int, float] = {}
        parts = [*(step.first for step in times.order.steps), times.order.operations]
        for step, after in zip(times.order.steps, parts[1:], strict=True):
            line = step.instr.line
            start = float(times.start_s[step.first : after].min())
            end = float(times.end_s[step.first : after].max())
            starts[line] = min(starts.get(line, start), start)
            ends[line] = max(ends.get(line, end), end)
        spans = cost_of(program, "overlap").spans
        for instr, span in zip(program.instructions(), spans, strict=True):
            assert (span.start, span.start + span.duration) == (
                starts[instr.line],
                ends[instr.line],
            )
