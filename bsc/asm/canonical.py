"""One text for one meaning: what the elements say that nothing depends on.

A list has a number for every column, row or link, also for those that move or compute
nothing; a stride is there also where there is one row.  Were such a number free, the text
could say what is not so, and nobody would notice.  So it is fixed: it repeats the number of
the first element that is used, in its own row of the grid if that has one, and is 0 in a
field that is not used at all (1 for a stride or dilation of a window).  That is also what
is shortest in print.  Only the width of a column without channels is always 0.  Buffers
have no more addresses than come into use, a stride of the iterations is left out if there
is one iteration, likewise strides of a second operand that are 1, and an average divides by
the `window` if there is no padding.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.instr_parser import check_fields
from bsc.asm.isa import Engine
from bsc.asm.printer import print_value
from bsc.asm.program import FieldValue, Instr, IntArray, Slots, Value, compact_iterations
from bsc.errors import BscError
from bsc.numerics import Rounding

Used = npt.NDArray[np.bool_]
Arrays = Mapping[str, IntArray]

_WIDTHS = ("w", "wl", "wr")
_PAIRS = ("s", "d", "s2")
_STEPS = ("hstep", "cstep")
_NEIGHBOURS = (("memtile", "w", 0), ("left", "wl", -1), ("right", "wr", 1))


def canonical(instr: Instr, arch: Arch) -> Instr:
    """The same instruction with all elements that nothing depends on as they must be."""
    # What is corrected may leave more behind that nothing depends on.
    while wanted := _corrections(instr, check_fields(instr, arch)):
        merged = {**instr.fields, **wanted}
        fields = {name: value for name, value in merged.items() if value is not None}
        instr = replace(instr, fields=fields)
    return instr


class Canonical:
    """`canonical`, of many instructions: those that differ in their buffers only are worked
    out once, and share their numbers."""

    def __init__(self, arch: Arch):
        self.arch = arch
        self._known: dict[Hashable, Instr] = {}

    def __call__(self, instr: Instr) -> Instr:
        numbers = [
            (name, None if isinstance(value, Slots) else value)
            for name, value in instr.fields.items()
        ]
        key = instr.mnemonic, instr.iters, tuple(numbers)
        known = self._known.get(key)
        if known is None:
            self._known[key] = known = canonical(instr, self.arch)
            return known
        fields = {
            name: instr.fields[name] if isinstance(value, Slots) else value
            for name, value in known.fields.items()
        }
        return instr.with_fields(fields).like(known)


def trimmed(instr: Instr) -> Instr:
    """The same instruction without the addresses of buffers that never have their turn."""
    slots: dict[str, FieldValue] = {}
    for name, value in instr.fields.items():
        if isinstance(value, Slots):
            taken = min(len(value.addresses), -(-instr.count // value.period))
            used = Slots(value.addresses[:taken], value.period if taken > 1 else 1)
            if used != value:
                slots[name] = used
    return instr.with_fields({**instr.fields, **slots}) if slots else instr


def check_canonical(instr: Instr, arrays: Arrays) -> None:
    """Check that an instruction is `canonical` and `trimmed`.  Raises BscError."""
    for name, value in _corrections(instr, arrays).items():
        if value is None:
            raise BscError(f"{name} is of no use here; leave it out")
        text = value if isinstance(value, str) else print_value(value)
        raise BscError(f"nothing depends on all of {name}: write {text}")
    for name, value in trimmed(instr).fields.items():
        if value != instr.fields[name]:
            raise BscError(f"{instr.count} iterations do not come to use all of {name}")


def _corrections(instr: Instr, arrays: Arrays) -> dict[str, Value | str | None]:
    """The fields that must be written otherwise; None for those that must be left out."""
    found: dict[str, Value | str | None] = {}
    for name, used in used_elements(instr, arrays).items():
        array = arrays[name]
        if name not in instr.fields or used.all() or (mask := _fitted(used, array)).all():
            continue
        if name in _STEPS and not mask.any():
            found[name] = None
            continue
        wanted = _filled(name, array, mask)
        if not np.array_equal(wanted, array):
            found[name] = _as_value(name, wanted)
    if instr.fields.get("count", "window") != "window" and not _pads(arrays):
        found["count"] = "window"
    if "s2" in instr.fields and bool((arrays["s2"] == 1).all()):
        found["s2"] = None
    if instr.fields.get("rounding") == Rounding.HALF_EVEN.value:
        found["rounding"] = None
    return found


def _pads(arrays: Arrays) -> bool:
    """Whether any window reaches beyond the input."""
    return any(bool(arrays[name].any()) for name in ("pt", "pb", "pl", "pr"))


def _as_value(name: str, array: IntArray) -> Value:
    if name in _PAIRS:
        return tuple(array[0].tolist())
    return compact_iterations(array)


def _fitted(used: Used, array: IntArray) -> Used:
    """The mask in the shape of the array, which may hold for all iterations."""
    if len(array) == 1 and len(used) > 1:
        used = _some(used, 0)[None]
    return np.broadcast_to(used, array.shape)


def _filled(name: str, array: IntArray, mask: Used) -> IntArray:
    """`array` with its unused elements as they must be."""
    if array.ndim == 1 or name in _WIDTHS:
        return np.where(mask, array, 0)
    if name in _PAIRS:
        return np.where(mask, array, 1)
    filled = _along(array, mask)
    if array.ndim == 2:
        return filled
    lines = _some(mask, 2)
    first = np.take_along_axis(filled, lines.argmax(axis=1)[:, None, None], axis=1)
    return np.where(lines[:, :, None], filled, first)


def _along(array: IntArray, mask: Used) -> IntArray:
    """Filled along the last axis, from the first used element; 0 where there is none."""
    first = np.take_along_axis(array, mask.argmax(axis=-1)[..., None], axis=-1)
    first = np.where(_some(mask, -1)[..., None], first, 0)
    return np.where(mask, array, first)


def _some(mask: Used, axis: int) -> Used:
    """Whether any element along an axis is set."""
    return np.asarray(np.any(mask, axis=axis))


def used_elements(instr: Instr, arrays: Arrays) -> dict[str, Used]:
    """For the fields that may have unused elements, which ones are used, of a shape that
    broadcasts to (iterations, *axes)."""
    match instr.spec.engine:
        case Engine.LOAD | Engine.WRITE:
            return _ddr_transfer(arrays)
        case Engine.LOADW:
            moves = arrays["bytes"] > 0
            return {"blob": moves, "memtile": moves}
        case Engine.LOADWDM:
            moves = arrays["bytes"] > 0
            return {"memtile": moves, "off": moves}
        case Engine.LOADFM:
            return _loadfm(instr, arrays)
        case Engine.WRITEFM:
            return _writefm(instr, arrays)
        case Engine.COMP if "weights" in instr.fields:
            return _matrix(arrays)
        case Engine.COMP:
            return _elementwise(instr, arrays)


def _ddr_transfer(a: Arrays) -> dict[str, Used]:
    w, some = a["w"], (a["h"] > 0)[:, None]
    moves = some & (w > 0) & (a["c"] > 0)
    rows, pixels = moves & (a["h"] > 1)[:, None], moves & (w > 1)
    return {
        **dict.fromkeys(("ddr", "memtile", "w"), moves),
        "c": some & (w > 0),
        "row": rows,
        "pix": pixels,
        "drow": _some(rows, 1),
        "dpix": _some(pixels, 1),
    }


def _loadfm(instr: Instr, a: Arrays) -> dict[str, Used]:
    c, h = a["c"], a["h"][:, None]
    # Without `coff` it is one multicast for all rows: the first speaks for them.
    speaks = np.ones((c.shape[1], 1), np.bool_)
    speaks[1:] = "coff" in instr.fields
    takes = (h > 0) & _some((c > 0) & speaks, 1)
    found: dict[str, Used] = {}
    read = tall = wide = np.zeros((1, c.shape[2]), np.bool_)
    for address, width, neighbour in _NEIGHBOURS:
        piece = takes & (a[width] > 0)
        found[address] = found[width] = piece
        # The strides of a piece are those of the memtile that it lies in.
        read = read | _shifted(piece, neighbour)
        tall = tall | _shifted(piece & (h > 1), neighbour)
        wide = wide | _shifted(piece & (a[width] > 1), neighbour)
    pixels = (h > 0) & (a["wl"] + a["w"] + a["wr"] > 0)
    cores = np.broadcast_to(pixels[:, None, :], c.shape) & speaks
    found |= {"c": cores, "coff": cores & (c > 0), "row": tall, "pix": wide}
    return found | _steps(instr, read)


def _shifted(piece: Used, neighbour: int) -> Used:
    """By memtile, what is given by column."""
    out = np.zeros_like(piece)
    match neighbour:
        case -1:
            out[:, :-1] = piece[:, 1:]
        case 1:
            out[:, 1:] = piece[:, :-1]
        case _:
            return piece
    return out


def _writefm(instr: Instr, a: Arrays) -> dict[str, Used]:
    w, c = a["w"], a["c"]
    cores = np.broadcast_to((w > 0)[:, None, :], c.shape)
    column = (w > 0) & _some(c > 0, 1)
    return {
        **dict.fromkeys(("memtile", "w"), column),
        "c": cores,
        "coff": cores & (c > 0),
        "row": column & (a["h"] > 1)[:, None],
        "pix": column & (w > 1),
    } | _steps(instr, column)


def _steps(instr: Instr, moves: Used) -> dict[str, Used]:
    """The strides of the iterations."""
    outer, inner = (*instr.iters, 1)[:2]
    return {"hstep": moves & (outer > 1), "cstep": moves & (inner > 1)}


def _matrix(a: Arrays) -> dict[str, Used]:
    pixels, filters = a["w"] > 0, a["cout"] > 0
    some = _some(pixels, 1)[:, None]
    return {
        "blocks": filters,
        "cin": filters | some,
        "cres": filters & some,
        **_window(a, pixels),
    }


def _elementwise(instr: Instr, a: Arrays) -> dict[str, Used]:
    w, c = a["w"], a["c"]
    column = (w > 0) & _some(c > 0, 1)
    cores = np.broadcast_to((w > 0)[:, None, :], c.shape)
    found = {"w": column, "c": cores, "cin": cores & (c > 0)}
    if "s2" in a:
        found["s2"] = _second(a, column)
    if "up" in a:
        some = _some(column, 1)
        found |= {"hin": some, "ph": some, "win": column, "pw": column}
    return found | _window(a, column) if "k" in a else found


def _window(a: Arrays, columns: Used) -> dict[str, Used]:
    """The geometry of the columns that compute; a stride leads to a second output, a
    dilation to a second tap."""
    some = _some(columns, 1)
    return {
        **dict.fromkeys(("win", "pl", "pr"), columns),
        **dict.fromkeys(("hin", "pt", "pb"), some),
        "s": _second(a, columns),
        "d": a["k"] > 1,
    }


def _second(a: Arrays, columns: Used) -> Used:
    """Whether there is a second row, and a second column, of output for a stride to lead to."""
    rows = _some(columns, 1) & (a["h"] > 1)
    return np.stack([rows, _some(columns & (a["w"] > 1), 1)], axis=1)
