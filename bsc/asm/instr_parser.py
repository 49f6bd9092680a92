"""Reading one instruction: its words, numbers, lists, buffers, locks and steps."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from typing import cast

from bsc.arch import Arch
from bsc.asm.isa import BARE, SPECS, Field, Kind
from bsc.asm.program import (
    FieldValue,
    Instr,
    IntArray,
    LockUse,
    Post,
    Slots,
    Value,
)
from bsc.errors import BscError
from bsc.numerics import INT8_MAX, INT8_MIN, TABLE_SIZE, Requant, Residual, Rounding

_NUMBER = re.compile(r"-?(?:0x[0-9a-fA-F]+|\d+)")
_LOCK = re.compile(
    r"(?P<names>[A-Za-z_][\w.']*(?:\|[A-Za-z_][\w.']*)*)"
    r"(?:@(?P<where>l|r|all))?(?:\*(?P<amount>\d+))?(?:/(?P<period>\d+))?"
)
_STEP = re.compile(r"round\((-?\d+)(?:,(-?\d+),(-?\d+))?\)|add\((-?\d+)\)")
_TABLE = re.compile(rf"[0-9a-f]{{{2 * TABLE_SIZE}}}")
_MOST_ITERATIONS = 2**16
_MOST_POSITION = 2**10
"""Positions are within +- this: 2 to such a power is far beyond the numbers of any type."""
_AT_LEAST_1 = ("k", "s", "d", "blk")
_LIMIT = 2**40
"""No number of a program is larger: it keeps a mistyped one from becoming a huge array."""


def parse_words(tokens: list[str], number: int) -> Instr:
    """One instruction from its words, mnemonic first.

    Checks the form only; `check_fields` and `check_locks` hold it against a machine and
    the declared locks.  Raises BscError without the line's number.
    """
    mnemonic = tokens[0]
    if mnemonic not in SPECS:
        raise BscError(f"unknown instruction '{mnemonic}'{hint(mnemonic, SPECS)}")
    spec = SPECS[mnemonic]
    by_name = {field.name: field for field in spec.fields}
    words = _words(tokens[1:])
    count = words.pop("iteration" if spec.is_compute else "iter", None)
    if count is None:
        raise BscError(f"{mnemonic}: {'iteration' if spec.is_compute else 'iter'} is missing")
    iters = tuple(parse_int(n, least=1) for n in count.split("x"))
    if len(iters) > 2 or math.prod(iters) > _MOST_ITERATIONS:
        raise BscError(f"iter {count}: at most two levels, {_MOST_ITERATIONS} in all")
    lock = words.pop("Lock", None)
    if lock is not None and mnemonic not in ("LOADFM", "LOADWDM", "WRITEFM"):
        raise BscError(f"{mnemonic} has no Lock; use acq= and rel=")
    acquire, release = words.pop("acq", ""), words.pop("rel", "")
    fields: dict[str, FieldValue] = {}
    for name, text in words.items():
        if name not in by_name:
            raise BscError(f"{mnemonic}: unknown field '{name}'{hint(name, by_name)}")
        try:
            fields[name] = _parse_field(text, by_name[name])
        except BscError as e:
            raise BscError(f"{mnemonic}: {name}={text}: {e}") from None
    return Instr(
        mnemonic,
        iters,
        fields,
        _parse_lock(lock) if lock is not None else None,
        _parse_locks(acquire),
        _parse_locks(release),
        number,
    )


def check_locks(instr: Instr, locks: Collection[str]) -> None:
    """Check that all locks of an instruction are declared.  Raises BscError."""
    for use in (*instr.acquires, *instr.releases):
        for name in use.names:
            if name not in locks:
                raise BscError(f"unknown lock '{name}'{hint(name, locks)}")


def check_fields(instr: Instr, arch: Arch) -> dict[str, IntArray]:
    """Check that all fields are there and fit the grid.  Raises BscError.

    Returns `instr.arrays`.
    """
    for field in instr.spec.fields:
        if field.name not in instr.fields and not field.optional:
            raise BscError(f"{instr.mnemonic}: {field.name} is missing ({field.text})")
    try:
        arrays = instr.arrays(arch)
    except BscError as e:
        raise BscError(f"{instr.mnemonic}: {e}") from None
    instr.kept(arch, "checked", lambda: _check_least(instr, arrays))
    return arrays


def _check_least(instr: Instr, arrays: dict[str, IntArray]) -> None:
    for name in _AT_LEAST_1:
        if name in instr.fields and int(arrays[name].min()) < 1:
            raise BscError(f"{instr.mnemonic}: {name} must be at least 1")


def _words(tokens: Iterable[str]) -> dict[str, str]:
    """`memtile 0x0 iter 1 h=7` as a table of texts."""
    words: dict[str, str] = {}
    stream = iter(tokens)
    for token in stream:
        if token in (*BARE, "Lock", "iter", "iteration"):
            name, value = token, next(stream, "")
            if not value:
                raise BscError(f"'{token}' needs a value")
        else:
            name, value = split_pair(token)
        if name in words:
            raise BscError(f"{name} is given twice")
        words[name] = value
    return words


def _parse_field(text: str, field: Field) -> FieldValue:
    match field.kind:
        case Kind.SLOTS:
            body, _, period = text.partition("/")
            addresses = tuple(parse_int(a, least=0) for a in body.split("|"))
            return Slots(addresses, parse_int(period, least=1) if period else 1)
        case Kind.POST:
            return _parse_post(text)
        case Kind.WORD:
            return _parse_word(text, field.name)
        case Kind.TABLE:
            return _parse_table(text)
        case Kind.POSITION:
            return _parse_positions(text)
        case _:
            return parse_value(text)


def _parse_positions(text: str) -> Value:
    value = parse_value(text)
    for position in _numbers(value):
        check_position(position)
    return value


def _numbers(value: Value) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    else:
        for part in value:
            yield from _numbers(part)


def check_position(position: int) -> int:
    """The position, if it is one.  Raises BscError."""
    if abs(position) > _MOST_POSITION:
        raise BscError(f"position {position} is not within +-{_MOST_POSITION}")
    return position


def _parse_word(text: str, name: str) -> str:
    legal = ("window", "inside") if name == "count" else tuple(r.value for r in Rounding)
    if text not in legal:
        raise BscError(f"one of {', '.join(legal)}")
    return text


def _parse_table(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise BscError(f"a table is {2 * TABLE_SIZE} digits 0 to 9 and a to f")
    return text


def _parse_post(text: str) -> Post:
    steps: list[Requant | Residual] = []
    for part in text.split("+"):
        match = _STEP.fullmatch(part)
        if match is None:
            raise BscError("steps are round(pos), round(pos,lo,hi) and add(pos)")
        pos, lo, hi, added = match.groups()
        if added is not None:
            steps.append(Residual(check_position(parse_int(added))))
            continue
        bounds = [parse_int(bound) for bound in (lo, hi) if bound] or [INT8_MIN, INT8_MAX]
        step = Requant(check_position(parse_int(pos)), *bounds)
        if not INT8_MIN <= step.lo <= step.hi <= INT8_MAX:
            raise BscError(f"bounds must lie in [{INT8_MIN}, {INT8_MAX}]")
        steps.append(step)
    if not isinstance(steps[-1], Requant):
        raise BscError("the last step must round")
    return Post(tuple(steps))


def parse_value(text: str) -> Value:
    if text.startswith("["):
        try:
            # JSON has no hexadecimal numbers, which is all that lists need beyond it.
            plain = re.sub(r"0x[0-9a-fA-F]+", lambda m: str(int(m[0], 16)), text)
            return _frozen(json.loads(plain))
        except (ValueError, RecursionError):
            raise BscError("not a list of numbers") from None
    return parse_int(text)


def parse_numbers(text: str) -> tuple[int, ...]:
    """A flat list of numbers.  Raises BscError if it is anything else."""
    value = parse_value(text)
    if isinstance(value, int) or not all(isinstance(n, int) for n in value):
        raise BscError(f"'{text}' is not a list of numbers")
    return tuple(n for n in value if isinstance(n, int))


def _frozen(value: object) -> Value:
    if isinstance(value, list) and value:
        return tuple(_frozen(v) for v in cast(list[object], value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LIMIT:
        return value
    raise ValueError


def parse_int(text: str, least: int | None = None) -> int:
    """A decimal or hexadecimal number.  Raises BscError if it is not, or is too small."""
    if not _NUMBER.fullmatch(text) or len(text) > 20:
        raise BscError(f"'{text}' is not a number")
    value = int(text, 16 if "x" in text else 10)
    if abs(value) >= _LIMIT:
        raise BscError(f"{text} is too large")
    if least is not None and value < least:
        raise BscError(f"{text} must be at least {least}")
    return value


def _parse_locks(text: str) -> tuple[LockUse, ...]:
    return tuple(_parse_lock(part) for part in text.split(",") if part)


def _parse_lock(text: str) -> LockUse:
    match = _LOCK.fullmatch(text)
    if match is None:
        raise BscError(f"'{text}' is not a lock: write k_0, k_0|k_0p, k_0@l*2/9")
    names = tuple(match["names"].split("|"))
    amount, period = (parse_int(match[key] or "1") for key in ("amount", "period"))
    if amount < 1 or period < 1:
        raise BscError(f"'{text}': amount and period are at least 1")
    return LockUse(names, amount, period, match["where"] or "")


def split_pair(token: str) -> tuple[str, str]:
    key, sign, value = token.partition("=")
    if not sign or not key or not value:
        raise BscError(f"'{token}' is not key=value")
    return key, value


def hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
