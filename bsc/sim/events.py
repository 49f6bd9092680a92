"""Running a program as events: values move when the machine would move them.

An operation reads when it starts, and its bytes are there when it ends (`bsc.sim.put`).
What it reads must have been written as text order has it, from its start to its end
(`bsc.sim.watch`).  With a seed, every operation takes a random time: the values must not
change, and a lock that is missing is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bsc.asm.packed import Bytes
from bsc.asm.program import Program
from bsc.errors import BscError
from bsc.sim import host
from bsc.sim.channels import Operation, text_order
from bsc.sim.memory import Machine
from bsc.sim.provenance import wrong_write
from bsc.sim.put import Put
from bsc.sim.run import check_blob, check_memories, operate
from bsc.sim.threads import one_thread
from bsc.sim.timeline import Times, run_timeline
from bsc.sim.transfers import parts
from bsc.sim.watch import Reads

Digests = npt.NDArray[np.uint32]

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class EventResult:
    """The outputs by ONNX name, in ONNX layout, and when everything happened."""

    outputs: dict[str, npt.NDArray[Any]]
    times: Times


class EventSimulator:
    """Runs one program on one set of inputs, as often as wanted.

    It is made with a run in text order, of which `progress(done, all)` is told.  Raises
    BscError for a program that cannot run in text order either.
    """

    def __init__(
        self,
        program: Program,
        blob: Bytes,
        inputs: Mapping[str, npt.NDArray[Any]],
        progress: Progress | None = None,
    ) -> None:
        check_blob(program, blob)
        self.program = program
        self.blob = blob
        self.inputs = inputs
        self.order = text_order(program)
        with one_thread():
            self.expected = self._text_order_reads(progress)

    def _machine(self) -> Machine:
        """A machine with the inputs in DDR."""
        machine = Machine(self.program, self.blob)
        host.store_inputs(machine, self.program, self.inputs)
        return machine

    def _text_order(self) -> Iterator[Reads]:
        """A run in text order: what each operation has read."""
        machine = self._machine()
        for step in self.order.steps:
            for part in range(parts(step.instr.spec.engine, self.program.arch)):
                op = step.operation(part)
                machine.watch.current = reads = Reads(op.number)
                try:
                    for put in operate(machine, op.resolved, op.iteration, part):
                        put.do()
                except BscError as e:
                    raise BscError(f"{op}: {e}") from None
                reads.let_go()
                yield reads

    def _text_order_reads(self, progress: Progress | None) -> Digests:
        """What each operation must read."""
        digests = np.zeros(self.order.operations, np.uint32)
        for reads in self._text_order():
            digests[reads.number] = reads.digest
            if progress is not None:
                progress(reads.number, self.order.operations - 1)
        return digests

    def wrong_write(self, reads: Reads) -> str:
        """Which write an operation must see, and which it sees as it has read so far; empty
        if nothing is wrong with that.

        What it must see is found by one more run in text order, up to the operation: a
        program without mistakes pays nothing for it.
        """
        wanted = next(r for r in self._text_order() if r.number == reads.number)
        return wrong_write(wanted.seen(), reads.seen(), self.order)

    def run(self, seed: int | None = None, progress: Progress | None = None) -> EventResult:
        """Run once; with random durations if there is a `seed`.

        `progress(done, all)` is called after each operation.  Raises BscError for what the
        machine could not do, for a deadlock, and for a read that does not see the write
        that text order gives it.
        """
        machine = self._machine()
        mover = _Mover(machine, self)
        with one_thread():
            times = run_timeline(self.program, seed, mover, self.order, progress)
        check_memories(machine)
        machine.watch.current = None
        outputs = {
            port.onnx_name: host.load_output(machine, self.program, port)
            for port in self.program.outputs
        }
        return EventResult(outputs, times)


class _Mover:
    """Moves the values, and holds every read against the write that it must see."""

    def __init__(self, machine: Machine, simulator: EventSimulator):
        self.machine = machine
        self.simulator = simulator
        self.running: dict[int, tuple[Reads, list[Put]]] = {}

    def begin(self, op: Operation) -> None:
        """Read, and claim what will be written."""
        self.machine.watch.current = reads = Reads(op.number)
        try:
            puts = list(operate(self.machine, op.resolved, op.iteration, op.part))
        except BscError as e:
            wrong = self.simulator.wrong_write(reads)
            raise BscError(f"{op}: {e}{wrong and f'; it {wrong}'}") from None
        if reads.digest != self.simulator.expected[op.number]:
            raise BscError(f"{op} {self.simulator.wrong_write(reads)}")
        try:
            for put in puts:
                put.start()
        except BscError as e:
            raise BscError(f"{op}: {e}") from None
        self.running[op.number] = reads, puts

    def finish(self, op: Operation) -> None:
        """Nobody has touched what was read; the bytes are there."""
        reads, puts = self.running.pop(op.number)
        self.machine.watch.current = reads
        if not reads.unchanged():
            wrong = self.simulator.wrong_write(reads)
            raise BscError(f"{op}: what it reads is overwritten before it is done; it {wrong}")
        for put in puts:
            put.end()
        reads.let_go()
