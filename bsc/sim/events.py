"""Running a program as events: every channel, link and core by itself, held back by locks.

Each takes its own operations in the order of the text; nothing else orders them but locks.
An operation reads when it starts, and its bytes are there when it ends (`bsc.sim.put`).
What it reads must have been written as text order has it, from its start to its end
(`bsc.sim.watch`).  With a seed, every operation takes a random time: the values must not
change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

from bsc.asm.packed import Bytes
from bsc.asm.program import Program
from bsc.errors import BscError
from bsc.sim import host
from bsc.sim.channels import Channel, Operation, text_order
from bsc.sim.deadlock import explain
from bsc.sim.durations import Durations, Seconds, adversarial_factors
from bsc.sim.memory import Machine
from bsc.sim.ports import Ports
from bsc.sim.run import check_blob, check_memories, operate
from bsc.sim.semaphores import Semaphores, Wait
from bsc.sim.transfers import parts
from bsc.sim.watch import Reads

Digests = npt.NDArray[np.uint32]


@dataclass
class Trace:
    """What came of a run: the outputs by ONNX name, the seconds that it took, and when each
    operation, by its number in text order, started and ended."""

    outputs: dict[str, npt.NDArray[Any]]
    total_s: float
    start_s: Seconds
    end_s: Seconds


class EventSimulator:
    """Runs one program on one set of inputs, as often as wanted.

    Raises BscError for a program that cannot run in text order either.
    """

    def __init__(
        self, program: Program, blob: Bytes, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        check_blob(program, blob)
        self.program = program
        self.blob = blob
        self.inputs = inputs
        self.order = text_order(program)
        self.expected = self._text_order_reads()

    def machine(self) -> Machine:
        """A machine with the inputs in DDR."""
        machine = Machine(self.program, self.blob)
        host.store_inputs(machine, self.program, self.inputs)
        return machine

    def _text_order_reads(self) -> Digests:
        """What each operation must read, from a run in text order."""
        machine = self.machine()
        digests = np.zeros(self.order.operations, np.uint32)
        for step in self.order.steps:
            for part in range(parts(step.instr.spec.engine, self.program.arch)):
                op = step.operation(part)
                machine.watch.current = reads = Reads(op.number)
                try:
                    for put in operate(machine, op.resolved, op.iteration, part):
                        put.start()
                        put.end()
                except BscError as e:
                    raise BscError(f"{op}: {e}") from None
                reads.let_go()
                digests[op.number] = reads.digest
        return digests

    def run(
        self, seed: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Trace:
        """Run once; with random durations if there is a `seed`.

        `progress(done, all)` is called after each operation.  Raises BscError for what the
        machine could not do, for a deadlock, and for a read that does not see the write
        that text order gives it.
        """
        return _Run(self, seed, progress).run()


class _Run:
    """One run."""

    def __init__(
        self,
        simulator: EventSimulator,
        seed: int | None,
        progress: Callable[[int, int], None] | None,
    ):
        self.simulator = simulator
        self.program = simulator.program
        self.order = simulator.order
        self.machine = simulator.machine()
        self.env = simpy.Environment()
        self.semaphores = Semaphores(self.env, self.program)
        self.ports = Ports(self.env, self.program.arch)
        self.durations = Durations(self.program.arch)
        self.factors = None
        if seed is not None:
            self.factors = adversarial_factors(self.order.operations, seed)
        self.progress = progress
        self.blocked: dict[Channel, tuple[Operation, Wait]] = {}
        self.start_s = np.zeros(self.order.operations)
        self.end_s = np.zeros(self.order.operations)
        self.done = 0

    def run(self) -> Trace:
        """Let all channels run until nothing moves any more."""
        for channel in self.order.channels:
            self.env.process(self._channel(channel))
        self.env.run()
        if self.blocked:
            raise BscError(explain(self.blocked, self.order, self.semaphores))
        self.semaphores.check_end()
        check_memories(self.machine)
        self.machine.watch.current = None
        outputs = {
            port.onnx_name: host.load_output(self.machine, self.program, port)
            for port in self.program.outputs
        }
        return Trace(outputs, float(self.env.now), self.start_s, self.end_s)

    def _channel(self, channel: Channel) -> Generator[simpy.Event, Any, None]:
        """The life of one channel."""
        for step in self.order.by_engine[channel.engine]:
            op = step.operation(channel.part)
            for wait in self.semaphores.wants(op):
                self.blocked[channel] = op, wait
                yield from self.semaphores.acquire(wait)
                del self.blocked[channel]
            self.start_s[op.number] = self.env.now
            yield from self._perform(op)
            self.end_s[op.number] = self.env.now
            self.semaphores.release(op)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.order.operations - 1)

    def _perform(self, op: Operation) -> Generator[simpy.Event, Any, None]:
        """One operation: read and claim, let the time pass, check, and fill."""
        self.machine.watch.current = reads = Reads(op.number)
        try:
            puts = list(operate(self.machine, op.resolved, op.iteration, op.part))
            if reads.digest != self.simulator.expected[op.number]:
                raise BscError("reads bytes other than those that text order gives it")
            for put in puts:
                put.start()
        except BscError as e:
            raise BscError(f"{op}: {e}") from None
        yield from self._wait(op)
        self.machine.watch.current = reads
        if not reads.unchanged():
            raise BscError(f"{op}: what it reads is overwritten before it is done")
        for put in puts:
            put.end()
        reads.let_go()

    def _wait(self, op: Operation) -> Generator[simpy.Event, Any, None]:
        seconds = self.durations.of(op.resolved, op.iteration, op.part)
        if self.factors is not None:
            yield self.env.timeout(seconds * float(self.factors[op.number]))
        else:
            yield from self.ports.transfer(op.instr.spec.engine, op.part, seconds)
