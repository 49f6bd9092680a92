"""What every text must come to: accepted or refused, in time, and without much memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from honest_programs import Subject

from bsc.asm.parser import parse_program
from bsc.asm.printer import print_program
from bsc.asm.program import Program
from bsc.cost.network import costs_of
from bsc.errors import BscError
from bsc.sim import run_program
from bsc.sim.events import EventSimulator
from bsc.sim.serial import serial_times
from bsc.verify import verify_program
from bsc.view.content import program_content

SECONDS = 20
BYTES = 2**30


class TooLong(BaseException):
    """Nothing that the code under test would catch."""


@contextmanager
def bounded() -> Generator[None]:
    """Raises TooLong in time; memory beyond the bound is a MemoryError."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    limits = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text()
    used = 1024 * int(status.partition("VmData:")[2].split()[0])
    before = signal.signal(signal.SIGALRM, stop)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (used + BYTES, limits[1]))
        signal.alarm(SECONDS)
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def refused(text: str, given: Subject, others: int | None = None) -> bool:
    """Whether a program is refused; anything but a BscError in one line is a mistake.

    The simulator and the static check look at all programs that can be read, and whatever
    else takes programs, or one of those, chosen by `others`.
    """
    said, program = "", None
    try:
        program = parse_program(text)
    except BscError as e:
        said = str(e)
    if program is None:
        assert len(said.splitlines()) == 1, said
        return True
    printed = print_program(program)
    assert print_program(parse_program(printed)) == printed
    more: tuple[Callable[[Program], object], ...] = (
        costs_of,
        serial_times,
        lambda program: EventSimulator(program, given.blob, given.inputs).run(0),
        lambda _: program_content("program", text),
    )
    readers: tuple[Callable[[Program], object], ...] = (
        verify_program,
        lambda program: run_program(program, given.blob, given.inputs, every_tensor=True),
        *(more if others is None else (more[others % len(more)],)),
    )
    return any([_raises(reader, program) for reader in readers])


def _raises(reader: Callable[[Program], object], program: Program) -> bool:
    try:
        reader(program)
    except BscError:
        return True
    return False
