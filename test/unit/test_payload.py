"""Bytes that are put together when they are asked for: the same as if they had been at once."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsc.dialects import payload as payloads
from bsc.dialects.payload import Payload
from bsc.mapped import give_back


@st.composite
def arranged(draw: st.DrawFn) -> tuple[Payload, np.ndarray]:
    """A payload of a transposed array with its axes reordered a few times, and its numbers."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    dtype = draw(st.sampled_from([np.int8, np.int32]))
    array = rng.integers(-100, 100, shape).astype(dtype)
    array = array.transpose(draw(st.permutations(range(len(shape)))))
    found, expected = Payload(array), array
    for _ in range(draw(st.integers(0, 3))):
        axes = draw(st.sets(st.integers(0, array.ndim - 1)))
        orders = {axis: rng.permutation(array.shape[axis]) for axis in axes}
        found = found.reordered(orders)
        for axis, order in orders.items():
            expected = expected.take(order, axis)
    return found, np.ascontiguousarray(expected)


@given(arranged(), st.integers(1, 40), st.data())
def test_the_bytes_are_those_of_the_array(
    made: tuple[Payload, np.ndarray], part: int, data: st.DataObject
):
    found, expected = made
    content = expected.tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payloads, "_PART", part)
        assert b"".join(p.tobytes() for p in found.parts()) == content
        assert found.digest == hashlib.sha256(content).hexdigest()
        stream = io.BytesIO()
        moved = found.reordered({}).at("w.bin", 4)
        moved.write(stream)
        assert found.is_splat == (len(set(content)) == 1)
    assert stream.getvalue() == content
    assert (moved.digest, moved.file, moved.offset) == (found.digest, "w.bin", 4)
    assert found == Payload(expected)
    assert (found.size, found.content.tobytes()) == (len(content), content)
    np.testing.assert_array_equal(found.array, expected)
    lo, hi = sorted(data.draw(st.tuples(*[st.integers(0, len(expected) + 1)] * 2)))
    np.testing.assert_array_equal(found.rows(lo, hi), expected[lo:hi])


def test_a_shape_for_bytes_that_have_none():
    flat = Payload(np.arange(24, dtype=np.uint8), "w.bin", 8)
    shaped = flat.shaped(np.int8, (2, 3, 4))
    assert shaped.array.shape == (2, 3, 4)
    assert (shaped, shaped.file, shaped.offset) == (flat, "w.bin", 8)
    assert np.shares_memory(shaped.array, flat.array)
    turned = shaped.reordered({1: np.array([2, 0, 1])})
    # The bytes are no longer those of the file.
    assert turned.file is None
    np.testing.assert_array_equal(turned.array, shaped.array[:, [2, 0, 1]])


def test_nothing_is_copied_before_it_is_asked_for():
    array = np.zeros((64, 32, 3, 3), np.int8)
    found = Payload(array.transpose(0, 2, 3, 1))
    assert np.shares_memory(found.array, array)
    assert not np.shares_memory(found.reordered({3: np.arange(32)[::-1]}).array, array)
    assert not found.array.flags.writeable


def resident(path: Path) -> int:
    """Bytes of a mapped file that are with this process."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
    rss = next(line for line in lines[start:] if line.startswith("Rss:"))
    return int(rss.split()[1]) * 1024


@pytest.mark.parametrize("offset", [0, 5000])
def test_pages_of_a_mapped_file_are_given_back(tmp_path: Path, offset: int):
    path, size = tmp_path / "w.bin", 2**20
    values = np.random.default_rng(0).integers(0, 256, size + offset, np.uint8)
    path.write_bytes(values.tobytes())
    mapped = np.memmap(path, np.uint8, "r")
    found = Payload(mapped[offset:].reshape(1024, -1).transpose())
    expected = np.ascontiguousarray(values[offset:].reshape(1024, -1).transpose())
    for _ in range(2):
        np.testing.assert_array_equal(found.array, expected)
        assert resident(path) >= size
        found.give_back()
        # The page that a part begins in holds other bytes, too.
        assert resident(path) <= 4096 * (offset // 4096)
    assert found.digest == hashlib.sha256(expected.tobytes()).hexdigest()
    assert resident(path) <= 4096 * (offset // 4096)


def test_what_is_written_through_a_map_stays(tmp_path: Path):
    path = tmp_path / "w.bin"
    path.write_bytes(bytes(8192))
    private = np.memmap(path, np.uint8, "c")
    private[:] = 7
    give_back(private)
    assert (private == 7).all()
    give_back(private[100:200])
    assert (private == 7).all()
    give_back(np.ones(8192, np.uint8))
