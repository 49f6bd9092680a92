"""What a sweep has found, kept in files under a hash of all that it depends on.

    DIR/models/NAME-SPARSITY-KEY.onnx   a built-in network as `bsc prepare` makes it
    DIR/cells/KEY.json                  what is known of a cell

The key of a cell hashes the bytes of the model, every field of the machine, whether the values
were checked, the source of bsc and the versions of the packages that it stands on; that of a
model the source and packages that make it.  A changed compiler thus finds nothing of its
predecessor, and nothing has to be thrown away by hand.  Failures are not kept: they are tried
again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from bsc.arch import Arch
from bsc.errors import BscError
from bsc.folder import written_whole
from bsc.frontend.load import load
from bsc.sweep.measure import Measured, Times

_FORMAT = 1
_PREPARES = ("errors.py", "sessions.py", "prepare")
_ASIDE = ("tools", "report", "prepare")
"""Parts of bsc on which a measured cell does not depend, other than by the model."""


class Cache:
    """A folder of models and measured cells.  Raises BscError if it cannot be one."""

    def __init__(self, folder: Path):
        self.models = folder / "models"
        self.cells = folder / "cells"
        try:
            for path in (self.models, self.cells):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise BscError(f"{folder}: cannot keep a cache there: {e.strerror}") from None

    def model_path(self, network: str, sparsity: float) -> Path:
        """Where a built-in network is, or has to be put."""
        key = _hash(network, repr(sparsity), prepare_hash())
        return self.models / f"{network}-{sparsity:g}-{key[:12]}.onnx"

    def find(self, key: str) -> Measured | None:
        """What is known under a key."""
        path = self.cells / f"{key}.json"
        if not path.is_file():
            return None
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        times = {name: Times(**values) for name, values in content.pop("timings").items()}
        return Measured(times, **content)

    def keep(self, key: str, measured: Measured) -> None:
        """Remember what was measured."""
        text = json.dumps(dataclasses.asdict(measured), indent=1)
        with written_whole(self.cells / f"{key}.json") as aside:
            aside.write_text(text, encoding="utf-8")


def cell_key(model: bytes, arch: Arch, check: bool = False) -> str:
    """What a cell is kept under, with its values checked or not."""
    machine = json.dumps(dataclasses.asdict(arch), sort_keys=True)
    return _hash(model, machine, repr(check), compiler_hash())


def content_of(path: Path) -> bytes:
    """A model as one run of bytes, with its external data if it has any."""
    model = load(path).model
    if any(uses_external_data(tensor) for tensor in model.graph.initializer):
        load_external_data_for_model(model, str(path.parent))
        return model.SerializeToString()
    return path.read_bytes()


@cache
def compiler_hash() -> str:
    """Of the source that compiles, checks and measures, and of what it stands on."""
    files = (path for path in _source() if path.parts[0] not in _ASIDE)
    return _hash_files(files, "xdsl", "numpy", "onnx", "onnxruntime")


@cache
def prepare_hash() -> str:
    """Of the source that makes built-in networks, and of what it stands on."""
    files = (path for path in _source() if path.parts[0] in _PREPARES)
    return _hash_files(files, "numpy", "onnx", "onnxruntime")


_ROOT = Path(__file__).resolve().parents[1]
"""The folder of the package."""


def _source() -> Iterator[Path]:
    """All code and data of the package that matter, relative to it; links are followed."""
    for folder, _, names in os.walk(_ROOT, followlinks=True):
        for name in names:
            path = Path(folder, name).relative_to(_ROOT)
            if path.suffix in (".py", ".toml"):
                yield path


def _hash_files(paths: Iterator[Path], *packages: str) -> str:
    parts: list[str | bytes] = [f"{name} {version(name)}" for name in packages]
    for path in sorted(paths):
        parts += [path.as_posix(), (_ROOT / path).read_bytes()]
    return _hash(*parts)


def _hash(*parts: str | bytes) -> str:
    """One hash of several parts, each told from the next by its length."""
    total = hashlib.sha256(str(_FORMAT).encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()
