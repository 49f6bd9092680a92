"""Pages of mapped files, and when they are no longer wanted.

The weights of a large model are views of a mapped file.  Pages that were read stay with the
process until the kernel needs memory for something else, and count as its own until then.  Who
is through with a weight gives its pages back; should anybody look again, they are mapped
again, from the kernel's cache or from the file.
"""

from __future__ import annotations

import mmap
from typing import Any, cast

import numpy as np
from numpy.lib.array_utils import byte_bounds


def give_back(array: np.ndarray[Any, Any]) -> None:
    """Give back the pages that the numbers of `array` lie in, if it is a view of a mapped file
    that nobody writes through."""
    whole = array
    while isinstance(base := cast("object", whole.base), np.ndarray):
        whole = cast("np.ndarray[Any, Any]", base)
    if not isinstance(base, mmap.mmap) or whole.flags.writeable or not array.size:
        return
    origin = np.frombuffer(base, np.uint8).ctypes.data
    low, high = (bound - origin for bound in byte_bounds(array))
    start = low - low % mmap.PAGESIZE
    # Not every system has the call, and nothing depends on it.
    if hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED, start, high - start)
