"""Tensors in files: `.npy` for one, `.npz` for several by name.  Nothing is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from bsc.errors import BscError
from bsc.folder import written_whole

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


def read_arrays(file: str | Path) -> Array | dict[str, Array]:
    """The array in a `.npy` file, or the arrays by name in a `.npz` file.

    Raises BscError if there is no such file or if it is neither.
    """
    path = Path(file)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise BscError(f"{path}: {what}: give a .npy or .npz file")
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return cast(Array, loaded)
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as e:
        # What numpy cannot read it takes for a pickle, and explains how to load one.
        reason = "" if "pickle" in str(e) else f": {' '.join(str(e).split())}"
        raise BscError(f"{path}: not a .npy or .npz file of numbers{reason}") from None


def write_arrays(file: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write a `.npz` file, all of it or nothing; the same arrays give the same bytes.

    A name may be anything that ONNX allows, which `numpy.savez` does not.  Raises BscError
    or OSError if the file cannot be written.
    """
    with written_whole(file) as aside, zipfile.ZipFile(aside, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _FIRST_DATE)
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
