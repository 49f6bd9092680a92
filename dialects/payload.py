"""
Bytes that stay beside the IR.

A network has tens of megabytes of weights, and text is the wrong place for them: 25 MB of
int8 print as 50 MB and parse at 15 µs a number.  A payload is written as the hash of its
bytes and the place of a file that holds them, relative to the folder of the `.mlir` file:

    #bsw.payload<sha256 "9f86d08...", file "resnet50.weights.bin", at 4096, size 36864>

The *parser* maps the file and checks the hash, so passes read no files, and any tool that
knows the dialect can read the IR.  A payload that has no file is written inline:

    #bsw.payload<base64 "AAECAw==">

or, if all bytes are the same, as one of them, which keeps hand-written tests short:

    #bsw.payload<splat 1, size 36864>
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from bsc.mapped import give_back

INLINE_LIMIT = 4096
"""Payloads up to this many bytes stay in the text when a sidecar file is written."""

_PART = 2**22
"""Bytes that are put together at once, unless a single row has more."""

Orders: TypeAlias = Mapping[int, npt.NDArray[np.int64]]
"""For some axes, the index that comes to each place."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Payload:
    """Immutable bytes: those of an array in C order, perhaps found in `file` (a name relative
    to the IR) at `offset`.

    A weight may be as large as memory.  So the array stays as it is, a transposed view of a
    mapped file perhaps, and so do the orders that passes give to its channels: `orders` has,
    for some of the axes, the index that comes to each place.  Bytes are put together when they
    are asked for, as far as they are asked for, and are not kept.
    """

    __slots__ = ("_array", "_digest", "_is_splat", "_orders", "file", "offset")

    def __init__(
        self,
        array: npt.NDArray[Any],
        file: str | None = None,
        offset: int = 0,
        orders: Orders | None = None,
    ):
        self._array = np.atleast_1d(array)
        if self._array.flags.writeable:
            self._array = self._array.view()
            self._array.setflags(write=False)
        self._orders: Orders = orders or {}
        self.file = file
        self.offset = offset
        self._digest: str | None = None
        self._is_splat: bool | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self._array.nbytes

    @property
    def array(self) -> npt.NDArray[Any]:
        """The numbers in their shape; a copy only where an axis has an order."""
        return self.rows(0, len(self._array)) if self._orders else self._array

    def rows(self, lo: int, hi: int) -> npt.NDArray[Any]:
        """The numbers from `lo` to `hi` of the first axis; a copy unless they lie like that."""
        first = self._orders.get(0)
        part = self._array[lo:hi] if first is None else self._array[first[lo:hi]]
        part = np.ascontiguousarray(part)
        for axis, order in self._orders.items():
            if axis:
                part = part.take(order, axis)
        return part

    @property
    def content(self) -> npt.NDArray[np.uint8]:
        """The bytes, all at once; a copy unless they lie like that."""
        return np.ascontiguousarray(self.array).reshape(-1).view(np.uint8)

    def parts(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The bytes, some at a time."""
        step = max(1, _PART // max(1, self._array[:1].nbytes))
        for lo in range(0, len(self._array), step):
            try:
                yield self.rows(lo, lo + step).reshape(-1).view(np.uint8)
            finally:
                self.give_back()

    def give_back(self) -> None:
        """Let go of what is mapped of a file, until it is asked for again."""
        give_back(self._array)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal; computed once."""
        if self._digest is None:
            found = hashlib.sha256()
            for part in self.parts():
                found.update(part.data)
            self._digest = found.hexdigest()
        return self._digest

    def write(self, stream: BinaryIO) -> None:
        """Write the bytes, and compute their digest on the way."""
        found = hashlib.sha256()
        for part in self.parts():
            stream.write(part.data)
            found.update(part.data)
        self._digest = found.hexdigest()

    def as_array(self, dtype: type[_Scalar]) -> npt.NDArray[_Scalar]:
        """The bytes as a flat array of `dtype`, little endian; a copy only if `content` is."""
        return self.content.view(np.dtype(dtype).newbyteorder("<"))

    def shaped(self, dtype: type[np.generic], shape: tuple[int, ...]) -> Payload:
        """The same bytes with an array of this type and shape."""
        if self._array.dtype == dtype and self._array.shape == shape:
            return self
        return Payload(self.as_array(dtype).reshape(shape), self.file, self.offset)

    def reordered(self, orders: Orders) -> Payload:
        """The bytes after these axes were put into another order."""
        before = self._orders
        after = {
            axis: before[axis][order] if axis in before else order
            for axis, order in orders.items()
        }
        return Payload(self._array, orders={**before, **after})

    def at(self, file: str | None, offset: int = 0) -> Payload:
        """The same bytes, in another file or in none."""
        moved = Payload(self._array, file, offset, self._orders)
        moved._digest, moved._is_splat = self._digest, self._is_splat
        return moved

    @property
    def is_splat(self) -> bool:
        """Whether there are bytes and all of them are the same; found out once."""
        if self._is_splat is None:
            parts = self.parts()
            first = next(parts, None)
            self._is_splat = first is not None and all(
                bool((part == first[0]).all()) for part in chain([first], parts)
            )
        return self._is_splat

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payload) and (
            self is other or (self.size == other.size and self.digest == other.digest)
        )

    def __hash__(self) -> int:
        # Not the digest: hashing an attribute must not read megabytes.
        return hash(self.size)


@irdl_attr_definition
class PayloadAttr(Data[Payload]):
    """A `Payload` as an attribute; see the module's documentation for the two forms."""

    name = "bsw.payload"

    @staticmethod
    def of(array: npt.NDArray[Any]) -> PayloadAttr:
        """The bytes of `array`, in C order and little endian."""
        return PayloadAttr(Payload(array))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Payload:
        with parser.in_angle_brackets():
            if parser.parse_optional_keyword("base64"):
                return _parse_inline(parser)
            if parser.parse_optional_keyword("splat"):
                return _parse_splat(parser)
            return _parse_reference(parser)

    def print_parameter(self, printer: Printer) -> None:
        payload = self.data
        with printer.in_angle_brackets():
            if payload.is_splat:
                printer.print_string(f"splat {payload.content[0]}, size {payload.size}")
                return
            if payload.file is None:
                # Not print_string_literal, which escapes character by character.
                text = base64.b64encode(payload.content.data).decode()
                printer.print_string(f'base64 "{text}"')
                return
            printer.print_string(f'sha256 "{payload.digest}", file ')
            printer.print_string_literal(payload.file)
            printer.print_string(f", at {payload.offset}, size {payload.size}")


def _parse_inline(parser: AttrParser) -> Payload:
    pos = parser.pos
    text = parser.parse_str_literal()
    try:
        return Payload(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    except ValueError as e:
        parser.raise_error(f"not base64: {e}", pos)


_LARGEST_SPLAT = 2**27
"""More than any layer has: a number in a text must not become more memory than there is."""


def _parse_splat(parser: AttrParser) -> Payload:
    pos = parser.pos
    value = parser.parse_integer()
    if not 0 <= value < 256:
        parser.raise_error(f"a byte is 0 to 255, not {value}", pos)
    parser.parse_punctuation(",")
    parser.parse_keyword("size")
    pos = parser.pos
    size = parser.parse_integer(allow_negative=False)
    if size > _LARGEST_SPLAT:
        parser.raise_error(f"size {size} is larger than {_LARGEST_SPLAT}", pos)
    return Payload(np.broadcast_to(np.uint8(value), size))


def _parse_reference(parser: AttrParser) -> Payload:
    parser.parse_keyword("sha256")
    pos = parser.pos
    digest = parser.parse_str_literal()
    parser.parse_characters(",")
    parser.parse_keyword("file")
    name = parser.parse_str_literal()
    parser.parse_characters(",")
    parser.parse_keyword("at")
    offset = parser.parse_integer(allow_negative=False)
    parser.parse_characters(",")
    parser.parse_keyword("size")
    size = parser.parse_integer(allow_negative=False)

    if Path(name).is_absolute() or ".." in Path(name).parts:
        parser.raise_error(f"payload file '{name}' is outside the folder of the IR", pos)
    path = Path(parser.lexer.input.name).parent / name
    try:
        mapped = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as e:
        parser.raise_error(f"cannot map the payload file '{path}': {e}", pos)
    if offset + size > mapped.size:
        parser.raise_error(
            f"'{path}' has {mapped.size} bytes, but the payload ends at {offset + size}", pos
        )
    payload = Payload(mapped[offset : offset + size], name, offset)
    if payload.digest != digest:
        parser.raise_error(f"'{path}' at {offset} does not have the hash {digest[:12]}…", pos)
    return payload


def write_sidecar(module: ModuleOp, path: Path) -> int:
    """
    Move the module's large payloads into the file `path` and let the attributes refer to it.

    Payloads that already have a file, or fit in `INLINE_LIMIT`, stay as they are.  Returns
    the number of bytes written; with 0 no file is made.
    """
    moved: dict[int, PayloadAttr] = {}
    offset = 0
    for op in module.walk():
        for name, attr in op.properties.items():
            if not isinstance(attr, PayloadAttr) or attr.data.file is not None:
                continue
            if attr.data.size <= INLINE_LIMIT or attr.data.is_splat:
                continue
            if id(attr.data) not in moved:
                payload = attr.data.at(path.name, offset)
                moved[id(attr.data)] = PayloadAttr(payload)
                offset += payload.size
            op.properties[name] = moved[id(attr.data)]
    if moved:
        # Written aside and renamed: a payload may be mapped from the very file replaced.
        aside = path.with_name(path.name + ".part")
        with aside.open("wb") as f:
            for attr in moved.values():
                attr.data.write(f)
        aside.replace(path)
    return offset
