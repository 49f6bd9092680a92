"""The memories: what may be read is what was written, as a whole and as what it is."""

from __future__ import annotations

import numpy as np
import pytest
from asm_machine import int8_data, machine_of, small_arch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from bsc.asm.program import Tensor
from bsc.errors import BscError
from bsc.sim.box import Box
from bsc.sim.core import Core
from bsc.sim.memory import Memtile
from bsc.sim.tags import WEIGHTS, Data, describe, expect, tag_of
from bsc.sim.watch import Watch

SIZE = 1024
_I8 = tag_of(np.int8, 0)


@st.composite
def boxes(draw: DrawFn, size: int = SIZE) -> Box:
    """A box that fits in `size` bytes, wherever it begins."""
    h, w, c = (draw(st.integers(1, 5)) for _ in range(3))
    pix = c + draw(st.integers(0, 9))
    row = (w - 1) * pix + c + draw(st.integers(0, 30))
    return Box(draw(st.integers(0, 2 * size)), h, w, c, row, pix)


def _places(box: Box, size: int) -> list[int]:
    """The addresses of a box's bytes, in plain loops."""
    return [
        (box.address + y * box.row + x * box.pix + n) % size
        for y in range(box.h)
        for x in range(box.w)
        for n in range(box.c)
    ]


def _values(box: Box, seed: int) -> Data:
    rng = np.random.default_rng(seed)
    return int8_data(rng.integers(-128, 128, (box.h, box.w, box.c), np.int8))


@given(boxes(), st.integers(0, 2**32 - 1))
def test_a_memtile_stores_boxes_around_its_end(box: Box, seed: int) -> None:
    memtile, data = Memtile(SIZE, Watch()), _values(box, seed)
    memtile.put(box, data).do()
    flat = data.bytes.reshape(-1).tolist()
    assert memtile.memory[_places(box, SIZE)].tolist() == flat
    found = memtile.read(box)
    np.testing.assert_array_equal(found.bytes, data.bytes)
    assert found.tag == data.tag
    untouched = np.ones(SIZE, np.bool_)
    untouched[_places(box, SIZE)] = False
    assert not memtile.tags[untouched].any()


@given(boxes(), boxes())
def test_only_what_was_written_can_be_read(written: Box, read: Box) -> None:
    memtile = Memtile(SIZE, Watch())
    memtile.put(written, _values(written, 0)).do()
    if {*_places(read, SIZE)} <= {*_places(written, SIZE)}:
        memtile.read(read)
    else:
        with pytest.raises(BscError, match="never written"):
            memtile.read(read)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(0, 1, 2, 8, 16, 7), "pixels of 8 bytes every 7 bytes overlap"),
        (Box(0, 2, 2, 8, 15, 8), "rows of 16 bytes every 15 bytes overlap"),
        (Box(0, 3, 1, 8, SIZE // 2, 8), "do not fit in a memtile"),
    ],
)
def test_boxes_that_fold_back_or_do_not_fit(box: Box, message: str) -> None:
    with pytest.raises(BscError, match=message):
        Memtile(SIZE, Watch()).put(box, _values(box, 0)).do()


@given(st.integers(0, SIZE), st.integers(2, 200), st.data())
def test_weights_are_taken_from_one_load_and_all_of_it(
    address: int, size: int, data: st.DataObject
) -> None:
    memtile = Memtile(SIZE, Watch())
    blob = np.arange(size, dtype=np.uint8)
    memtile.put_weights(address, blob).do()
    assert memtile.unused_weights() == size
    with pytest.raises(BscError, match="overwrites weights"):
        memtile.put_weights(address, blob).do()
    cut = data.draw(st.integers(1, size - 1))
    found = memtile.read_weights(address, cut)
    assert found.tag == WEIGHTS
    np.testing.assert_array_equal(found.bytes, blob[:cut])
    assert memtile.unused_weights() == size - cut
    # Again, and with the rest: how often a byte is taken is free.
    np.testing.assert_array_equal(memtile.read_weights(address, size).bytes, blob)
    assert memtile.unused_weights() == 0
    memtile.put_weights(address + cut, blob[cut:]).do()
    with pytest.raises(BscError, match="holds weights and weights"):
        memtile.read_weights(address, size)


def test_weights_are_no_activations() -> None:
    memtile, box = Memtile(SIZE, Watch()), Box(0, 1, 1, 8, 8, 8)
    memtile.put_weights(0, np.zeros(8, np.uint8)).do()
    with pytest.raises(BscError, match="as activations; it holds weights"):
        memtile.read(box)
    memtile.read_weights(0, 8)
    memtile.put(box, _values(box, 0)).do()
    with pytest.raises(BscError, match="as weights; it holds i8 at position 0"):
        memtile.read_weights(0, 8)


@given(st.integers(-50, 50), st.integers(-50, 50))
def test_what_is_read_together_has_one_position(left: int, right: int) -> None:
    memtile, values = Memtile(SIZE, Watch()), np.zeros((1, 1, 4), np.int8)
    memtile.put(Box(0, 1, 1, 4, 4, 4), int8_data(values, left)).do()
    memtile.put(Box(4, 1, 1, 4, 4, 4), int8_data(values, right)).do()
    both = Box(0, 1, 2, 4, 8, 4)
    if left == right:
        assert memtile.read(both).tag == tag_of(np.int8, left)
    else:
        with pytest.raises(BscError, match=f"i8 at position {left} and i8 at position {right}"):
            memtile.read(both)


@given(st.integers(-4095, 4095), st.sampled_from([np.int8, np.int32]))
def test_tags_tell_types_and_positions_apart(pos: int, dtype: type) -> None:
    tag = tag_of(dtype, pos)
    assert 0 < tag < 2**16
    assert describe(tag) == f"{'i8' if dtype is np.int8 else 'i32'} at position {pos}"
    expect(tag, tag, "it")
    with pytest.raises(BscError, match="it holds"):
        expect(tag, WEIGHTS, "it")


def test_positions_have_bounds() -> None:
    with pytest.raises(BscError, match="position 4096"):
        tag_of(np.int8, 4096)


# Cores -------------------------------------------------------------------------------------


def _core(size: int = 256) -> Core:
    return Core(np.zeros(size, np.uint8), Watch())


def _message(size: int, value: int = 1, tag: int = _I8) -> Data:
    return Data(np.full(size, value, np.uint8), tag)


@given(st.integers(0, 300), st.integers(1, 64))
def test_a_core_has_bounds(address: int, size: int) -> None:
    core = _core()
    if address + size <= 256:
        core.put(address, _message(size)).do()
        assert core.read(address, size).bytes.sum() == size
    else:
        with pytest.raises(BscError, match="beyond 256 bytes"):
            core.put(address, _message(size)).do()


@given(st.integers(0, 60), st.integers(1, 40), st.integers(0, 60), st.integers(1, 40))
def test_messages_are_read_as_a_whole(at: int, size: int, start: int, length: int) -> None:
    """A read takes the message, all of it and no more, or is refused."""
    core = _core()
    core.put(at, _message(size)).do()
    if (at, size) == (start, length):
        core.read(start, length)
        assert core.unused() == 0
    else:
        with pytest.raises(BscError, match=r"as a whole|of which only"):
            core.read(start, length)


def test_several_messages_make_one_buffer_if_they_are_alike() -> None:
    core = _core()
    core.put(0, _message(8)).do()
    core.put(8, _message(8, 2)).do()
    assert core.read(0, 16, _I8).bytes.tolist() == [1] * 8 + [2] * 8
    core.put(8, _message(8, 2, tag_of(np.int8, 1))).do()
    with pytest.raises(BscError, match="i8 at position 1, not i8 at position 0"):
        core.read(0, 16)


@given(st.integers(0, 40), st.integers(1, 20))
def test_nothing_is_overwritten_that_nobody_has_read(at: int, size: int) -> None:
    core = _core()
    core.put(20, _message(20)).do()
    overlaps = at < 40 and at + size > 20
    if overlaps:
        with pytest.raises(BscError, match="which nobody has read"):
            core.put(at, _message(size)).do()
        core.read(20, 20)
    core.put(at, _message(size)).do()
    if overlaps and (at, size) != (20, 20):
        with pytest.raises(BscError, match=r"of which only|as a whole"):
            core.read(20, 20)
    assert core.unused() == (size if overlaps else 20 + size)


# DDR ---------------------------------------------------------------------------------------


def _tensor(name: str, ddr: int, shape: tuple[int, int, int] = (2, 3, 4)) -> Tensor:
    return Tensor(name, name, shape, "i8", 0, shape[2], ddr)


@given(boxes(128))
def test_boxes_in_ddr_lie_in_one_tensor(box: Box) -> None:
    ddr = machine_of(small_arch(), (_tensor("a", 0, (4, 8, 4)), _tensor("b", 128))).ddr
    end = max(_places(box, 2**40)) + 1
    if end <= 128 or (box.address >= 128 and end <= 152):
        ddr.put(box, _values(box, 1)).do()
        np.testing.assert_array_equal(ddr.read(box).bytes, _values(box, 1).bytes)
    else:
        with pytest.raises(BscError, match="not inside one tensor"):
            ddr.put(box, _values(box, 1)).do()


def test_tensors_in_ddr_do_not_overlap() -> None:
    with pytest.raises(BscError, match="tensors a and b overlap in DDR at 0x10"):
        machine_of(small_arch(), (_tensor("a", 0), _tensor("b", 16)))
    with pytest.raises(BscError, match="it has 8589934592"):
        machine_of(small_arch(), (_tensor("a", 2**33),))


def test_ddr_that_nobody_wrote_cannot_be_read() -> None:
    ddr = machine_of(small_arch(), (_tensor("a", 0),)).ddr
    with pytest.raises(BscError, match="never written"):
        ddr.read(Box(0, 1, 1, 4, 4, 4))
