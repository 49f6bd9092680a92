"""Weights beside the text: which file holds a module's large payloads.

`bsc.dialects.payload` defines the form of a payload; this module decides, when a module is
printed, where its bytes go.  References in a text are relative to the text's folder, so
the folder that the module came from matters as much as the one that it goes to:

- Nothing large without a file: no file is made.
- A payload whose file lies in or below the new folder keeps it, by its relative name.
- Any other large payload goes to the sidecar file; so do the payloads that refer to that
  very file, because it is about to be replaced.
- A sidecar that is there already with the same content is left alone.
- One with other content is replaced if the text that it belongs to is replaced too; a text
  that goes to a stream gets a sidecar with a name of its own instead, so that texts which
  refer to the old one stay whole.
"""

from __future__ import annotations

import filecmp
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation

from bsc.dialects.payload import INLINE_LIMIT, Payload, PayloadAttr, write_sidecar

SUFFIX = ".weights.bin"


class Sidecar(NamedTuple):
    """A sidecar file that the text refers to."""

    path: Path
    size: int
    changed: bool
    """Whether the file was written, rather than found with this content."""


def payload_of(attribute: Attribute) -> Payload:
    """The payload of an attribute that is known to hold one."""
    return cast(PayloadAttr, attribute).data


def is_large(payload: Payload) -> bool:
    """Whether the payload must not be written into a text and has no file yet."""
    return payload.file is None and payload.size > INLINE_LIMIT and not payload.is_splat


def save_payloads(
    module: ModuleOp, path: Path, origin: Path, replace: bool = True
) -> Sidecar | None:
    """Let all payloads of `module` be found from a text in the folder of `path`.

    `path` is the sidecar file to write if one is needed, `origin` the folder that file
    names in the module are relative to now; `replace` says whether a file `path` with
    other content may be replaced.  Returns the sidecar, or None if the module needs none.
    Raises OSError if it cannot be written.
    """
    folder = path.parent.resolve()
    _replace(module, lambda payload: _moved(payload, origin.resolve(), folder))
    if not (large := _large_payloads(module)):
        return None
    if replace:
        _replace(module, lambda payload: _detached(payload, path.name))
    elif path.exists() and not _holds(path, large):
        digest = hashlib.sha256("".join(p.digest for p in large).encode()).hexdigest()
        path = path.with_name(f"{path.name.removesuffix(SUFFIX)}.{digest[:8]}{SUFFIX}")
    with TemporaryDirectory(prefix=".bsc-", dir=path.parent) as aside:
        fresh = Path(aside) / path.name
        size = write_sidecar(module, fresh)
        changed = not (path.exists() and filecmp.cmp(fresh, path, shallow=False))
        if changed:
            fresh.replace(path)
    return Sidecar(path, size, changed)


def _large_payloads(module: ModuleOp) -> list[Payload]:
    """The payloads that a sidecar would hold, each once, in its order."""
    payloads = {id(attr.data): attr.data for _, _, attr in _payloads(module)}
    return [payload for payload in payloads.values() if is_large(payload)]


def _holds(path: Path, payloads: list[Payload]) -> bool:
    """Whether the file `path` is these payloads, one after the other."""
    with path.open("rb") as f:
        parts = (part for payload in payloads for part in payload.parts())
        return all(f.read(part.size) == part.tobytes() for part in parts) and not f.read(1)


def _moved(payload: Payload, origin: Path, folder: Path) -> Payload:
    """The payload with its file relative to `folder`, or without one if it is elsewhere."""
    if payload.file is None or origin == folder:
        return payload
    file = origin / payload.file
    if not file.is_relative_to(folder):
        return payload.at(None)
    return payload.at(file.relative_to(folder).as_posix(), payload.offset)


def _detached(payload: Payload, name: str) -> Payload:
    return payload.at(None) if payload.file == name else payload


def _payloads(module: ModuleOp) -> Iterator[tuple[Operation, str, PayloadAttr]]:
    for op in module.walk():
        for name, attr in op.properties.items():
            if isinstance(attr, PayloadAttr):
                yield op, name, attr


def _replace(module: ModuleOp, change: Callable[[Payload], Payload]) -> None:
    """Change every payload; one that several operations share stays shared."""
    done: dict[int, PayloadAttr] = {}
    for op, name, attr in list(_payloads(module)):
        payload = attr.data
        if id(payload) not in done:
            changed = change(payload)
            done[id(payload)] = attr if changed is payload else PayloadAttr(changed)
        op.properties[name] = done[id(payload)]
