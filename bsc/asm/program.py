"""A program as data: declarations, then layers, stages and instructions in text order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from bsc.arch import Arch
from bsc.asm.isa import SPECS, Field, Kind, Spec
from bsc.errors import BscError
from bsc.numerics import Epilogue

Value: TypeAlias = "int | tuple[Value, ...]"
"""A number, or numbers along the axes of a field, perhaps for each iteration."""

IntArray = npt.NDArray[np.int64]

T = TypeVar("T")


class Slots(NamedTuple):
    """Core buffers used in turn: the ping and the pong, each for `period` iterations."""

    addresses: tuple[int, ...]
    period: int = 1

    def at(self, iteration: int) -> int:
        """The address that an iteration uses."""
        return self.addresses[iteration // self.period % len(self.addresses)]


class LockUse(NamedTuple):
    """
    One acquire or release.

    `names` are the families used in turn (the lock of the ping and that of the pong), and
    `amount` is taken from or added to the value.  It happens once in `period` iterations:
    an acquire before the first of them, a release after the last.  `where` selects the
    semaphore: "" the own tile's; "l" and "r" the one shared with that neighbour, on the
    memtile that is read; "all" every column's, once all columns have come so far.
    """

    names: tuple[str, ...]
    amount: int = 1
    period: int = 1
    where: str = ""

    def at(self, iteration: int) -> str:
        """The family that an iteration uses."""
        return self.names[iteration // self.period % len(self.names)]

    def acquires_at(self, iteration: int) -> bool:
        """Whether an acquire happens before this iteration."""
        return iteration % self.period == 0

    def releases_at(self, iteration: int) -> bool:
        """Whether a release happens after this iteration."""
        return iteration % self.period == self.period - 1


class Post(NamedTuple):
    """The steps from an exact value to the stored one."""

    steps: Epilogue


FieldValue: TypeAlias = "Value | Slots | Post | str"


@dataclass(frozen=True)
class Numbers:
    """The numbers of an instruction on a machine, and what has been worked out from them."""

    arch: Arch
    arrays: dict[str, IntArray]
    kept: dict[Hashable, object] = field(default_factory=dict[Hashable, object])


@dataclass(frozen=True)
class Instr:
    """
    One instruction.  `iters` are its iterations, outer ones first.

    `lock` is the word `Lock` of the text: transfers into a core release it when the data
    is there, a WRITEFM acquires it before it reads.
    """

    mnemonic: str
    iters: tuple[int, ...]
    fields: dict[str, FieldValue]
    lock: LockUse | None = None
    acquire: tuple[LockUse, ...] = ()
    release: tuple[LockUse, ...] = ()
    line: int = 0
    _numbers: Numbers | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def spec(self) -> Spec:
        """The instruction's row in the instruction set."""
        return SPECS[self.mnemonic]

    @property
    def count(self) -> int:
        """All iterations."""
        return math.prod(self.iters)

    @property
    def acquires(self) -> tuple[LockUse, ...]:
        """All that it acquires, the word `Lock` among it."""
        if self.lock is not None and self.mnemonic == "WRITEFM":
            return (self.lock, *self.acquire)
        return self.acquire

    @property
    def releases(self) -> tuple[LockUse, ...]:
        """All that it releases, the word `Lock` among it."""
        if self.lock is not None and self.mnemonic != "WRITEFM":
            return (self.lock, *self.release)
        return self.release

    def slots(self, name: str) -> Slots:
        """A field that names core buffers."""
        value = self.fields[name]
        assert isinstance(value, Slots)
        return value

    def arrays(self, arch: Arch) -> dict[str, IntArray]:
        """The numbers of the fields as arrays over (iterations or 1, *axes); 0 for optional
        ones that are not there.  Not to be written to.

        Raises BscError for one that does not fit the grid.  They are kept, as an instruction
        is looked at many times from its making to its time.
        """
        return self._expanded(arch).arrays

    def kept(self, arch: Arch, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` says of the numbers and whatever `key` names besides, made once for
        all instructions that have these numbers (`like`)."""
        found = self._expanded(arch).kept
        if key not in found:
            found[key] = make()
        return cast("T", found[key])

    def _expanded(self, arch: Arch) -> Numbers:
        if self._numbers is None or self._numbers.arch is not arch:
            arrays = {
                field.name: expand(value, field, arch, self.count)
                for field in self.spec.fields
                if isinstance(value := self.fields.get(field.name, 0), int | tuple)
                and not isinstance(value, Slots | Post)
            }
            object.__setattr__(self, "_numbers", numbers := Numbers(arch, arrays))
            return numbers
        return self._numbers

    def like(self, other: Instr) -> Instr:
        """This instruction, which has the numbers of another one, and so its `arrays`."""
        object.__setattr__(self, "_numbers", other._numbers)
        return self

    def at_line(self, line: int) -> Instr:
        """This instruction on a line of a text."""
        acquire, release = self.acquire, self.release
        made = Instr(self.mnemonic, self.iters, self.fields, self.lock, acquire, release, line)
        return made.like(self)

    def with_fields(self, fields: dict[str, FieldValue]) -> Instr:
        """This instruction with other buffers, but the same numbers."""
        acquire, release = self.acquire, self.release
        made = Instr(self.mnemonic, self.iters, fields, self.lock, acquire, release, self.line)
        return made.like(self)

    def number(self, name: str, default: int = 0) -> int:
        """A field without axes."""
        value = self.fields.get(name, default)
        assert isinstance(value, int)
        return value

    def post(self) -> Epilogue:
        """The steps of `post`; empty without one."""
        value = self.fields.get("post")
        return value.steps if isinstance(value, Post) else ()


def axis_size(axis: str, arch: Arch) -> int:
    """How many numbers a list along `axis` has."""
    sizes = {
        "col": arch.cols,
        "row": arch.rows,
        "link": len(arch.weight_links),
        "pair": 2,
    }
    return sizes[axis]


def depth(value: Value) -> int:
    """The number of dimensions of a value; 0 for a number."""
    return 0 if isinstance(value, int) else 1 + depth(value[0])


def expand(value: Value, spec: Field, arch: Arch, count: int) -> IntArray:
    """
    The value of a field as an array of shape (iterations or 1, *axes).

    A number stands for all; a list runs along the field's first axes.  Raises BscError if
    the lengths do not fit the machine or the number of iterations, or if a number is
    negative that must not be.
    """
    sizes = tuple(axis_size(axis, arch) for axis in spec.axes)
    if isinstance(value, int) and (value >= 0 or spec.kind is Kind.POSITION):
        return _filled(value, sizes)
    try:
        array = np.array(value, np.int64)
    except (ValueError, OverflowError):
        raise BscError(f"{spec.name}: not a regular list of numbers") from None
    if spec.kind is not Kind.POSITION and array.size and array.min() < 0:
        raise BscError(f"{spec.name}: {int(array.min())} is negative")
    per_iteration = spec.varies and array.ndim == len(sizes) + 1
    expected = (count, *sizes) if per_iteration else sizes[: array.ndim]
    if array.shape != expected or (array.size == 0):
        axes = " x ".join(("iteration", *spec.axes) if per_iteration else spec.axes)
        wanted = " x ".join(map(str, expected)) or "a number"
        raise BscError(f"{spec.name}: a list over {axes or 'nothing'} must be {wanted}")
    if per_iteration or array.ndim == len(sizes):
        return array if per_iteration else array[None]
    array = array.reshape(1, *array.shape, *(1,) * (len(sizes) - array.ndim))
    return np.broadcast_to(array, (array.shape[0], *sizes))


@functools.lru_cache(maxsize=1 << 14)
def _filled(value: int, sizes: tuple[int, ...]) -> IntArray:
    """A number as an array of shape (1, *sizes)."""
    return np.broadcast_to(np.array(value, np.int64), (1, *sizes))


def compact(array: npt.ArrayLike) -> Value:
    """The shortest value that `expand` turns back into `array` (of its axes only)."""
    a = np.asarray(array)
    if a.ndim and (a.size == 1 or (a == a.flat[0]).all()):
        return int(a.flat[0])
    if a.ndim == 2 and (a == a[:, :1]).all():
        a = a[:, 0]
    return _nested(a.tolist())


def compact_iterations(array: npt.ArrayLike) -> Value:
    """As `compact`, for an array whose first axis is the iteration."""
    a = np.asarray(array)
    if len(a) == 1 or (a == a[:1]).all():
        return compact(a[0])
    return _nested(a.tolist())


def _nested(value: object) -> Value:
    if isinstance(value, list):
        values = cast(list[object], value)
        flat = not isinstance(values[0], list)
        return cast("Value", tuple(values)) if flat else tuple(_nested(v) for v in values)
    assert isinstance(value, int)
    return value


@dataclass(frozen=True)
class Tensor:
    """A tensor: `shape` is (H, W, C); `pixel` the bytes of a pixel as stored; `ddr` its
    address there, if it has one; `order`, for each granule of eight channels as stored, which
    one of the model it is, if that is not the same."""

    name: str
    onnx_name: str
    shape: tuple[int, int, int]
    type: str
    pos: int
    pixel: int
    ddr: int | None = None
    order: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes as stored in one place."""
        return self.shape[0] * self.shape[1] * self.pixel


@dataclass(frozen=True)
class Port:
    """An input or output: the tensor, and what the host sees of it: the ONNX name, type,
    order of elements (NCHW or NHWC), dimensions, zero point."""

    tensor: str
    onnx_name: str
    dtype: str
    layout: str
    dims: tuple[int, ...]
    zero: int


@dataclass(frozen=True, order=True)
class Lock:
    """A family of locks: one counting semaphore on each tile of a kind."""

    name: str
    tile: str
    init: int


@dataclass(frozen=True)
class Layer:
    """The instructions up to the next layer compute one operation of the network, or the
    piece `part` of it."""

    name: str
    part: str
    op: str
    line: int = 0

    @property
    def full_name(self) -> str:
        """The name with the piece, as messages give it."""
        return f"{self.name}[{self.part}]" if self.part else self.name


@dataclass(frozen=True)
class Stage:
    """The instructions up to the next stage or layer run iteration by iteration."""

    label: str
    line: int = 0


@dataclass(frozen=True)
class Ready:
    """From here a tensor is complete: in the memtiles at `memtile`, cut along `axis` at
    `bounds`, or at its address in DDR if `memtile` is None."""

    tensor: str
    memtile: int | None = None
    axis: str = ""
    bounds: tuple[int, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Alias:
    """A tensor of the model that has the same bytes as another, under its own name."""

    onnx_name: str
    of: str


@dataclass(frozen=True)
class Elided:
    """A tensor of the model that the program never makes, and why."""

    onnx_name: str
    reason: str


Item: TypeAlias = Layer | Stage | Ready | Instr


@dataclass
class Program:
    """A whole program.  `blob_bytes` and `blob_sha256` tie it to its weights."""

    name: str
    arch: Arch
    blob_bytes: int = 0
    blob_sha256: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    inputs: list[Port] = field(default_factory=list[Port])
    outputs: list[Port] = field(default_factory=list[Port])
    aliases: list[Alias] = field(default_factory=list[Alias])
    elided: list[Elided] = field(default_factory=list[Elided])
    locks: dict[str, Lock] = field(default_factory=dict[str, Lock])
    body: list[Item] = field(default_factory=list[Item])

    def instructions(self) -> list[Instr]:
        """The instructions in text order."""
        return [item for item in self.body if isinstance(item, Instr)]
