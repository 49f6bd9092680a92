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
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

INLINE_LIMIT = 4096
"""Payloads up to this many bytes stay in the text when a sidecar file is written."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Payload:
    """Immutable bytes, perhaps mapped from `file` (a name relative to the IR) at `offset`."""

    __slots__ = ("_digest", "content", "file", "offset")

    def __init__(self, content: npt.NDArray[Any], file: str | None = None, offset: int = 0):
        self.content = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
        if self.content.flags.writeable:
            self.content = self.content.view()
            self.content.setflags(write=False)
        self.file = file
        self.offset = offset
        self._digest: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.size

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal; computed once."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.content.data).hexdigest()
        return self._digest

    def as_array(self, dtype: type[_Scalar]) -> npt.NDArray[_Scalar]:
        """The bytes as a flat array of `dtype`, little endian, without a copy."""
        return self.content.view(np.dtype(dtype).newbyteorder("<"))

    @property
    def is_splat(self) -> bool:
        """Whether there are bytes and all of them are the same."""
        return self.size > 0 and bool((self.content == self.content[0]).all())

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
                payload = Payload(attr.data.content, path.name, offset)
                moved[id(attr.data)] = PayloadAttr(payload)
                offset += payload.size
            op.properties[name] = moved[id(attr.data)]
    if moved:
        # Written aside and renamed: a payload may be mapped from the very file replaced.
        aside = path.with_name(path.name + ".part")
        with aside.open("wb") as f:
            for attr in moved.values():
                f.write(attr.data.content.data)
        aside.replace(path)
    return offset
