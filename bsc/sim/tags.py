"""What a byte is.

Every byte carries a tag: int8 or int32 at some position, or part of one load of weights.
What is read together must have one tag, and whoever computes with it must name it: a byte
that was never written, a wrong position, or a piece of something else is an error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bsc.asm.packed import Bytes
from bsc.errors import BscError

Tag = int
"""What a byte is, in 16 bits: the two lowest are its kind, the others say more of it."""

Tags = npt.NDArray[np.uint16]

UNWRITTEN, NUMBER, WEIGHT_NEW, WEIGHT_USED = 0, 1, 2, 3
KIND, SHIFT = 3, 2
_POSITIONS = 2**12
LOADS = 2**13
WEIGHTS: Tag = WEIGHT_USED
"""What packed weights are, once they have left a memtile."""


def tag_of(dtype: npt.DTypeLike, pos: int) -> Tag:
    """The tag of int8 or int32 numbers at a position.  Raises BscError beyond +-4095."""
    if abs(pos) >= _POSITIONS:
        raise BscError(f"position {pos} is not between {-_POSITIONS} and {_POSITIONS}")
    wide = int(np.dtype(dtype).itemsize == 4)
    return ((pos + _POSITIONS) << 1 | wide) << SHIFT | NUMBER


def describe(tag: Tag) -> str:
    """A tag in words."""
    kind, rest = tag & KIND, tag >> SHIFT
    if kind == NUMBER:
        return f"{'i32' if rest & 1 else 'i8'} at position {(rest >> 1) - _POSITIONS}"
    return "bytes that were never written" if kind == UNWRITTEN else "weights"


def expect(found: Tag, wanted: Tag, where: str) -> None:
    """Raises BscError if a tag is another one than it must be."""
    if found != wanted:
        raise BscError(f"{where} holds {describe(found)}, not {describe(wanted)}")


class Data(NamedTuple):
    """Bytes and what they are."""

    bytes: Bytes
    tag: Tag


def common_tag(tags: Tags, where: str) -> Tag:
    """The one tag of bytes that are read together.  Raises BscError if there are several,
    or if any byte was never written."""
    tag = int(tags.flat[0])
    if not tag & KIND or not (tags == tag).all():
        if not (tags & KIND).all():
            raise BscError(f"reads bytes of {where} that were never written")
        other = int(tags[tags != tag].flat[0])
        raise BscError(f"reads {where}, which holds {describe(tag)} and {describe(other)}")
    return tag


def as_used(tags: Tags) -> Tags:
    """The tags with no difference between weights that were used before and that were not."""
    return np.where(tags & KIND == WEIGHT_NEW, tags | WEIGHT_USED, tags).astype(np.uint16)
