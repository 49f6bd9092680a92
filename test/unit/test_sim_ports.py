"""The channels between DDR and a memtile in the event simulation."""

from __future__ import annotations

from collections.abc import Generator
from math import ulp
from typing import Any

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from bsc.arch import Arch
from bsc.asm.isa import Engine
from bsc.sim.ports import Ports

seconds = st.lists(st.floats(0, 1e-3) | st.floats(0, 1e-18), max_size=6)


def run(
    start: float, channels: int, queues: dict[Engine, list[float]]
) -> dict[Engine, list[float]]:
    """When each transfer to a memtile ends, each kind in turn, from a time on."""
    env = simpy.Environment(start)
    ports = Ports(env, Arch("one", 1, 1, ddr_read_channels=channels))
    ends: dict[Engine, list[float]] = {engine: [] for engine in queues}

    def kind(engine: Engine) -> Generator[simpy.Event, Any, None]:
        for alone in queues[engine]:
            yield from ports.transfer(engine, 0, alone)
            ends[engine].append(float(env.now))

    for engine in queues:
        env.process(kind(engine))
    env.run()
    return ends


@given(st.floats(0, 10), st.integers(1, 5), seconds, seconds)
def test_a_transfer_takes_no_less_than_alone_and_no_more_than_at_half(
    start: float, channels: int, loads: list[float], weights: list[float]
):
    queues = {Engine.LOAD: loads, Engine.LOADW: weights}
    for engine, ends in run(start, channels, queues).items():
        assert len(ends) == len(queues[engine])
        clock = start
        for alone, end in zip(queues[engine], ends, strict=True):
            # A few roundings of the clock for each time that others come or go.
            slack = 16 * ulp(start + 1)
            assert clock + alone / channels - slack <= end
            assert end <= clock + alone / max(1, channels // 2) + slack
            clock = end


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_work_too_small_for_the_clock_ends(channels: int):
    """Shorter than the clock's last digit, it would pass no time however often one waits."""
    tiny = ulp(1.0) / 8
    queues = {Engine.LOAD: [tiny] * 3, Engine.LOADW: [tiny / 4, 1e-6]}
    ends = run(1.0, channels, queues)
    assert ends[Engine.LOAD] == [1.0] * 3
    assert ends[Engine.LOADW][-1] > 1.0
