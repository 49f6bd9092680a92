"""
Slices of tensors, with the checks that upstream's operations lack, and names of values.

`tensor.extract_slice` and `tensor.insert_slice` are used as upstream defines them, with
static offsets and unit strides; an insert may have strides over rows and columns, as the
pieces of a `qnn.interleave` have.  Upstream verifies neither sizes nor encodings, so every
pass that relies on slices calls `verify_slice` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from xdsl.dialects.builtin import LocationAttr, NameLoc, TensorType
from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp, InsertSliceOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.qnn_attributes import shape_of

SLICE_OPS = (ExtractSliceOp, InsertSliceOp)


class Box(NamedTuple):
    """A part of an NHWC tensor: offsets and sizes of its four dimensions.  It consists of
    every `steps[0]`-th row and every `steps[1]`-th column."""

    offsets: tuple[int, int, int, int]
    sizes: tuple[int, int, int, int]
    steps: tuple[int, int] = (1, 1)

    @property
    def strides(self) -> tuple[int, int, int, int]:
        """The steps of all four dimensions."""
        return (1, *self.steps, 1)

    @property
    def ends(self) -> tuple[int, ...]:
        """Where it ends, dimension by dimension."""
        parts = zip(self.offsets, self.sizes, self.strides, strict=True)
        return tuple(first + (size - 1) * step + 1 for first, size, step in parts)

    def part(self, box: Box) -> Box:
        """The part `box` of this part."""
        moves = zip(self.offsets, box.offsets, self.strides, strict=True)
        n, h, w, c = (first + lo * step for first, lo, step in moves)
        rows, columns = (a * b for a, b in zip(self.steps, box.steps, strict=True))
        return Box((n, h, w, c), box.sizes, (rows, columns))


def extract(source: SSAValue, box: Box) -> ExtractSliceOp:
    """The part `box` of `source`, with its position."""
    type = cast(TensorType, source.type)
    result = TensorType(type.element_type, box.sizes, type.encoding)
    return ExtractSliceOp(source, box.offsets, box.sizes, (1, 1, 1, 1), result)


def insert(source: SSAValue, into: SSAValue, box: Box) -> InsertSliceOp:
    """`into` with `source` written over its part `box`."""
    return InsertSliceOp.from_static_parameters(
        source, into, box.offsets, box.sizes, box.strides
    )


def box_of(op: ExtractSliceOp | InsertSliceOp) -> Box:
    """The part of the larger tensor that a slice operation names."""
    offsets = cast(tuple[int, int, int, int], tuple(op.static_offsets.get_values()))
    sizes = cast(tuple[int, int, int, int], tuple(op.static_sizes.get_values()))
    _, rows, columns, _ = op.static_strides.get_values()
    return Box(offsets, sizes, (rows, columns))


def verify_slice(op: ExtractSliceOp | InsertSliceOp) -> None:
    """Check offsets, sizes, strides and encodings.  Raises VerifyException."""
    _verify_strides(op)
    # By number, which is much faster than by name: there are no others.
    values = (op.result, *op.operands) if isinstance(op, ExtractSliceOp) else op.operands
    small, large = (value.type for value in values)
    box, whole = box_of(op), shape_of(large)
    inside = all(
        0 <= o and e <= n for o, e, n in zip(box.offsets, box.ends, whole, strict=True)
    )
    if not inside:
        raise VerifyException(
            f"{op.name}: offsets {list(box.offsets)}, sizes {list(box.sizes)} reach beyond "
            f"{list(whole)}"
        )
    if shape_of(small) != box.sizes:
        raise VerifyException(
            f"{op.name}: the slice has shape {list(shape_of(small))}, sizes say "
            f"{list(box.sizes)}"
        )
    a, b = cast(TensorType, small), cast(TensorType, large)
    if (a.element_type, a.encoding) != (b.element_type, b.encoding):
        raise VerifyException(f"{op.name}: {a} and {b} differ in element or position")


def _verify_strides(op: ExtractSliceOp | InsertSliceOp) -> None:
    """Check that all is known, and that only an insert has strides over rows and columns."""
    strides = list(op.static_strides.get_values())
    extracts = isinstance(op, ExtractSliceOp)
    dynamic = len(op.operands) > (1 if extracts else 2)
    if dynamic or (extracts and set(strides) != {1}):
        raise VerifyException(f"{op.name}: offsets and sizes must be static, strides 1")
    if (strides[0], strides[3]) != (1, 1) or min(strides) < 1:
        raise VerifyException(
            f"{op.name}: strides of rows and columns are 1 or more, the others 1, not {strides}"
        )


def assembled_from(value: SSAValue) -> list[InsertSliceOp] | None:
    """The chain of inserts that made `value` from a `tensor.empty`, first to last, or None
    if it was not made so."""
    chain: list[InsertSliceOp] = []
    while isinstance(value.owner, InsertSliceOp):
        chain.append(value.owner)
        value = value.owner.dest
    return chain[::-1] if isinstance(value.owner, EmptyOp) else None


def name_of(value: SSAValue | Operation) -> str:
    """The ONNX name, else the SSA name, else the operation's name: for messages."""
    op = value.owner if isinstance(value, SSAValue) else value
    if isinstance(op, Operation):
        if (name := location_name(op.location)) is not None:
            return name
        hints = [result.name_hint for result in op.results if result.name_hint]
        return f"%{hints[0]}" if hints else op.name
    if isinstance(value, BlockArgument):
        return f"%{value.name_hint or f'arg{value.index}'}"
    return "value"


def part_of(op: Operation) -> tuple[str, str]:
    """The name of the operation that a piece was cut from, and which piece it is: for
    `conv1[h 0:28]` these are `conv1` and `h 0:28`; the piece is empty for a whole one."""
    location = op.location
    base = name_of(op)
    while isinstance(location, NameLoc) and isinstance(location.location, NameLoc):
        location = location.location
        base = location.desc.data
    piece = name_of(op).removeprefix(base)
    return base, piece.replace("][", ", ").strip("[]")


def tensor_name(location: LocationAttr) -> str | None:
    """The ONNX name of a tensor; None for a piece, whose location is nested in that of the
    whole, and for what only the compiler knows."""
    if isinstance(location, NameLoc) and isinstance(location.location, NameLoc):
        return None
    return location_name(location)


def location_name(location: LocationAttr) -> str | None:
    """The name in a `loc("name")`."""
    return location.desc.data if isinstance(location, NameLoc) else None


def named(op: Operation, like: Operation | Sequence[Operation]) -> Operation:
    """`op`, with the location of the operation that it stands for."""
    sources = [like] if isinstance(like, Operation) else like
    op.location = sources[0].location
    return op
