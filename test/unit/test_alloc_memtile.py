"""Addresses in the memtiles, verified on the IR alone.

The verifier below shares no code with the allocator: it reads places off a module, finds
out itself when the bytes behind each are in use, and compares all pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import onnx
import pytest
from qdq_models import QdqBuilder
from varied_networks import outcome_of, random_arch, varied_network
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.dialects.tensor import EmptyOp, ExtractSliceOp, InsertSliceOp
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.dialects.bsw import BlobOp
from bsc.dialects.dataflow import ToDdrOp, ToMemtileOp
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.placement import (
    PLACE,
    Memory,
    Place,
    PlaceAttr,
    Spread,
    SpreadAxis,
    place_of,
)
from bsc.dialects.qnn import Conv2dOp, ReshapeOp
from bsc.dialects.qnn_attributes import shape_of
from bsc.frontend import import_onnx
from bsc.pipelines import NAMED_PIPELINES, parse_specs, resolve, run_passes

ALIGN = 64
PASSES = ",".join(NAMED_PIPELINES["bsc-compile"])


class Region(NamedTuple):
    """Bytes [lo, hi) of one memtile, in use from one operation of the block to another."""

    name: str
    memtile: int
    lo: int
    hi: int
    first: int
    last: int


def placed(model: onnx.ModelProto, arch: Arch, specs: str = PASSES) -> ModuleOp:
    """The module after `specs`, up to the packing of weights."""
    module = import_onnx(model).module
    module.attributes[ARCH] = ArchAttr(arch)
    run_passes(module, resolve(parse_specs(specs.partition(",lower-to-dataflow")[0])))
    module.verify()
    return module


def regions(module: ModuleOp, arch: Arch) -> list[Region]:
    """All bytes that a module uses in memtiles."""
    (main,) = (op for op in module.ops if isinstance(op, FuncOp))
    position = {op: i for i, op in enumerate(main.body.block.ops)}
    weights = _weight_sizes(module, arch)
    found: list[Region] = []
    for op in position:
        place = place_of(op)
        if place is None or place.memory is not Memory.MEMTILE:
            continue
        (value,) = op.results
        events = [position[e] for e in _events(value)]
        first = min(events) if isinstance(op, EmptyOp) else position[op]
        if isinstance(value.type, TensorType):
            sizes = _sizes(value, place, arch)
        else:
            (user,) = (use.operation for use in value.uses)
            sizes = weights[user]
        for memtile, size in enumerate(sizes):
            lo = place.address
            if size:
                found.append(Region(str(op), memtile, lo, lo + size, first, max(events)))
    return found


def _events(value: SSAValue) -> Iterator[Operation]:
    """Whatever writes or reads the bytes of a value, under any name that they have."""
    if isinstance(value.owner, Operation) and not isinstance(value.owner, EmptyOp):
        yield value.owner
    for use in value.uses:
        op = use.operation
        if isinstance(op, InsertSliceOp) and op.dest == value:
            assert isinstance(op.source.owner, Operation)
            yield op.source.owner
            yield from _events(op.result)
        elif isinstance(op, ExtractSliceOp | ReshapeOp):
            yield from _events(op.results[0])
        elif isinstance(op, InsertSliceOp):
            # It has been computed right into the whole, which is looked at on its own.
            assert place_of(op) is None
        else:
            yield op


def _sizes(tensor: SSAValue, place: Place, arch: Arch) -> list[int]:
    """Bytes of a tensor in each memtile."""
    _, h, w, c = shape_of(tensor.type)
    element = 4 if str(tensor.type).startswith(f"tensor<1x{h}x{w}x{c}xi32") else 1
    stored = (c + 7) // 8 * 8
    assert place.spread is not None
    pieces = [b - a for a, b in itertools.pairwise(place.spread.bounds)]
    match place.spread.axis.value:
        case "w":
            assert sum(pieces) == w
            return [h * piece * stored * element for piece in pieces]
        case "c":
            assert sum(pieces) >= c
            return [h * w * piece * element for piece in pieces]
        case _:
            return [h * w * stored * element] * arch.cols


def _weight_sizes(module: ModuleOp, arch: Arch) -> dict[Operation, list[int]]:
    """Bytes of packed weights in each memtile: the blob has them one after another, equal
    ones once."""
    blobs = [op for op in module.ops if isinstance(op, BlobOp)]
    packed: dict[Operation, tuple[int, ...]] = {}
    for op in module.walk():
        offsets = op.properties.get("packed")
        if isinstance(offsets, DenseArrayBase):
            packed[op] = tuple(int(n) for n in offsets.get_values())
    firsts = dict.fromkeys(packed.values())
    flat = [offset for offsets in firsts for offset in offsets]
    ends = flat[1:] + [blob.data.data.size for blob in blobs if flat]
    sizes = [end - start for start, end in zip(flat, ends, strict=True)]
    known = {o: sizes[i * arch.cols : (i + 1) * arch.cols] for i, o in enumerate(firsts)}
    return {op: known[offsets] for op, offsets in packed.items()}


def assert_disjoint(found: list[Region], capacity: int) -> None:
    """No two regions share a byte of a memtile at any time, and all lie within it."""
    for region in found:
        assert region.lo % ALIGN == 0
        assert 0 <= region.lo < region.hi <= capacity, region
    for a, b in itertools.combinations(found, 2):
        if a.memtile == b.memtile and a.lo < b.hi and b.lo < a.hi:
            assert a.last < b.first or b.last < a.first, f"{a}\n{b}"


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_no_two_live_tensors_overlap(first: int):
    checked = 0
    for seed in range(first, first + 10):
        arch = random_arch(seed)
        try:
            module = placed(varied_network(seed), arch)
        except PassFailedException:
            continue
        found = regions(module, arch)
        assert_disjoint(found, arch.memtile_bytes)
        checked += len(found)
    assert checked > 100


def chain(layers: int = 5) -> onnx.ModelProto:
    """Convolutions whose first tensor is added at the end: it lives all the time."""
    b = QdqBuilder(3)
    first = x = b.conv(b.input((1, 8, 16, 16)), 16, (3, 3), pads=(1, 1, 1, 1))
    for _ in range(layers):
        x = b.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    return b.model(b.binary("Add", first, x))


MACHINE = Arch("two", rows=2, cols=2, memtile_bytes=32768, core_data_bytes=16384)
ROOMS = (8192, 6144, 3072)
"""All fits in the first one; three tensors of 2048 bytes and weights are live at once."""


def sliced(capacity: int) -> str:
    """The passes, with slices of rows small enough for the least room."""
    text = PASSES.replace("alloc-memtile", f"alloc-memtile{{capacity={capacity}}}")
    return text.replace("split-height", "split-height{factor=4}")


def moved(module: ModuleOp, kind: type[ToMemtileOp | ToDdrOp]) -> int:
    """Numbers in the tensors (not the weights) that are moved."""
    types = [op.result.type for op in module.walk() if isinstance(op, kind)]
    return sum(t.element_count() for t in types if isinstance(t, TensorType))


@pytest.mark.parametrize("capacity", ROOMS)
def test_what_does_not_fit_is_spilled(capacity: int):
    module = placed(chain(), MACHINE, sliced(capacity))
    assert_disjoint(regions(module, MACHINE), capacity)
    output = 16 * 16 * 16
    assert (moved(module, ToDdrOp) > output) == (capacity < ROOMS[0])
    outcome = outcome_of(chain(), MACHINE, sliced(capacity))
    assert outcome.kind == "ok", outcome.reason


def test_less_room_means_more_traffic():
    modules = [placed(chain(), MACHINE, sliced(capacity)) for capacity in ROOMS]
    for kind in (ToMemtileOp, ToDdrOp):
        numbers = [moved(module, kind) for module in modules]
        assert numbers == sorted(numbers)
        assert numbers[0] < numbers[-1]


def test_an_address_given_by_hand_is_kept():
    module = import_onnx(chain(1)).module
    module.attributes[ARCH] = ArchAttr(MACHINE)
    before, _, _ = PASSES.partition(",alloc-memtile")
    run_passes(module, resolve(parse_specs(before)))
    op = next(op for op in module.walk() if isinstance(op, Conv2dOp))
    by_hand = Place(Memory.MEMTILE, 0x4000, Spread(SpreadAxis.W, (0, 8, 16)))
    op.attributes[PLACE] = PlaceAttr(by_hand)
    run_passes(module, resolve(parse_specs("alloc-memtile,pack-weights")))
    assert place_of(op) == by_hand
    assert_disjoint(regions(module, MACHINE), MACHINE.memtile_bytes)


def test_an_impossible_request_prints_the_memory_map():
    with pytest.raises(PassFailedException) as caught:
        placed(
            chain(), MACHINE, PASSES.replace("memtile", "memtile{capacity=2048 strict=true}")
        )
    first, *lines = str(caught.value).split("\n")
    needs = [int(word) for word in first.split() if word.isdecimal()]
    assert "of each memtile at once" in first
    assert needs[0] > 2048
    assert lines
    assert all("bytes" in line for line in lines)
