"""Time as it passes on the machine: every channel by itself, held back by locks.

Each channel, link and core takes its own operations in the order of the text; nothing else
orders them but locks.  What an operation does when it starts and when it ends is somebody
else's affair (`bsc.sim.events`): times do not depend on values.

The events themselves are simpy's: some three for each operation, which it does in seconds
for a whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import simpy

from bsc.asm.program import Program
from bsc.errors import BscError
from bsc.sim.channels import Channel, Operation, TextOrder, text_order
from bsc.sim.deadlock import explain
from bsc.sim.durations import Durations, Seconds, adversarial_factors
from bsc.sim.ports import Ports
from bsc.sim.semaphores import Semaphores, Wait


@dataclass(frozen=True)
class Times:
    """When each operation, by its number in text order, started and ended, in seconds."""

    order: TextOrder
    total_s: float
    start_s: Seconds
    end_s: Seconds


class Actor(Protocol):
    """Does what operations do."""

    def begin(self, op: Operation) -> None:
        """An operation starts."""
        ...

    def finish(self, op: Operation) -> None:
        """It ends."""
        ...


class _Nobody:
    """For times only."""

    def begin(self, op: Operation) -> None: ...

    def finish(self, op: Operation) -> None: ...


def run_timeline(
    program: Program,
    seed: int | None = None,
    actor: Actor | None = None,
    order: TextOrder | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Times:
    """When everything happens; with random durations if there is a `seed`.

    `progress(done, all)` is called after each operation.  Raises BscError for a deadlock,
    a lock above its limit or not back at its initial value, and what the actor raises.
    """
    return _Timeline(
        program, seed, actor or _Nobody(), order or text_order(program), progress
    ).run()


class _Timeline:
    """One run."""

    def __init__(
        self,
        program: Program,
        seed: int | None,
        actor: Actor,
        order: TextOrder,
        progress: Callable[[int, int], None] | None,
    ):
        self.order = order
        self.actor = actor
        self.progress = progress
        self.env = simpy.Environment()
        self.semaphores = Semaphores(self.env, program)
        self.ports = Ports(self.env, program.arch)
        self.durations = Durations(program)
        self.factors = None if seed is None else adversarial_factors(order.operations, seed)
        self.blocked: dict[Channel, tuple[Operation, Wait]] = {}
        self.start_s = np.zeros(order.operations)
        self.end_s = np.zeros(order.operations)
        self.done = 0

    def run(self) -> Times:
        """Let all channels run until nothing moves any more."""
        for channel in self.order.channels:
            self.env.process(self._channel(channel))
        self.env.run()
        if self.blocked:
            raise BscError(explain(self.blocked, self.order, self.semaphores))
        self.semaphores.check_end()
        return Times(self.order, float(self.env.now), self.start_s, self.end_s)

    def _channel(self, channel: Channel) -> Generator[simpy.Event, Any, None]:
        """The life of one channel."""
        for step in self.order.by_engine[channel.engine]:
            op = step.operation(channel.part)
            for wait in self.semaphores.wants(op):
                self.blocked[channel] = op, wait
                yield from self.semaphores.acquire(wait)
                del self.blocked[channel]
            self.start_s[op.number] = self.env.now
            self.actor.begin(op)
            yield from self._wait(op)
            self.actor.finish(op)
            self.end_s[op.number] = self.env.now
            self.semaphores.release(op)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.order.operations - 1)

    def _wait(self, op: Operation) -> Generator[simpy.Event, Any, None]:
        seconds = self.durations.of(op.resolved, op.iteration, op.part)
        set_up = self.durations.set_up(op.instr, op.iteration)
        if self.factors is not None:
            yield self.env.timeout((set_up + seconds) * float(self.factors[op.number]))
        else:
            if set_up:
                yield self.env.timeout(set_up)
            yield from self.ports.transfer(op.instr.spec.engine, op.part, seconds)
