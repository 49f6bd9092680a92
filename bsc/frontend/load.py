"""From a path to a protobuf message that may be an ONNX model.

Only what concerns the file as a whole is judged here: that it can be read, that it is
ONNX, and that its versions are known.  An empty file is a valid protobuf message, and so
is much else, so the fields that every ONNX model has are asked for.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError

from bsc.errors import ModelError
from bsc.frontend.problems import Problems

OLDEST_OPSET = 10
"""The first ONNX opset with QuantizeLinear."""

LARGEST_FILE = 2**31 - 1


class File(NamedTuple):
    """A model, the name to call it by, and the folder of its external data, if it has one."""

    model: onnx.ModelProto
    where: str
    folder: Path | None


def load(source: str | Path | onnx.ModelProto | File) -> File:
    """The model in the file `source`, or `source` itself; external data stays outside.

    Raises ModelError if there is no such file or if it is not an ONNX model.
    """
    if isinstance(source, File):
        return source
    if isinstance(source, onnx.ModelProto):
        file = File(source, f"model '{source.graph.name}'", None)
    else:
        path = Path(source)
        file = File(_parse(_read(path), str(path)), str(path), path.parent)
    missing = [f for f in ("ir_version", "graph") if not file.model.HasField(f)]
    if missing:
        raise _refused(file.where, f"not an ONNX model: it has no {' and no '.join(missing)}")
    return file


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _refused(path, "is a folder: give the .onnx file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "not a regular file: give an .onnx file")
        if status.st_size > LARGEST_FILE:
            raise _refused(
                path,
                f"has {status.st_size} bytes, an ONNX file has at most {LARGEST_FILE}: save "
                "the weights as external data",
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise _refused(path, "no such file") from None
    except (OSError, ValueError) as e:
        # A path with a null byte is a ValueError.
        reason = e.strerror if isinstance(e, OSError) else str(e)
        raise _refused(repr(str(path)), f"cannot read the file: {reason}") from None
    if not content:
        raise _refused(path, "not an ONNX model: the file is empty")
    return content


def _parse(content: bytes, where: str) -> onnx.ModelProto:
    try:
        return onnx.ModelProto.FromString(content)
    except (DecodeError, UnicodeDecodeError):
        raise _refused(
            where,
            f"not an ONNX model: its {len(content)} bytes are no ONNX protobuf message, or a "
            "truncated one",
        ) from None


def _refused(where: str | Path, problem: str) -> ModelError:
    return ModelError(str(where), [problem])


def opset_of(model: onnx.ModelProto, problems: Problems) -> int:
    """The opset of the default domain; notes versions that are not known.

    Opsets of other domains are of no interest: producers list many that they do not use.
    """
    newest_ir, newest = int(onnx.IR_VERSION), onnx.defs.onnx_opset_version()
    if not 1 <= model.ir_version <= newest_ir:
        problems.add(
            f"IR version {model.ir_version} is not known: 1 to {newest_ir} are accepted"
        )
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    accepted = f"{OLDEST_OPSET} to {newest} are accepted"
    if not versions:
        problems.add(f"does not say which ONNX opset it needs: {accepted}")
        return newest
    if len(set(versions)) > 1:
        several = " and ".join(map(str, sorted(set(versions))))
        problems.add(f"says that it needs the ONNX opsets {several}: one is accepted")
    if not OLDEST_OPSET <= versions[0] <= newest:
        problems.add(f"opset {versions[0]} is not supported: {accepted}")
        return newest
    return versions[0]
