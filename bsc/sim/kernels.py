"""What each computation does with the buffers of the cores.

A kernel checks that its fields agree with each other, takes its inputs out of the core's
memory, computes with `bsc.numerics`, and yields its output for the core's memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bsc import numerics
from bsc.asm.packed import PackedShape, unpack
from bsc.errors import BscError
from bsc.geometry import Axis, Window
from bsc.numerics import Epilogue, Int8, Int32, Int64, Ints, Requant, Rounding
from bsc.sim.core import Core
from bsc.sim.memory import Machine
from bsc.sim.put import Put
from bsc.sim.resolved import Resolved
from bsc.sim.tags import WEIGHTS, Data, tag_of

_Scalar = TypeVar("_Scalar", np.int8, np.int32)
Kernel = Callable[[Machine, Resolved, int, int, int], Iterator[Put]]

_MOST_VALUES, _MOST_EXTENT = 2**26, 2**14
"""What is read of a core lies in its memory; padding and channels that are not there do not."""


def compute(machine: Machine, r: Resolved, iteration: int, row: int, col: int) -> Iterator[Put]:
    """One iteration of a computation on one core: what it hands over."""
    return _KERNELS[r.instr.mnemonic](machine, r, iteration, row, col)


def _window(r: Resolved, i: int, col: int) -> Window:
    """The window, with the padding of this column; checked against the buffers' sizes."""
    k, s, d = (r.at(name, i) for name in ("k", "s", "d"))
    window = Window(
        Axis(int(k[0]), int(s[0]), int(d[0]), int(r.at("pt", i)), int(r.at("pb", i))),
        Axis(int(k[1]), int(s[1]), int(d[1]), int(r.at("pl", i)[col]), int(r.at("pr", i)[col])),
    )
    for name, axis, size, out in (
        ("rows", window.h, int(r.at("hin", i)), int(r.at("h", i))),
        ("columns", window.w, int(r.at("win", i)[col]), int(r.at("w", i)[col])),
    ):
        if min(axis.kernel, axis.stride, axis.dilation) < 1:
            raise BscError("kernel, stride and dilation are positive")
        # Every element that is read must be used: one more would be a wrong transfer.
        needed = (out - 1) * axis.stride + axis.reach
        if needed > _MOST_EXTENT:
            raise BscError(f"{needed} {name} with padding are too many for a core")
        if axis.pad_lo + size + axis.pad_hi != needed:
            raise BscError(
                f"{out} {name} of output read {needed} {name}, not "
                f"{axis.pad_lo} + {size} + {axis.pad_hi}"
            )
    return window


def _finish(r: Resolved, values: Ints, pos: int, residual: Int8 | None = None) -> Ints:
    steps = r.instr.post()
    if not steps:
        raise BscError(f"{r.instr.mnemonic} needs the steps of post")
    if (residual is None) == any(isinstance(step, numerics.Residual) for step in steps):
        raise BscError("post must add the residual if there is one, and only then")
    return numerics.apply_epilogue(values, pos, steps, residual, _mode(r))


def _mode(r: Resolved) -> Rounding:
    return Rounding(r.instr.fields.get("rounding", Rounding.HALF_EVEN.value))


def _take(
    core: Core, address: int, shape: tuple[int, ...], dtype: type[_Scalar], pos: int
) -> npt.NDArray[_Scalar]:
    """A buffer of the core as an array; what lies there must have that type and position."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return core.read(address, size, tag_of(dtype, pos)).bytes.view(dtype).reshape(shape)


def _take_some(
    core: Core,
    address: int,
    shape: tuple[int, ...],
    channels: int | None,
    dtype: type[_Scalar],
    pos: int,
) -> npt.NDArray[_Scalar]:
    """A buffer that has only `channels` of the channels of `shape`; the others are 0."""
    if channels is None:
        return _take(core, address, shape, dtype, pos)
    if channels > shape[-1]:
        raise BscError(f"{channels} channels in the buffer, but only {shape[-1]} are wanted")
    if math.prod(shape) > _MOST_VALUES:
        raise BscError(f"{' x '.join(map(str, shape))} values are too many for a core")
    out = np.zeros(shape, dtype)
    out[..., :channels] = _take(core, address, (*shape[:-1], channels), dtype, pos)
    return out


def _others(r: Resolved, i: int, row: int) -> int | None:
    """The channels of residual and partial sums, if not all."""
    return int(r.at("cres", i)[row]) if r.has("cres") else None


def _inputs(r: Resolved, i: int, row: int, col: int) -> int | None:
    """The channels of the input buffers, if not all."""
    return int(r.at("cin", i)[row, col]) if r.has("cin") else None


def _input(
    core: Core, r: Resolved, i: int, tile: tuple[int, int], shape: tuple[int, ...]
) -> Int8:
    """The input buffer as int8 of that shape."""
    some = _inputs(r, i, *tile)
    return _take_some(core, r.slot("in", i), shape, some, np.int8, r.number("xpos"))


def _give(core: Core, address: int, values: Ints, pos: int) -> Put:
    """An array into a buffer of the core."""
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return core.put(address, Data(data, tag_of(values.dtype, pos)))


def _give_rounded(core: Core, r: Resolved, i: int, values: Ints) -> Put:
    """An int8 result, which has the position of the last rounding."""
    last = r.instr.post()[-1]
    return _give(core, r.slot("out", i), values, last.pos)


def _matrix(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """CONV and DENSE: products of one chunk of CIN, added to what came before."""
    core = machine.cores[row][col]
    w, cout = int(r.at("w", i)[col]), int(r.at("cout", i)[row])
    chunks = _chunks(r)
    first, last = i % chunks == 0, i % chunks == chunks - 1
    shape = (1, int(r.at("hin", i)), int(r.at("win", i)[col]), int(r.at("cin", i)[row]))
    # A core without outputs still takes what was multicast to it.
    weights = _weights(core, r, i, row, first) if cout else None
    x = _take(core, r.slot("in", i), shape, np.int8, r.number("xpos")) if w else None
    if weights is None or x is None:
        return
    weight, bias = weights
    products = r.number("xpos") + r.number("wpos")
    pos = max(products, r.number("bpos"), r.number("ppos") if r.has("part") else products)
    window = _window(r, i, col)
    if r.instr.mnemonic == "DENSE" and not _is_whole(window, shape):
        raise BscError("the window of a DENSE is its whole input")
    total = _aligned(numerics.conv2d(x, weight, window), pos - products)
    out_shape = total.shape
    if first:
        total += _aligned(bias, pos - r.number("bpos"))
        if r.has("part"):
            total += _aligned(_partial(core, r, i, row, out_shape), pos - r.number("ppos"))
    else:
        total += _take(core, _accumulators(r), out_shape, np.int32, pos)
    sums = _as_int32(total)
    if not last:
        yield _give(core, _accumulators(r), sums, pos)
    elif r.has("post"):
        residual = _residual(core, r, i, row, out_shape)
        yield _give_rounded(core, r, i, _finish(r, sums, pos, residual))
    else:
        exact = _as_int32(_aligned(sums, r.number("opos") - pos))
        yield _give(core, r.slot("out", i), exact, r.number("opos"))


def _partial(
    core: Core, r: Resolved, i: int, row: int, shape: tuple[int, ...]
) -> npt.NDArray[np.int32]:
    """The int32 sums that the output starts from."""
    address, fewer = r.slot("part", i), _others(r, i, row)
    return _take_some(core, address, shape, fewer, np.int32, r.number("ppos"))


def _residual(core: Core, r: Resolved, i: int, row: int, shape: tuple[int, ...]) -> Int8 | None:
    """What the `add` step of post adds, at the position that it names."""
    if not r.has("res"):
        return None
    added = [step.pos for step in r.instr.post() if isinstance(step, numerics.Residual)]
    if len(added) != 1:
        raise BscError("post must add the residual once")
    return _take_some(core, r.slot("res", i), shape, _others(r, i, row), np.int8, added[0])


def _is_whole(window: Window, shape: tuple[int, int, int, int]) -> bool:
    """Whether a window has the size of its input, without padding."""
    axes = (window.h, window.w)
    return shape[1:3] == tuple(axis.reach for axis in axes) and not any(
        axis.pad_lo or axis.pad_hi for axis in axes
    )


def _chunks(r: Resolved) -> int:
    """How many inner iterations add up to one output: all of them, or one."""
    if not r.has("chunks"):
        if r.has("acc"):
            raise BscError("acc is given, but there are no chunks to add up")
        return 1
    if r.number("chunks") != r.inner or r.inner == 1:
        raise BscError(f"chunks={r.number('chunks')}, but {r.inner} inner iterations")
    return r.inner


def _accumulators(r: Resolved) -> int:
    if not r.has("acc"):
        raise BscError("several chunks need the address of accumulators (acc)")
    return r.number("acc")


def _aligned(values: Ints, by: int) -> Int64:
    """The same numbers at a position higher by `by`, exactly."""
    if not 0 <= by < 32:
        raise BscError(f"the positions ask for a shift by {by}; 0 to 31 keep the sum exact")
    return values.astype(np.int64) << by


def _as_int32(values: Ints) -> Int32:
    if values.size and (values.max() >= 2**31 or values.min() < -(2**31)):
        raise BscError("the accumulator overflows int32")
    return values.astype(np.int32)


def _weights(core: Core, r: Resolved, i: int, row: int, first: bool) -> tuple[Int8, Int32]:
    """The dense weight and the bias that the core holds, their blocks counted against Γ."""
    k, blk = r.at("k", i), r.at("blk", i)
    cin = int(r.at("cin", i)[row])
    if min(blk) < 1 or cin < 1:
        raise BscError(f"blk={blk.tolist()} and cin={cin} must be positive")
    block = (int(blk[0]), int(blk[1]))
    shape = PackedShape(int(r.at("cout", i)[row]), int(k[0]), int(k[1]), cin, block, first)
    address = r.slot("weights", i)
    blocks = int(r.at("blocks", i)[row])
    data = core.read(address, shape.size(blocks), WEIGHTS)
    weight, bias, count = _unpacked(shape, data.bytes.tobytes())
    if count != blocks:
        raise BscError(f"blocks={blocks}, but Γ has {count}")
    return weight, bias


@lru_cache(maxsize=64)
def _unpacked(shape: PackedShape, data: bytes) -> tuple[Int8, Int32, int]:
    """As `unpack`, but cores that hold the same bytes, and iterations, share the work."""
    weight, bias, count = unpack(shape, np.frombuffer(data, np.uint8))
    weight.flags.writeable = bias.flags.writeable = False
    return weight, bias, count


def _pool(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """MAXPOOL and AVGPOOL."""
    core = machine.cores[row][col]
    w, c = int(r.at("w", i)[col]), int(r.at("c", i)[row, col])
    if w == 0 or c == 0:
        return
    window = _window(r, i, col)
    hin, win = int(r.at("hin", i)), int(r.at("win", i)[col])
    fewer = _inputs(r, i, row, col)
    shape = (1, hin, win, c)
    x = _take_some(core, r.slot("in", i), shape, fewer, np.int8, r.number("xpos"))
    pos = r.number("xpos")
    if r.instr.mnemonic == "MAXPOOL":
        best = numerics.max_pool(x, window)
        if r.has("part"):
            part = _take_some(core, r.slot("part", i), best.shape, fewer, np.int8, pos)
            best = np.maximum(best, part)
        yield _give_rounded(core, r, i, _finish(r, best, pos))
        return
    sums = numerics.sum_pool(x, window)
    if r.has("part"):
        sums = sums + _take_some(core, r.slot("part", i), sums.shape, fewer, np.int32, pos)
    if r.has("post"):
        yield _give_rounded(core, r, i, _mean(r, sums, _counts(r, hin, win, window)))
    else:
        yield _give(core, r.slot("out", i), sums, pos)


def _counts(r: Resolved, rows: int, columns: int, window: Window) -> Ints:
    """What AVGPOOL divides its sums by."""
    if r.has("count") == r.has("elements"):
        raise BscError("AVGPOOL needs count or elements to divide by, and not both")
    if r.has("elements"):
        if r.number("elements") < 1:
            raise BscError("AVGPOOL cannot divide by no elements")
        return np.full((1, 1, 1, 1), r.number("elements"), np.int64)
    return numerics.pool_counts(rows, columns, window, r.instr.fields["count"] == "window")


def _mean(r: Resolved, sums: Int32, counts: Ints) -> Ints:
    steps: Epilogue = r.instr.post()
    if not steps or not isinstance(steps[0], Requant):
        raise BscError("AVGPOOL needs a rounding first")
    mean = numerics.average(sums, counts, r.number("xpos"), steps[0], _mode(r))
    return numerics.apply_epilogue(mean, steps[0].pos, steps[1:], None, _mode(r))


def _pairwise(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """ADD and MUL."""
    core = machine.cores[row][col]
    shape = _pointwise_shape(r, i, row, col)
    if 0 in shape:
        return
    a = _input(core, r, i, (row, col), shape)
    second, fewer = _second_shape(r, i, shape), _inputs(r, i, row, col)
    b = _take_some(core, r.slot("in2", i), second, fewer, np.int8, r.number("ypos"))
    combine = numerics.add if r.instr.mnemonic == "ADD" else numerics.mul
    out = _finish(r, *combine(a, r.number("xpos"), b, r.number("ypos")))
    yield _give_rounded(core, r, i, out)


def _second_shape(r: Resolved, i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a second operand, of which one row or column may stand for all."""
    if not r.has("s2"):
        return shape
    strides = tuple(r.at("s2", i).tolist())
    if not set(strides) <= {0, 1}:
        raise BscError(f"strides of the second operand are 0 or 1, not s2={list(strides)}")
    n, h, w, c = shape
    return n, h if strides[0] else 1, w if strides[1] else 1, c


def _copy(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """COPY: the same numbers through the steps of post."""
    core = machine.cores[row][col]
    shape = _pointwise_shape(r, i, row, col)
    if 0 in shape:
        return
    x = _input(core, r, i, (row, col), shape)
    yield _give_rounded(core, r, i, _finish(r, x, r.number("xpos")))


def _resize(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """RESIZE: each pixel, again and again."""
    core = machine.cores[row][col]
    _, h, w, c = shape = _pointwise_shape(r, i, row, col)
    if 0 in shape:
        return
    factor = (int(r.at("up", i)[0]), int(r.at("up", i)[1]))
    phase = (int(r.at("ph", i)), int(r.at("pw", i)[col]))
    sizes = (int(r.at("hin", i)), int(r.at("win", i)[col]))
    for name, out, up, first, size in zip(
        ("rows", "columns"), (h, w), factor, phase, sizes, strict=True
    ):
        if not 0 <= first < up:
            raise BscError(f"a pixel stands for {up} {name}, the first one cannot lack {first}")
        # Every element that is read must be used: one more would be a wrong transfer.
        if (needed := (first + out - 1) // up + 1) != size:
            raise BscError(f"{out} {name} of output read {needed} {name}, not {size}")
    x = _input(core, r, i, (row, col), (1, *sizes, c))
    out = _finish(r, numerics.resize(x, factor, phase, h, w), r.number("xpos"))
    yield _give_rounded(core, r, i, out)


def _lookup(machine: Machine, r: Resolved, i: int, row: int, col: int) -> Iterator[Put]:
    """LOOKUP: each number's element of the table, through the steps of post."""
    core = machine.cores[row][col]
    shape = _pointwise_shape(r, i, row, col)
    if 0 in shape:
        return
    x = _input(core, r, i, (row, col), shape)
    table = np.frombuffer(bytes.fromhex(str(r.instr.fields["table"])), np.int8)
    out = _finish(r, numerics.lookup(x, table), r.number("tpos"))
    yield _give_rounded(core, r, i, out)


def _pointwise_shape(r: Resolved, i: int, row: int, col: int) -> tuple[int, int, int, int]:
    return (1, int(r.at("h", i)), int(r.at("w", i)[col]), int(r.at("c", i)[row, col]))


_KERNELS: dict[str, Kernel] = {
    "CONV": _matrix,
    "DENSE": _matrix,
    "ADD": _pairwise,
    "MUL": _pairwise,
    "MAXPOOL": _pool,
    "AVGPOOL": _pool,
    "COPY": _copy,
    "LOOKUP": _lookup,
    "RESIZE": _resize,
}
