"""Reading a program text.

The text is the interface between compiler and machine, so nothing in it is taken on
trust: every line is checked for form, every list against the grid, every name against its
declaration, and a mistake is a one-line BscError with the line's number.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable

from bsc.arch import Arch
from bsc.asm.instr_parser import (
    check_fields,
    check_locks,
    check_position,
    hint,
    parse_int,
    parse_numbers,
    parse_words,
    split_pair,
)
from bsc.asm.isa import LAYER_OPS, VERSION
from bsc.asm.program import Alias, Elided, Layer, Lock, Port, Program, Ready, Stage, Tensor
from bsc.errors import BscError
from bsc.geometry import CHANNEL_GRANULE, ceil_div

_WORD = re.compile(r'\s*((?:[^\s"]+=)?"(?:[^"\\]|\\.)*"|[^\s"]+)(?=\s|$)')
ZERO_POINTS = {"float32": 0, "int8": 0, "uint8": 128}
"""The zero point of each type of the host's: with it every value fits the machine's int8."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.']*")


def parse_program(text: str, where: str = "program.asm") -> Program:
    """The program that `text` describes; `where` names it in messages.

    Raises BscError (`where:line: …`) for anything that is not a well-formed program.
    """
    reader = _Reader(Program("", Arch("")))
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if words := split_words(line):
                reader.line(words, number)
        except BscError as e:
            raise BscError(f"{where}:{number}: {e}") from None
    try:
        return reader.finish()
    except BscError as e:
        raise BscError(f"{where}: {e}") from None


def split_words(line: str) -> list[str]:
    """The words of a line up to its comment; a quoted string is one, or the end of one.

    Raises BscError for a quotation mark that is not closed, or inside a word.
    """
    words: list[str] = []
    at, end = 0, len(line.rstrip())
    while at < end:
        match = _WORD.match(line, at)
        if match is None:
            column = at + 1 + len(line[at:]) - len(line[at:].lstrip())
            raise BscError(f"column {column}: a quoted string is not closed, or not alone")
        if match[1].startswith("##"):
            break
        words.append(match[1])
        at = match.end()
    return words


class _Reader:
    """The state while a text is read: what has been declared so far."""

    def __init__(self, program: Program):
        self.program = program
        self.arch: dict[str, int | float | str] = {}
        self.ended = False
        self.version: int | None = None
        self.in_body = False
        self.computes: tuple[str, ...] = ()
        self.directives: dict[str, Callable[[list[str], int], None]] = {
            ".bsc": self._bsc,
            ".program": self._program,
            ".arch": self._arch,
            ".blob": self._blob,
            ".tensor": self._tensor,
            ".input": self._input,
            ".output": self._output,
            ".alias": self._alias,
            ".elided": self._elided,
            ".lock": self._lock,
            ".layer": self._layer,
            ".stage": self._stage,
            ".ready": self._ready,
            ".end": self._end,
        }

    def line(self, tokens: list[str], number: int) -> None:
        """The words of one line."""
        head = tokens[0]
        if self.ended:
            raise BscError(f"'{head}' after .end")
        if self.version is None and head != ".bsc":
            raise BscError(f"a program starts with '.bsc {VERSION}', not '{head}'")
        if not head.startswith("."):
            self._start_body()
            instr = parse_words(tokens, number)
            check_locks(instr, self.program.locks)
            check_fields(instr, self.program.arch)
            if instr.spec.is_compute and instr.mnemonic not in self.computes:
                wanted = " or ".join(self.computes) or "nothing"
                raise BscError(f"{instr.mnemonic} in a layer that computes with {wanted}")
            self.program.body.append(instr)
        elif head in self.directives:
            if head in (".layer", ".stage", ".ready"):
                self._start_body()
            elif self.in_body and head != ".end":
                raise BscError(f"{head} must stand before the first layer")
            self.directives[head](tokens[1:], number)
        else:
            raise BscError(f"unknown directive '{head}'{hint(head, self.directives)}")

    def finish(self) -> Program:
        """The program, if it is whole."""
        if not self.ended:
            raise BscError("no .end: the text is not whole")
        return self.program

    def _start_body(self) -> None:
        if not self.in_body:
            self.in_body = True
            self.program.arch = _make_arch(self.arch)

    def _bsc(self, args: list[str], number: int) -> None:
        (version,) = _expect(args, 1)
        self.version = parse_int(version)
        if self.version != VERSION:
            raise BscError(f"version {version}; this reader knows version {VERSION}")

    def _program(self, args: list[str], number: int) -> None:
        (name,) = _expect(args, 1)
        self.program.name = _string(name)

    def _arch(self, args: list[str], number: int) -> None:
        for arg in args:
            if arg.startswith('"'):
                self.arch["name"] = _string(arg)
                continue
            key, value = split_pair(arg)
            if key in self.arch:
                raise BscError(f".arch gives {key} twice")
            try:
                self.arch[key] = float(value) if "." in value else int(value)
            except ValueError:
                raise BscError(f".arch {key}: '{value}' is not a number") from None

    def _blob(self, args: list[str], number: int) -> None:
        given = _keys(args, ("bytes", "sha256"))
        self.program.blob_bytes = parse_int(given["bytes"], least=0)
        self.program.blob_sha256 = "" if given["sha256"] == "none" else given["sha256"]

    def _tensor(self, args: list[str], number: int) -> None:
        if len(args) < 2:
            raise BscError(".tensor needs a name and the ONNX name")
        given = _keys(args[2:], ("shape", "type", "pos", "pixel"), ("ddr", "order"))
        name = _fresh(args[0], self.program.tensors, "tensor")
        shape = parse_numbers(given["shape"])
        if len(shape) != 3 or min(shape) < 1:
            raise BscError(f"shape={given['shape']}: give H, W and C")
        h, w, c = shape
        _one_of(given, "type", ("i8", "i32"))
        tensor = Tensor(
            name,
            _string(args[1]),
            (h, w, c),
            given["type"],
            check_position(parse_int(given["pos"])),
            parse_int(given["pixel"], least=1),
            parse_int(given["ddr"], least=0) if "ddr" in given else None,
            parse_numbers(given["order"]) if "order" in given else (),
        )
        granules = ceil_div(c, CHANNEL_GRANULE)
        if tensor.order and sorted(tensor.order) != list(range(granules)):
            raise BscError(f"order must name each of {granules} granules of channels once")
        if tensor.order and c % CHANNEL_GRANULE and tensor.order[-1] != granules - 1:
            raise BscError(f"order: the last granule has only {c % CHANNEL_GRANULE} channels")
        if tensor.pixel < c * (1 if tensor.type == "i8" else 4):
            raise BscError(f"pixel={tensor.pixel} is too small for {c} channels")
        self.program.tensors[name] = tensor

    def _input(self, args: list[str], number: int) -> None:
        self.program.inputs.append(self._port(args))

    def _output(self, args: list[str], number: int) -> None:
        self.program.outputs.append(self._port(args))

    def _port(self, args: list[str]) -> Port:
        if len(args) < 2:
            raise BscError("give the tensor and the ONNX name")
        given = _keys(args[2:], ("dtype", "layout", "dims", "zero"))
        _one_of(given, "dtype", ZERO_POINTS)
        _one_of(given, "layout", ("NCHW", "NHWC"))
        tensor = self._known_tensor(args[0])
        if tensor.ddr is None or tensor.type != "i8":
            raise BscError(f"{args[0]} is the host's, so it must be i8 and have a DDR address")
        dims = parse_numbers(given["dims"])
        if tensor.order:
            raise BscError(f"tensor {args[0]} has an order, which the host does not know")
        if math.prod(dims) != math.prod(tensor.shape):
            raise BscError(f"dims={given['dims']} do not have the size of {args[0]}")
        zero, wanted = parse_int(given["zero"]), ZERO_POINTS[given["dtype"]]
        if zero != wanted:
            raise BscError(f"zero={zero}: the zero point of {given['dtype']} is {wanted}")
        return Port(args[0], _string(args[1]), given["dtype"], given["layout"], dims, zero)

    def _known_tensor(self, name: str) -> Tensor:
        if name not in self.program.tensors:
            raise BscError(f"unknown tensor '{name}'{hint(name, self.program.tensors)}")
        return self.program.tensors[name]

    def _alias(self, args: list[str], number: int) -> None:
        name, of = _expect(args, 2)
        target = _keys([of], ("of",))["of"]
        self._known_tensor(target)
        self.program.aliases.append(Alias(_string(name), target))

    def _elided(self, args: list[str], number: int) -> None:
        name, reason = _expect(args, 2)
        self.program.elided.append(Elided(_string(name), _string(reason)))

    def _lock(self, args: list[str], number: int) -> None:
        name, tile, init = _expect(args, 3)
        if tile not in ("core", "memtile", "ddr"):
            raise BscError(f"a lock is on a core, memtile or ddr tile, not '{tile}'")
        _fresh(name, self.program.locks, "lock")
        value = parse_int(_keys([init], ("init",))["init"], least=0)
        self.program.locks[name] = Lock(name, tile, value)

    def _layer(self, args: list[str], number: int) -> None:
        if not args:
            raise BscError(".layer needs a name")
        given = _keys(args[1:], ("op",), ("part",))
        part = _string(given["part"]) if "part" in given else ""
        if given["op"] not in LAYER_OPS:
            raise BscError(f"unknown op '{given['op']}'{hint(given['op'], LAYER_OPS)}")
        layer = Layer(_string(args[0]), part, given["op"], number)
        self.computes = LAYER_OPS[layer.op]
        self.program.body.append(layer)

    def _stage(self, args: list[str], number: int) -> None:
        (label,) = _expect(args, 1)
        self.program.body.append(Stage(label, number))

    def _ready(self, args: list[str], number: int) -> None:
        if not args:
            raise BscError(".ready needs a tensor")
        tensor = self._known_tensor(args[0])
        if args[1:] == ["ddr"]:
            if tensor.ddr is None:
                raise BscError(f"{args[0]} has no address in DDR")
            self.program.body.append(Ready(args[0], line=number))
            return
        given = _keys(args[1:], ("memtile", "spread"), ("bounds",))
        axis = given["spread"]
        if axis not in ("w", "c", "all") or (axis == "all") == ("bounds" in given):
            raise BscError("spread=w or c with bounds, or spread=all")
        bounds = parse_numbers(given.get("bounds", "[0]"))
        stored = tensor.pixel // (1 if tensor.type == "i8" else 4)
        size = {"w": tensor.shape[1], "c": stored}.get(axis, 0)
        if axis != "all" and not _cuts(bounds, size, self.program.arch.cols):
            raise BscError(f"bounds={given['bounds']} do not cut {axis.upper()} = {size}")
        address = parse_int(given["memtile"], least=0)
        self.program.body.append(Ready(args[0], address, axis, bounds, number))

    def _end(self, args: list[str], number: int) -> None:
        _expect(args, 0)
        self._start_body()
        self.ended = True


def _cuts(bounds: tuple[int, ...], size: int, pieces: int) -> bool:
    """Whether boundaries rise from 0 to `size`, one piece a column."""
    rising = list(bounds) == sorted(bounds) and bounds[0] == 0
    return rising and len(bounds) == pieces + 1 and bounds[-1] == size


def _make_arch(given: dict[str, int | float | str]) -> Arch:
    fields = {f.name: f for f in dataclasses.fields(Arch)}
    for key in given:
        if key not in fields:
            raise BscError(f".arch: unknown field '{key}'{hint(key, fields)}")
    for key in fields:
        if key not in given:
            raise BscError(f".arch: {key} is missing; a program carries the whole machine")
    return Arch(**given)  # pyright: ignore[reportArgumentType]  (checked by Arch itself)


def _keys(
    tokens: list[str], needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, str]:
    given: dict[str, str] = {}
    for key, value in map(split_pair, tokens):
        if key not in needed + optional:
            raise BscError(f"unknown key '{key}'{hint(key, needed + optional)}")
        if key in given:
            raise BscError(f"{key} is given twice")
        given[key] = value
    for key in needed:
        if key not in given:
            raise BscError(f"{key} is missing")
    return given


def _one_of(given: dict[str, str], key: str, legal: Iterable[str]) -> None:
    if given[key] not in legal:
        raise BscError(f"{key}={given[key]}: one of {', '.join(legal)}")


def _expect(args: list[str], count: int) -> list[str]:
    if len(args) != count:
        raise BscError(f"{count} values expected, {len(args)} given")
    return args


def _string(token: str) -> str:
    try:
        value: object = json.loads(token)
    except ValueError:
        value = None
    if not isinstance(value, str):
        raise BscError(f"{token} is not a quoted string")
    return value


def _fresh(name: str, taken: Iterable[str], what: str) -> str:
    if not _NAME.fullmatch(name):
        raise BscError(f"'{name}' is not a name")
    if name in taken:
        raise BscError(f"{what} '{name}' is declared twice")
    return name
