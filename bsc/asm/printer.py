"""Printing a program as text; `parser` reads it back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from bsc.arch import Arch
from bsc.asm.isa import BARE, VERSION, Kind
from bsc.asm.program import (
    FieldValue,
    Instr,
    Item,
    Layer,
    LockUse,
    Port,
    Post,
    Program,
    Ready,
    Slots,
    Stage,
    Tensor,
    Value,
)
from bsc.numerics import INT8_MAX, INT8_MIN, Requant

Comments = Mapping[int, str]
"""What to write behind `##` on the line of a body item, by its index in the body."""


def print_program(program: Program, comments: Comments | None = None) -> str:
    """The text of `program`.  Comments carry no meaning and are for the reader."""
    notes = comments or {}
    lines = list(_declarations(program))
    for index, item in enumerate(program.body):
        text = _item(item)
        note = notes.get(index)
        lines.append(f"{text}  ## {note}" if note else text)
    lines.append(".end")
    return "\n".join(lines) + "\n"


def numbered(program: Program) -> Program:
    """The program with the lines that `print_program` gives its instructions."""
    first = 1 + sum(1 for _ in _declarations(program))
    body = [
        item.at_line(line) if isinstance(item, Instr) else item
        for line, item in enumerate(program.body, start=first)
    ]
    return dataclasses.replace(program, body=body)


def _declarations(program: Program) -> Iterator[str]:
    yield f".bsc {VERSION}"
    yield f".program {quote(program.name)}"
    yield from _arch(program.arch)
    yield f".blob bytes={program.blob_bytes} sha256={program.blob_sha256 or 'none'}"
    yield from (_tensor(tensor) for tensor in program.tensors.values())
    yield from (_port(".input", port) for port in program.inputs)
    yield from (_port(".output", port) for port in program.outputs)
    yield from (f".alias {quote(alias.onnx_name)} of={alias.of}" for alias in program.aliases)
    for elided in program.elided:
        yield f".elided {quote(elided.onnx_name)} {quote(elided.reason)}"
    for lock in program.locks.values():
        yield f".lock {lock.name} {lock.tile} init={lock.init}"


def quote(text: str) -> str:
    """`text` as a quoted string."""
    return json.dumps(text)


def _arch(arch: Arch) -> Iterator[str]:
    fields = [f"{f.name}={getattr(arch, f.name)}" for f in dataclasses.fields(arch)[1:]]
    yield f".arch {quote(arch.name)}"
    for start in range(0, len(fields), 5):
        yield f".arch {' '.join(fields[start : start + 5])}"


def _tensor(tensor: Tensor) -> str:
    ddr = "" if tensor.ddr is None else f" ddr=0x{tensor.ddr:x}"
    order = f" order={print_value(tensor.order)}" if tensor.order else ""
    return (
        f".tensor {tensor.name} {quote(tensor.onnx_name)} shape={print_value(tensor.shape)} "
        f"type={tensor.type} pos={tensor.pos} pixel={tensor.pixel}{ddr}{order}"
    )


def _port(directive: str, port: Port) -> str:
    return (
        f"{directive} {port.tensor} {quote(port.onnx_name)} dtype={port.dtype} "
        f"layout={port.layout} dims={print_value(port.dims)} zero={port.zero}"
    )


def _item(item: Item) -> str:
    match item:
        case Instr():
            return print_instr(item)
        case Layer():
            part = f" part={quote(item.part)}" if item.part else ""
            return f".layer {quote(item.name)} op={item.op}{part}"
        case Stage():
            return f".stage {item.label}"
        case Ready():
            return _ready(item)


def _ready(ready: Ready) -> str:
    if ready.memtile is None:
        return f".ready {ready.tensor} ddr"
    bounds = "" if ready.axis == "all" else f" bounds={print_value(ready.bounds)}"
    return f".ready {ready.tensor} memtile=0x{ready.memtile:x} spread={ready.axis}{bounds}"


def print_instr(instr: Instr) -> str:
    """One instruction: the paper's words first, then the other fields by name."""
    return f"{instr.mnemonic:<8} {instr_words(instr)}"


def instr_words(instr: Instr) -> str:
    """The words of an instruction behind its mnemonic."""
    spec = instr.spec
    words: list[str] = []
    if instr.lock is not None:
        words.append(f"Lock {_lock(instr.lock)}")
    kinds = {field.name: field.kind for field in spec.fields}
    for name in BARE:
        if name in instr.fields:
            words.append(f"{name} {_field(instr.fields[name], kinds[name])}")
    count = "x".join(map(str, instr.iters))
    words.append(f"iteration {count}" if spec.is_compute else f"iter {count}")
    for field in spec.fields:
        if field.name in instr.fields and field.name not in BARE:
            words.append(f"{field.name}={_field(instr.fields[field.name], field.kind)}")
    for name, uses in (("acq", instr.acquire), ("rel", instr.release)):
        if uses:
            words.append(f"{name}={','.join(map(_lock, uses))}")
    return " ".join(words)


def _field(value: FieldValue, kind: Kind) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Slots):
        period = "" if value.period == 1 else f"/{value.period}"
        return "|".join(f"0x{a:04x}" for a in value.addresses) + period
    if isinstance(value, Post):
        return "+".join(_steps(value))
    return print_value(value, "0x{:05x}".format if kind is Kind.ADDRESS else str)


def _steps(post: Post) -> Iterable[str]:
    for step in post.steps:
        if not isinstance(step, Requant):
            yield f"add({step.pos})"
        elif (step.lo, step.hi) == (INT8_MIN, INT8_MAX):
            yield f"round({step.pos})"
        else:
            yield f"round({step.pos},{step.lo},{step.hi})"


def print_value(value: Value, number: Callable[[int], str] = str) -> str:
    """A number or list as it stands in the text; `number` prints a number."""
    if isinstance(value, int):
        return number(value)
    return f"[{','.join([print_value(v, number) for v in value])}]"


def _lock(use: LockUse) -> str:
    amount = "" if use.amount == 1 else f"*{use.amount}"
    period = "" if use.period == 1 else f"/{use.period}"
    where = f"@{use.where}" if use.where else ""
    return f"{'|'.join(use.names)}{where}{amount}{period}"
