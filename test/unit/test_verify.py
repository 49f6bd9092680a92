"""`verify-dataflow` finds what is wrong with a program without running it.

Each test changes one thing in a correct program and expects the message for it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from small_models import residual_network
from varied_networks import compiled, random_arch, varied_network
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.program import FieldValue, Instr, Lock, LockUse, Program, Slots
from bsc.errors import BscError
from bsc.frontend import import_onnx
from bsc.pipelines import parse_specs, resolve, run_passes
from bsc.verify import verify_program

MACHINE = Arch("two", rows=2, cols=2, memtile_bytes=16384, core_data_bytes=8192)


@pytest.fixture(scope="module")
def text() -> str:
    return compiled(residual_network(), MACHINE)[0]


def changed(
    text: str, mnemonic: str, change: Callable[[Instr], Instr], count: int = 1
) -> Program:
    """The program with the first `count` instructions of a kind changed."""
    program = parse_program(text)
    for index, item in enumerate(program.body):
        if count and isinstance(item, Instr) and item.mnemonic == mnemonic:
            program.body[index] = change(item)
            count -= 1
    assert not count
    return program


def with_fields(**fields: FieldValue) -> Callable[[Instr], Instr]:
    """Sets fields."""
    return lambda i: dataclasses.replace(i, fields={**i.fields, **fields})


def on(text: str, **fields: int) -> Program:
    """The program on a machine with other limits."""
    program = parse_program(text)
    return dataclasses.replace(program, arch=dataclasses.replace(program.arch, **fields))


def assert_refused(program: Program, message: str) -> None:
    with pytest.raises(BscError, match=message) as caught:
        verify_program(program)
    assert "\n" not in str(caught.value)


def test_a_correct_program_passes(text: str):
    verify_program(parse_program(text))


@pytest.mark.parametrize("seed", range(300, 310))
def test_random_programs_pass(seed: int):
    verify_program(parse_program(compiled(varied_network(seed), random_arch(seed))[0]))


@pytest.mark.parametrize("tile", ["core", "memtile", "ddr"])
def test_more_locks_than_a_tile_has(text: str, tile: str):
    program = on(text, **{f"{tile}_locks": 1})
    for name in ("spare_1", "spare_2"):
        program.locks[name] = Lock(name, tile, 0)
    count = sum(lock.tile == tile for lock in program.locks.values())
    assert_refused(program, f"^{count} locks on each {tile} tile; it has 1$")


@pytest.mark.parametrize("tile", ["core", "memtile"])
def test_more_descriptors_than_a_tile_has(text: str, tile: str):
    program = on(text, **{f"{tile}_descriptors": 1})
    assert_refused(program, rf": \d+ descriptors on a {tile} tile; it has 1$")


@pytest.mark.parametrize(
    ("mnemonic", "field", "value", "memory"),
    [
        ("LOAD", "ddr", 0x40000, "ddr"),
        ("LOADW", "blob", 0x40000, "blob"),
        ("LOADFM", "memtile", 0x3000, "memtile"),
        ("LOADWDM", "memtile", 0x3000, "memtile"),
        ("CONV", "in", Slots((0x5000,)), "core"),
        ("CONV", "weights", Slots((0x5000,)), "core"),
        ("WRITEFM", "core", Slots((0x5000,)), "core"),
        ("WRITE", "memtile", 0x3000, "memtile"),
    ],
)
def test_reads_of_what_nobody_has_written(
    text: str, mnemonic: str, field: str, value: FieldValue, memory: str
):
    program = changed(text, mnemonic, with_fields(**{field: value}))
    message = rf": {mnemonic} reads {memory} 0x\w+ \.\. 0x\w+, which nobody has written$"
    assert_refused(program, message)


@pytest.mark.parametrize(
    ("mnemonic", "field"),
    [("LOADFM", "core"), ("LOADWDM", "core"), ("CONV", "out"), ("WRITEFM", "core")],
)
def test_buffers_beyond_the_core(text: str, mnemonic: str, field: str):
    end = MACHINE.core_bytes
    program = changed(text, mnemonic, with_fields(**{field: Slots((end - 4,))}))
    message = rf": {mnemonic} reaches core address 0x\w+; a core has {end} bytes$"
    assert_refused(program, message)


@pytest.mark.parametrize("mnemonic", ["LOAD", "LOADFM"])
def test_more_bytes_than_a_memtile_has(text: str, mnemonic: str):
    program = changed(text, mnemonic, with_fields(row=8192))
    message = rf": {mnemonic} spans \d+ bytes of a memtile of 16384$"
    assert_refused(program, message)


# Locks ---------------------------------------------------------------------------------


def acquiring(name: str, amount: int = 1) -> Callable[[Instr], Instr]:
    """Acquires one lock more."""
    use = LockUse((name,), amount)
    return lambda i: dataclasses.replace(i, acquire=(*i.acquire, use))


def releasing(name: str, amount: int = 1) -> Callable[[Instr], Instr]:
    """Releases one lock more."""
    use = LockUse((name,), amount)
    return lambda i: dataclasses.replace(i, release=(*i.release, use))


def a_lock(text: str, tile: str) -> str:
    """The first lock of a kind of tile."""
    locks = parse_program(text).locks.values()
    return next(lock.name for lock in locks if lock.tile == tile)


def test_an_acquire_that_waits_for_ever(text: str):
    name = a_lock(text, "memtile")
    program = changed(text, "LOADFM", acquiring(name, 50))
    message = rf": LOADFM acquires {name} when it is -?\d+, 50 needed: in text order this waits"
    assert_refused(program, message)


def test_a_lock_beyond_its_highest_value(text: str):
    name = a_lock(text, "memtile")
    program = changed(text, "LOADFM", releasing(name, 64))
    assert_refused(program, rf": LOADFM raises {name} to 6\d; a lock goes up to 63$")


@pytest.mark.parametrize("tile", ["memtile", "ddr"])
def test_a_computation_reaches_core_locks_only(text: str, tile: str):
    name = a_lock(text, tile)
    program = changed(text, "CONV", releasing(name))
    assert_refused(program, f": CONV does not reach {tile} lock {name}$")


def test_locks_that_do_not_come_out_even(text: str):
    program = parse_program(text)
    last = max(i for i, item in enumerate(program.body) if isinstance(item, Instr))
    item = program.body[last]
    assert isinstance(item, Instr)
    name = a_lock(text, "memtile")
    program.body[last] = releasing(name)(item)
    before = program.locks[name].init
    message = f"^lock {name} ends at {before + 1}, declared initial value {before}: acquires"
    assert_refused(program, message)


def test_a_stage_whose_instructions_iterate_apart(text: str):
    def twice(i: Instr) -> Instr:
        return dataclasses.replace(i, iters=(i.iters[0] + 1, *i.iters[1:]))

    message = r": the instructions of a stage iterate together, not LOADFM \d+, "
    assert_refused(changed(text, "LOADFM", twice), message)


def test_messages_name_the_layer(text: str):
    program = changed(text, "CONV", with_fields(**{"in": Slots((0x5000,))}))
    with pytest.raises(BscError) as caught:
        verify_program(program)
    names = re.findall(r'^\.layer "([^"]+)"', text, re.MULTILINE)
    assert str(caught.value).split(":")[0].split("[")[0] in names


def test_the_pass_needs_a_program():
    module = import_onnx(residual_network()).module
    with pytest.raises(PassFailedException, match="run --lower-to-dataflow first"):
        run_passes(module, resolve(parse_specs("verify-dataflow")))
