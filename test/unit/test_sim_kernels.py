"""What the cores compute, against bsc.numerics and plain loops, over drawn shapes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from asm_machine import do, instr_of, int8_data, machine_of, small_arch
from hypothesis import given
from hypothesis import strategies as st

from bsc import numerics
from bsc.asm.packed import PackedShape, blocks_of, pack
from bsc.errors import BscError
from bsc.geometry import Window
from bsc.numerics import Int8, Int32, Requant, Rounding
from bsc.sim.core import Core
from bsc.sim.kernels import compute
from bsc.sim.memory import Machine
from bsc.sim.resolved import Resolved
from bsc.sim.tags import WEIGHTS, Data, tag_of

seeds = st.integers(0, 2**32 - 1)
IN, IN2, OUT, PART, W, ACC = 0, 4000, 8000, 12000, 16000, 22000


def _run(machine: Machine, text: str, iteration: int = 0) -> None:
    do(compute(machine, Resolved(instr_of(text), machine.arch), iteration, 0, 0))


def _machine() -> tuple[Machine, Core]:
    machine = machine_of(small_arch())
    return machine, machine.cores[0][0]


def _ints(rng: np.random.Generator, *shape: int) -> Int8:
    return rng.integers(-128, 128, shape, np.int8)


class _Window:
    """A drawn window with an input that comes out even."""

    def __init__(self, rng: np.random.Generator):
        self.k, self.s, self.d, self.out = rng.integers(1, 4, (4, 2))
        needed = (self.out - 1) * self.s + (self.k - 1) * self.d + 1
        self.before = np.minimum(rng.integers(0, 3, 2), needed - 1)
        self.after = np.minimum(rng.integers(0, 3, 2), needed - 1 - self.before)
        self.size = needed - self.before - self.after

    def text(self) -> str:
        """The fields; strides and dilations that lead nowhere are 1."""
        s, d = np.where(self.out > 1, self.s, 1), np.where(self.k > 1, self.d, 1)
        pairs = (("k", self.k), ("s", s), ("d", d))
        lists = " ".join(f"{name}=[{pair[0]},{pair[1]}]" for name, pair in pairs)
        (pt, pl), (pb, pr) = self.before, self.after
        return (
            f"h={self.out[0]} w={self.out[1]} hin={self.size[0]} win={self.size[1]} {lists} "
            f"pt={pt} pb={pb} pl={pl} pr={pr}"
        )

    @property
    def window(self) -> Window:
        """As the arithmetic takes it."""
        pads = [*self.before.tolist(), *self.after.tolist()]
        return Window.of(self.k.tolist(), self.s.tolist(), self.d.tolist(), pads)


@given(seeds, st.sampled_from([(8, 8), (4, 16), (1, 1)]), st.booleans(), st.booleans())
def test_convolutions(seed: int, block: tuple[int, int], part: bool, res: bool) -> None:
    """Packed weights, bias, partial sums, residual; rounded, or exact."""
    rng = np.random.default_rng(seed)
    window = _Window(rng)
    cin, cout = (int(n) for n in rng.integers(1, 12, 2))
    machine, core = _machine()
    x = _ints(rng, 1, *window.size, cin)
    shape = PackedShape(cout, int(window.k[0]), int(window.k[1]), cin, block, True)
    gamma = rng.random(shape.grid) < 0.7
    weight = _ints(rng, cout, *window.k, cin)
    kept = gamma.repeat(block[0], 0).repeat(block[1], 1)[:cout, :cin]
    weight *= kept[:, None, None, :]
    bias = rng.integers(-9999, 9999, cout).astype(np.int32)
    core.put(IN, int8_data(x, 4)).do()
    core.put(W, Data(pack(shape, blocks_of(weight, shape.block), bias, gamma), WEIGHTS)).do()
    text = f"CONV iteration 1 in={IN} weights={W} out={OUT} {window.text()} cin={cin} "
    text += f"cout={cout} blk=[{block[0]},{block[1]}] blocks={gamma.sum()} xpos=4 wpos=7 bpos=9"
    sums = (numerics.conv2d(x, weight, window.window).astype(np.int64)) + (
        bias.astype(int) << 2
    )
    pos = 11
    if part:
        partial = rng.integers(-9999, 9999, sums.shape).astype(np.int32)
        core.put(PART, Data(partial.reshape(-1).view(np.uint8), tag_of(np.int32, 12))).do()
        sums, pos = (sums << 1) + partial, 12
        text += f" part={PART} ppos=12"
    if not res:
        _run(machine, f"{text} opos={pos + 1}")
        found = _int32(core, OUT, sums.size, pos + 1)
        assert found.tolist() == (sums << 1).reshape(-1).tolist()
        return
    residual = _ints(rng, *sums.shape)
    core.put(IN2, int8_data(residual, 3)).do()
    _run(machine, f"{text} res={IN2} post=round(2,-100,90)+add(3)+round(1)")
    steps = (Requant(2, -100, 90), numerics.Residual(3), Requant(1))
    wanted = numerics.apply_epilogue(sums, pos, steps, residual)
    found = core.read(OUT, wanted.size, tag_of(np.int8, 1)).bytes.view(np.int8)
    assert found.tolist() == wanted.reshape(-1).tolist()
    assert core.unused() == 0


def _int32(core: Core, address: int, count: int, pos: int) -> Int32:
    return core.read(address, 4 * count, tag_of(np.int32, pos)).bytes.copy().view(np.int32)


@given(seeds, st.integers(2, 4))
def test_chunks_of_input_channels_add_up(seed: int, chunks: int) -> None:
    """One output after all of them, in accumulators until then."""
    rng = np.random.default_rng(seed)
    window, cout = _Window(rng), int(rng.integers(1, 10))
    machine, core = _machine()
    x = _ints(rng, 1, *window.size, 8 * chunks)
    weight = _ints(rng, cout, *window.k, 8 * chunks)
    bias = rng.integers(-9999, 9999, cout).astype(np.int32)
    text = (
        f"CONV iteration 1x{chunks} in={IN} weights={W} out={OUT} {window.text()} "
        f"cin=8 cout={cout} blk=[8,8] blocks={-(-cout // 8)} chunks={chunks} acc={ACC} "
        "xpos=4 wpos=7 bpos=11 post=round(0)"
    )
    for i in range(chunks):
        own = slice(8 * i, 8 * i + 8)
        shape = PackedShape(cout, int(window.k[0]), int(window.k[1]), 8, (8, 8), i == 0)
        core.put(IN, int8_data(np.ascontiguousarray(x[..., own]), 4)).do()
        packed = pack(
            shape, blocks_of(weight[..., own], shape.block), bias, np.ones(shape.grid, np.bool_)
        )
        core.put(W, Data(packed, WEIGHTS)).do()
        _run(machine, text, i)
    wanted = numerics.requantize(
        numerics.conv2d(x, weight, window.window) + bias, 11, Requant(0)
    )
    found = core.read(OUT, wanted.size).bytes.view(np.int8)
    assert found.tolist() == wanted.reshape(-1).tolist()
    assert core.unused() == 0


@given(seeds, st.sampled_from(list(Rounding)), st.booleans())
def test_pools(seed: int, mode: Rounding, inside: bool) -> None:
    rng = np.random.default_rng(seed)
    window, c = _Window(rng), int(rng.integers(1, 9))
    x = _ints(rng, 1, *window.size, c)
    rounding = "" if mode is Rounding.HALF_EVEN else f" rounding={mode.value}"
    text = f"in={IN} out={OUT} {window.text()} c={c} xpos=4 post=round(3){rounding}"
    rows, cols = (int(n) for n in window.size)
    counts = numerics.pool_counts(rows, cols, window.window, not inside)
    # Where a window has nothing inside there is no mean.
    if counts.min() > 0:
        machine, core = _machine()
        core.put(IN, int8_data(x, 4)).do()
        padded = bool(window.before.any() or window.after.any())
        count = "inside" if inside and padded else "window"
        _run(machine, f"AVGPOOL iteration 1 {text} count={count}")
        sums = numerics.sum_pool(x, window.window)
        _equal(core, numerics.average(sums, counts, 4, Requant(3), mode), 3)
    machine, core = _machine()
    core.put(IN, int8_data(x, 4)).do()
    _run(machine, f"MAXPOOL iteration 1 {text}")
    largest = numerics.max_pool(x, window.window)
    _equal(core, numerics.requantize(largest, 4, Requant(3), mode), 3)


@given(seeds, st.integers(1, 400))
def test_pools_in_pieces(seed: int, elements: int) -> None:
    """What other elements gave: a sum that is added, or handed on; the larger of two maxima."""
    rng = np.random.default_rng(seed)
    window, c = _Window(rng), int(rng.integers(1, 9))
    x = _ints(rng, 1, *window.size, c)
    text = f"in={IN} out={OUT} part={IN2} {window.text()} c={c} xpos=4"
    sums = numerics.sum_pool(x, window.window)
    before = rng.integers(-9999, 9999, sums.shape).astype(np.int32)
    for handed_on in (False, True):
        machine, core = _machine()
        core.put(IN, int8_data(x, 4)).do()
        core.put(IN2, Data(before.reshape(-1).view(np.uint8), tag_of(np.int32, 4))).do()
        if handed_on:
            _run(machine, f"AVGPOOL iteration 1 {text}")
            found = core.read(OUT, 4 * sums.size, tag_of(np.int32, 4)).bytes.view(np.int32)
            assert found.tolist() == (sums + before).reshape(-1).tolist()
            assert core.unused() == 0
        else:
            _run(machine, f"AVGPOOL iteration 1 {text} post=round(3) elements={elements}")
            counts = np.full((1, 1, 1, 1), elements)
            _equal(core, numerics.average(sums + before, counts, 4, Requant(3)), 3)
    machine, core = _machine()
    largest = numerics.max_pool(x, window.window)
    other = _ints(rng, *largest.shape)
    core.put(IN, int8_data(x, 4)).do()
    core.put(IN2, int8_data(other, 4)).do()
    _run(machine, f"MAXPOOL iteration 1 {text} post=round(4)")
    _equal(core, np.maximum(largest, other), 4)


@pytest.mark.parametrize(
    ("divisor", "message"),
    [
        ("", "needs count or elements"),
        ("count=window elements=4", "needs count or elements"),
        ("elements=0", "cannot divide by no elements"),
    ],
)
def test_a_mean_needs_one_divisor(divisor: str, message: str) -> None:
    machine, core = _machine()
    core.put(IN, int8_data(np.ones((1, 2, 2, 1), np.int8), 4)).do()
    geometry = "h=1 w=1 c=1 hin=2 win=2 k=[2,2] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0"
    with pytest.raises(BscError, match=message):
        _run(
            machine,
            f"AVGPOOL iteration 1 in={IN} out={OUT} {geometry} xpos=4 post=round(3) {divisor}",
        )


def _equal(core: Core, wanted: npt.NDArray[np.signedinteger], pos: int) -> None:
    found = core.read(OUT, wanted.size, tag_of(np.int8, pos)).bytes.view(np.int8)
    assert found.tolist() == wanted.reshape(-1).tolist()
    assert core.unused() == 0


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 9))
def test_pointwise(seed: int, h: int, w: int, c: int, fewer: int) -> None:
    """ADD, MUL and COPY, with channels that the buffers do not have."""
    rng = np.random.default_rng(seed)
    inputs = min(fewer, c)
    a, b = (np.zeros((1, h, w, c), np.int8) for _ in range(2))
    a[..., :inputs], b[..., :inputs] = (_ints(rng, 1, h, w, inputs) for _ in range(2))
    fields = f"in={IN} out={OUT} h={h} w={w} c={c} cin={inputs} xpos=4 post=round(2,-9,99)"
    for name, values, pos in (
        ("ADD", *numerics.add(a, 4, b, 6)),
        ("MUL", *numerics.mul(a, 4, b, 6)),
        ("COPY", a, 4),
    ):
        machine, core = _machine()
        if inputs:
            core.put(IN, int8_data(np.ascontiguousarray(a[..., :inputs]), 4)).do()
            if name != "COPY":
                core.put(IN2, int8_data(np.ascontiguousarray(b[..., :inputs]), 6)).do()
        second = "" if name == "COPY" else f" in2={IN2} ypos=6"
        _run(machine, f"{name} iteration 1 {fields}{second}")
        _equal(core, numerics.requantize(values, pos, Requant(2, -9, 99)), 2)


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_a_second_operand_that_repeats(seed: int, h: int, w: int, c: int, rows: bool) -> None:
    """One row, or one column, or one pixel that stands for all."""
    rng = np.random.default_rng(seed)
    strides = (int(not rows), int(rng.integers(0, 2 if rows else 1)))
    sizes = [n if stride else 1 for n, stride in zip((h, w), strides, strict=True)]
    a, b = _ints(rng, 1, h, w, c), _ints(rng, 1, *sizes, c)
    # Where there is one output there is nothing to repeat.
    s2 = [stride if n > 1 else 1 for n, stride in zip((h, w), strides, strict=True)]
    field = "" if s2 == [1, 1] else f" s2=[{s2[0]},{s2[1]}]"
    fields = f"in={IN} in2={IN2} out={OUT} h={h} w={w} c={c} xpos=4 ypos=6 post=round(2)"
    for name, combine in (("ADD", numerics.add), ("MUL", numerics.mul)):
        machine, core = _machine()
        core.put(IN, int8_data(a, 4)).do()
        core.put(IN2, int8_data(b, 6)).do()
        _run(machine, f"{name} iteration 1 {fields}{field}")
        _equal(core, numerics.requantize(*combine(a, 4, b, 6), Requant(2)), 2)


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 9))
def test_lookup(seed: int, h: int, w: int, c: int, fewer: int) -> None:
    """Each number's element, with channels that the buffer does not have."""
    rng = np.random.default_rng(seed)
    inputs, table = min(fewer, c), _ints(rng, 256)
    x = np.zeros((1, h, w, c), np.int8)
    x[..., :inputs] = _ints(rng, 1, h, w, inputs)
    machine, core = _machine()
    if inputs:
        core.put(IN, int8_data(np.ascontiguousarray(x[..., :inputs]), 4)).do()
    _run(
        machine,
        f"LOOKUP iteration 1 in={IN} out={OUT} h={h} w={w} c={c} cin={inputs} xpos=4 "
        f"table={table.tobytes().hex()} tpos=5 post=round(3,-9,99)",
    )
    expected: Int8 = np.array([table[int(q) + 128] for q in x.reshape(-1)], np.int8)
    _equal(core, numerics.requantize(expected.reshape(x.shape), 5, Requant(3, -9, 99)), 3)


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 9))
def test_resize(seed: int, h: int, w: int, c: int, fewer: int) -> None:
    """Each pixel again and again, with channels that the buffer does not have."""
    rng = np.random.default_rng(seed)
    inputs, up = min(fewer, c), [int(n) for n in rng.integers(1, 4, 2)]
    ph, pw = (int(rng.integers(0, n)) for n in up)
    whole = np.zeros((1, 9, 9, c), np.int8)
    whole[..., :inputs] = _ints(rng, 1, 9, 9, inputs)
    large: Int8 = whole.repeat(up[0], axis=1).repeat(up[1], axis=2)
    hin, win = (ph + h - 1) // up[0] + 1, (pw + w - 1) // up[1] + 1
    machine, core = _machine()
    if inputs:
        given_ = np.ascontiguousarray(whole[:, :hin, :win, :inputs])
        core.put(IN, int8_data(given_, 4)).do()
    _run(
        machine,
        f"RESIZE iteration 1 in={IN} out={OUT} h={h} w={w} c={c} cin={inputs} hin={hin} "
        f"win={win} up=[{up[0]},{up[1]}] ph={ph} pw={pw} xpos=4 post=round(3,-9,99)",
    )
    expected = large[:, ph : ph + h, pw : pw + w]
    _equal(core, numerics.requantize(expected, 4, Requant(3, -9, 99)), 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hin=1", "hin=2", "2 rows of output read 1 rows, not 2"),
        ("pw=0", "pw=1", "2 columns of output read 2 columns, not 1"),
        ("ph=0", "ph=2", "a pixel stands for 2 rows, the first one cannot lack 2"),
        ("up=[2,2]", "up=[2,0]", "a pixel stands for 0 columns, the first one cannot lack 0"),
    ],
)
def test_pixels_of_a_resize_that_do_not_come_out_even(old: str, new: str, message: str) -> None:
    machine, core = _machine()
    core.put(IN, int8_data(np.ones((1, 2, 2, 8), np.int8), 4)).do()
    text = f"RESIZE iteration 1 in={IN} out={OUT} h=2 w=2 c=8 hin=1 win=1 up=[2,2] ph=0 pw=0"
    with pytest.raises(BscError, match=message):
        _run(machine, f"{text} xpos=4 post=round(4)".replace(old, new))


# What does not agree ------------------------------------------------------------------------

_CONV = (
    f"CONV iteration 1 in={IN} weights={W} out={OUT} h=2 w=2 hin=2 win=2 k=[3,3] s=[1,1] "
    "d=[1,1] pt=1 pb=1 pl=1 pr=1 cin=8 cout=8 blk=[8,8] blocks=1 xpos=4 wpos=7 bpos=11 "
    "post=round(1)"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pb=1", "pb=2", r"read 4 rows, not 1 \+ 2 \+ 2"),
        ("pl=1", "pl=0", r"read 4 columns, not 0 \+ 2 \+ 1"),
        ("hin=2", "hin=3", "of which only 32 bytes are there"),
        ("s=[1,1]", "s=[0,1]", "s must be at least 1"),
        ("xpos=4", "xpos=5", "i8 at position 4, not i8 at position 5"),
        ("blocks=1", "blocks=0", "was handed over as a whole"),
        ("bpos=11", "bpos=60", "0 to 31 keep the sum exact"),
        ("bpos=11", "bpos=-21", "0 to 31 keep the sum exact"),
        ("round(1)", "add(3)+round(1)", "post must add the residual"),
        ("CONV", "DENSE", "the window of a DENSE is its whole input"),
        ("blk=[8,8]", "blk=[0,8]", "blk must be at least 1"),
        ("xpos=4", "acc=0 xpos=4", "there are no chunks to add up"),
        ("xpos=4", "chunks=2 acc=0 xpos=4", "chunks=2, but 1 inner iterations"),
        ("post=round(1)", "opos=8", "the positions ask for a shift by -3"),
    ],
)
def test_fields_that_do_not_agree(old: str, new: str, message: str) -> None:
    machine, core = _machine()
    core.put(IN, int8_data(np.ones((1, 2, 2, 8), np.int8), 4)).do()
    shape = PackedShape(8, 3, 3, 8, (8, 8), True)
    weight, bias = np.ones((8, 3, 3, 8), np.int8), np.zeros(8, np.int32)
    core.put(
        W,
        Data(
            pack(shape, blocks_of(weight, shape.block), bias, np.ones((1, 1), np.bool_)),
            WEIGHTS,
        ),
    ).do()
    with pytest.raises(BscError, match=message):
        _run(machine, _CONV.replace(old, new))


def test_sums_beyond_int32_are_an_error() -> None:
    machine, core = _machine()
    core.put(IN, int8_data(np.full((1, 2, 2, 8), 127, np.int8), 4)).do()
    shape = PackedShape(8, 3, 3, 8, (8, 8), True)
    weight, bias = np.full((8, 3, 3, 8), 127, np.int8), np.full(8, 2**31 - 1, np.int32)
    core.put(
        W,
        Data(
            pack(shape, blocks_of(weight, shape.block), bias, np.ones((1, 1), np.bool_)),
            WEIGHTS,
        ),
    ).do()
    with pytest.raises(BscError, match="the accumulator overflows int32"):
        _run(machine, _CONV)


def test_weights_of_another_mask_are_an_error() -> None:
    """Γ in the bytes says how many blocks there are, whatever the text says."""
    machine, core = _machine()
    core.put(IN, int8_data(np.ones((1, 2, 2, 8), np.int8), 4)).do()
    shape = PackedShape(8, 3, 3, 8, (8, 8), True)
    blocks = blocks_of(np.ones((8, 3, 3, 8), np.int8), shape.block)
    packed = pack(shape, blocks, np.zeros(8, np.int32), np.ones((1, 1), np.bool_)).copy()
    packed[0] = 0
    core.put(W, Data(packed, WEIGHTS)).do()
    with pytest.raises(BscError, match="Γ has 0 blocks"):
        _run(machine, _CONV)


def test_strides_of_a_second_operand_do_not_skip() -> None:
    machine, core = _machine()
    core.put(IN, int8_data(np.ones((1, 2, 2, 8), np.int8), 4)).do()
    text = f"MUL iteration 1 in={IN} in2={IN2} out={OUT} h=2 w=2 c=8 s2=[2,1] xpos=4 ypos=6"
    with pytest.raises(BscError, match=r"strides of the second operand are 0 or 1"):
        _run(machine, f"{text} post=round(2)")
