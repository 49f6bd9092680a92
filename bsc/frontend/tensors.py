"""The numbers in the file: ONNX tensors as numpy arrays.

Nothing that the file says of itself is believed: an array is made only when as many bytes
are there as its dimensions ask for, so that no allocation is larger than the file.  Large
data is shared with the message or mapped from the file beside it, not copied.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from onnx import TensorProto

from bsc.frontend.problems import Refusal, quoted, text

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_TYPES: dict[int, tuple[str, str]] = {
    TensorProto.FLOAT: ("f4", "float_data"),
    TensorProto.DOUBLE: ("f8", "double_data"),
    TensorProto.INT8: ("i1", "int32_data"),
    TensorProto.UINT8: ("u1", "int32_data"),
    TensorProto.INT16: ("i2", "int32_data"),
    TensorProto.UINT16: ("u2", "int32_data"),
    TensorProto.INT32: ("i4", "int32_data"),
    TensorProto.INT64: ("i8", "int64_data"),
    TensorProto.BOOL: ("?", "int32_data"),
}
"""How each type is laid out, and the field that holds it when it is not raw."""

_NAMES: dict[int, str] = {
    **{number: name.lower() for name, number in TensorProto.DataType.items()},
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
}

_FIELDS = sorted({field for _, field in _TYPES.values()} | {"uint64_data", "string_data"})

_LARGEST_RANK = 16

LARGEST_TENSOR = 2**31 - 1
"""Elements of a tensor, or bytes of a weight: more than any machine here addresses."""


def type_name(data_type: int) -> str:
    """The name of an ONNX type, as numpy has it; `type 99` for one that does not exist."""
    return _NAMES.get(data_type, f"type {data_type}")


class ExternalFiles:
    """The files beside a model that hold its weights, each mapped once."""

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._mapped: dict[Path, Array] = {}

    def part(self, location: str, offset: int, size: int) -> Array:
        """`size` bytes at `offset` of the file `location`, a path relative to the model.

        Raises Refusal if that is not inside a file inside the model's folder.
        """
        what = f"external data {quoted(location)}"
        content = self._map(location, what)
        if offset < 0 or offset + size > len(content):
            raise Refusal(
                f"{what} has {len(content)} bytes, but {size} bytes at {offset} are asked for"
            )
        return content[offset : offset + size]

    def _map(self, location: str, what: str) -> Array:
        if self._folder is None:
            raise Refusal(f"{what} cannot be found for a model in memory: import its file")
        if not location or Path(location).is_absolute() or "\0" in location:
            raise Refusal(f"{what} must be a path relative to the model's folder")
        folder = self._folder.resolve()
        try:
            path = (folder / location).resolve()
            if not path.is_relative_to(folder):
                raise Refusal(f"{what} lies outside the model's folder: move it there")
            if path not in self._mapped:
                status = path.stat()
                if not stat.S_ISREG(status.st_mode):
                    raise Refusal(f"{what} is not a regular file")
                empty: Array = np.empty(0, np.uint8)
                self._mapped[path] = np.memmap(path, np.uint8, "r") if status.st_size else empty
        except FileNotFoundError:
            raise Refusal(f"{what} is missing: put it beside the model") from None
        except (OSError, RuntimeError) as e:
            # RuntimeError is what Python 3.11 raises for a loop of symbolic links.
            reason = e.strerror if isinstance(e, OSError) else str(e)
            raise Refusal(f"{what} cannot be read: {reason}") from None
        return self._mapped[path]


def array_of(tensor: TensorProto, files: ExternalFiles) -> Array | None:
    """The numbers of `tensor`, read only; None if they have a type that nothing here uses.

    Raises Refusal if its dimensions and its data do not agree.
    """
    dims = tuple(tensor.dims)
    if any(n < 0 for n in dims):
        raise Refusal(f"has dimensions {list(dims)}: none may be negative")
    if len(dims) > _LARGEST_RANK:
        raise Refusal(f"has {len(dims)} dimensions: at most {_LARGEST_RANK} are accepted")
    if tensor.HasField("segment"):
        raise Refusal("is stored in segments, which is not supported: store it whole")
    if tensor.data_type not in _TYPES:
        return None
    code, field = _TYPES[tensor.data_type]
    dtype = np.dtype(code).newbyteorder("<")
    size = math.prod(dims) * dtype.itemsize
    if tensor.data_location == TensorProto.EXTERNAL:
        flat = _external(tensor, files, size).view(dtype)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
        _check_size(len(raw), size, tensor, "bytes of raw data")
        flat = np.frombuffer(raw, dtype)
    else:
        flat = _typed(tensor, field, dtype, math.prod(dims))
    array = flat.reshape(dims)
    array.flags.writeable = False
    return array


def _check_size(found: int, needed: int, tensor: TensorProto, unit: str) -> None:
    if found != needed:
        raise Refusal(
            f"has {found} {unit}, but its dimensions {list(tensor.dims)} of "
            f"{type_name(tensor.data_type)} need {needed}"
        )


def _typed(tensor: TensorProto, field: str, dtype: np.dtype[Any], count: int) -> Array:
    """The numbers in one of the repeated fields."""
    others = [name for name in _FIELDS if name != field and len(getattr(tensor, name))]
    if others:
        raise Refusal(f"has its {type_name(tensor.data_type)} data in {others[0]}")
    values: Sequence[float] = getattr(tensor, field)
    _check_size(len(values), count, tensor, "values")
    wide: Array = np.array(values, {"i": "i8", "u": "i8", "b": "i8"}.get(dtype.kind, dtype))
    narrow = wide.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(narrow, wide):
        raise Refusal(f"has values that do not fit {type_name(tensor.data_type)}")
    return narrow


def _external(tensor: TensorProto, files: ExternalFiles, size: int) -> Array:
    """The bytes that a tensor's external data names."""
    entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
    numbers = {"offset": 0, "length": size}
    for key in numbers:
        given = entries.get(key, str(numbers[key]))
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            raise Refusal(f"external data has {key} {quoted(given)}, which is not a number")
        numbers[key] = int(given)
    _check_size(numbers["length"], size, tensor, "bytes of external data")
    if size > LARGEST_TENSOR:
        # A file may be as long as it likes without a byte on the disk.
        raise Refusal(f"has {size} bytes: at most {LARGEST_TENSOR} are accepted")
    return files.part(entries.get("location", ""), numbers["offset"], size)
