"""Splits in any order, by any factor, keep the values.

The reference interpreter runs a module before and after; what a piece forgets to write
shows, as new tensors are not zero there.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from exactness import argument_names, main_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qdq_models import QdqBuilder, random_input
from varied_networks import compiled, outcome_of, random_arch, varied_network
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.dialects.tensor import InsertSliceOp

from bsc import oracle
from bsc.arch import Arch
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import box_of
from bsc.frontend import import_onnx
from bsc.interpreter import run_every_tensor, run_module
from bsc.numerics import Int8
from bsc.pipelines import parse_specs, resolve, run_passes
from bsc.tiling.fit import fits, footprint, shrunk
from bsc.tiling.from_ir import layer_shape

SPLITS = ("split-width", "split-cout", "split-cin", "split-height", "split-window")
BEFORE = "fuse-epilogue,detect-block-sparsity"
AFTER = (
    "select-subvolume,schedule,alloc-memtile,pack-weights,lower-to-dataflow,chain-locks,"
    "annotate-cost,verify-dataflow"
)


class Case:
    """A random network on a random machine, with inputs and what it computes."""

    def __init__(self, seed: int):
        self.model, self.arch = varied_network(seed), random_arch(seed)
        imported = import_onnx(self.model)
        expected = oracle.quantized_tensors(self.model, random_input(self.model, seed))
        names = argument_names(imported)
        self.inputs: list[Int8] = [oracle.to_nhwc(expected[name]) for name in names]
        self.module = imported.module
        self.module.attributes[ARCH] = ArchAttr(self.arch)
        self.tensors = run_every_tensor(self.module, self.inputs)
        self.results = run_module(self.module, self.inputs)

    def check(self, specs: str) -> ModuleOp:
        """Run passes on a copy and compare; returns the copy."""
        module = self.module.clone()
        run_passes(module, resolve(parse_specs(specs)))
        module.verify()
        for found, result in zip(run_module(module, self.inputs), self.results, strict=True):
            np.testing.assert_array_equal(found, result, err_msg=specs)
        for name, tensor in run_every_tensor(module, self.inputs).items():
            np.testing.assert_array_equal(tensor, self.tensors[name], err_msg=name)
        return module


def spec(name: str, factor: int | None) -> str:
    """A pass with its factor, if it is given one."""
    return name if factor is None else f"{name}{{factor={factor}}}"


factors = st.one_of(st.none(), st.integers(1, 5))


@pytest.mark.parametrize("seed", range(760, 768))
def test_scheduled_pieces_are_split_again(seed: int):
    Case(seed).check("split-width{factor=2},split-cout,schedule,split-height{factor=2}")


@settings(max_examples=40)
@given(
    st.integers(700, 760),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(SPLITS), factors), min_size=1, max_size=6),
)
@example(718, False, [("split-cout", None), ("split-width", 3)])  # Means one pixel wide.
def test_any_splits_in_any_order(seed: int, fused: bool, splits: list[tuple[str, int | None]]):
    """Also the same split again and again, and without any pass before."""
    specs = [spec(name, factor) for name, factor in splits]
    Case(seed).check(",".join([BEFORE, *specs] if fused else specs))


ORDERS: list[tuple[str, ...]] = list(itertools.permutations(SPLITS))


@pytest.mark.parametrize("order", ORDERS[::9], ids=lambda order: " ".join(order))
def test_programs_of_splits_in_another_order(order: tuple[str, ...]):
    seed = 800 + ORDERS.index(order)
    rng = np.random.default_rng(seed)
    specs = [spec(name, int(rng.integers(1, 4))) for name in order]
    whole = ",".join([BEFORE, *specs, AFTER])
    Case(seed).check(",".join([BEFORE, *specs]))
    outcome = outcome_of(varied_network(seed), random_arch(seed), whole)
    assert outcome.kind != "wrong", outcome.reason
    small = (" of each memtile", "no subvolume fits: run --split-window first")
    assert outcome.kind == "ok" or any(reason in outcome.reason for reason in small)


def coverage(module: ModuleOp) -> dict[int, np.typing.NDArray[np.int64]]:
    """How often each element of a tensor that is put together is written."""
    (main,) = (op for op in module.ops if isinstance(op, FuncOp))
    counts: dict[int, np.typing.NDArray[np.int64]] = {}
    chain: dict[object, int] = {}
    for op in main.body.block.ops:
        if not isinstance(op, InsertSliceOp):
            continue
        key = chain.setdefault(op.dest, len(chain))
        chain[op.result] = key
        box = box_of(op)
        shape = tuple(op.result.type.get_shape())
        array = counts.setdefault(key, np.zeros(shape, np.int64))
        index = tuple(slice(o, o + s) for o, s in zip(box.offsets, box.sizes, strict=True))
        array[index] += 1
    return counts


@settings(max_examples=40)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 40),
    st.lists(st.tuples(st.sampled_from(SPLITS), st.integers(1, 6)), min_size=1, max_size=3),
)
def test_pieces_cover_a_tensor_exactly_once(
    rows: int, cols: int, cout: int, splits: list[tuple[str, int]]
):
    """56 over 4, 7 over 4, 1 over 4, and everything between."""
    b = QdqBuilder()
    y = b.conv(b.input((1, 9, rows, cols)), cout, (3, 3), pads=(1, 1, 1, 1))
    module = import_onnx(b.model(y)).module
    run_passes(module, resolve(parse_specs(",".join(spec(*split) for split in splits))))
    for counts in coverage(module).values():
        assert (counts == 1).all()


@pytest.mark.parametrize(("size", "pieces"), [(56, 4), (7, 4), (1, 1), (5, 3), (4, 4)])
@pytest.mark.parametrize(("name", "dim"), [("split-width", 2), ("split-height", 1)])
def test_four_pieces_of_any_size(name: str, dim: int, size: int, pieces: int):
    b = QdqBuilder()
    dims = (1, 4, 3, size) if dim == 2 else (1, 4, size, 3)
    y = b.conv(b.input(dims), 8, (3, 3), pads=(1, 1, 1, 1))
    imported = import_onnx(b.model(y))
    run_passes(imported.module, resolve(parse_specs(f"{name}{{factor=4}}")))
    found = [op for op in main_of(imported).body.block.ops if isinstance(op, ComputeOp)]
    assert len(found) == pieces
    assert sum(op.shape[dim] for op in found) == size
    assert max(op.shape[dim] for op in found) == -(-size // 4)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("channels", [(10, 5), (5, 10), (3, 4, 17)])
def test_partial_sums_of_what_is_concatenated(rows: int, channels: tuple[int, ...]):
    """A partial sum fills up its last granule, though the channels of the next tensor come
    right behind those of the sum."""
    b = QdqBuilder(rows)
    x = b.input((1, 20, 6, 5))
    model = b.model(b.concat([b.conv(x, n, (1, 3)) for n in channels]))
    specs = f"{BEFORE},split-width,split-cout,split-cin{{factor=3}},{AFTER}"
    outcome = outcome_of(model, Arch("few", rows=rows, cols=2), specs)
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("cols", [1, 3])
def test_a_pool_too_large_for_the_memtiles_is_split_by_channels(cols: int):
    b = QdqBuilder()
    y = b.global_pool(b.input((1, 120, 9, 11)))
    arch = Arch("little", rows=2, cols=cols, memtile_bytes=2048)
    outcome = outcome_of(b.model(y), arch)
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize(("cout", "cin", "room"), [(53, 168, 131072), (16, 100, 16384)])
def test_cout_is_cut_until_a_row_of_the_input_fits_beside_the_weights(
    cout: int, cin: int, room: int
):
    """A window so wide that every memtile has all of the input's row: weights that take less
    than half of a memtile leave no room for it; in the second case CIN must be cut as well."""
    b = QdqBuilder()
    x = b.input((1, cin, 17, 41))
    y = b.conv(x, cout, (5, 9), strides=(2, 1), dilations=(4, 4))
    arch = Arch("little", rows=3, cols=7, memtile_bytes=room, core_data_bytes=16384)
    outcome = outcome_of(b.model(y), arch)
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize(("size", "cin"), [(20, 400), (33, 640), (61, 300)])
def test_width_is_not_cut_to_pixels_where_cin_must_be_cut(size: int, cin: int):
    """Where not even one pixel fits with all input channels, fewer of them leave room for
    many pixels: single ones would be cut by COUT and CIN each, into thousands of pieces."""
    b = QdqBuilder()
    y = b.conv(b.input((1, cin, size, size)), 16, (5, 9), dilations=(4, 2), pads=(8, 8, 8, 8))
    arch = Arch("narrow", rows=2, cols=2, memtile_bytes=65536, core_data_bytes=12288)
    case = import_onnx(b.model(y)).module
    case.attributes[ARCH] = ArchAttr(arch)
    run_passes(case, resolve(parse_specs(f"{BEFORE},split-width,split-cout,split-cin")))
    (main,) = (op for op in case.ops if isinstance(op, FuncOp))
    pieces = [op for op in main.body.block.ops if isinstance(op, ComputeOp)]
    assert {op.shape[2] for op in pieces} == {size}
    assert len(pieces) <= 2 * -(-cin // 8)


@pytest.mark.parametrize(("size", "channels", "cols"), [((31, 33), 201, 6), ((47, 29), 150, 4)])
def test_a_pool_keeps_a_row_of_what_it_cuts(size: tuple[int, int], channels: int, cols: int):
    """One pixel of all channels fits, and one row of a few, but not one row of all."""
    b = QdqBuilder()
    y = b.pool("MaxPool", b.input((1, channels, *size)), (23, 13), (4, 4))
    arch = Arch("narrow", rows=2, cols=cols, memtile_bytes=131072, core_data_bytes=24576)
    outcome = outcome_of(b.model(y), arch)
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("cin", range(165, 213, 16))
def test_a_piece_of_cin_leaves_room_for_its_sums(cin: int):
    """Sums are four bytes, and each piece but the first reads those of the one before."""
    b = QdqBuilder()
    y = b.conv(b.input((1, cin, 53, 61)), 4, (6, 11), strides=(2, 1))
    arch = Arch("narrow", rows=8, cols=2, memtile_bytes=65536, core_data_bytes=12288)
    case = import_onnx(b.model(y)).module
    case.attributes[ARCH] = ArchAttr(arch)
    run_passes(case, resolve(parse_specs(f"{BEFORE},split-width,split-cout,split-cin")))
    network = Network(case)
    for op in network.compute_ops():
        assert fits(shrunk(layer_shape(network, op, arch), arch, 1), arch)


@pytest.mark.parametrize("channels", [61, 67, 75])
def test_weights_in_many_subvolumes_fit_where_those_in_one_fit_exactly(channels: int):
    """Each packed subvolume has a mask and a bias of its own."""
    b = QdqBuilder()
    x = b.input((1, channels, 20, 54))
    model = b.model(b.conv(x, channels, (11, 7), strides=(1, 4), groups=channels))
    wide = Arch("exact", rows=6, cols=1, memtile_bytes=1 << 20, core_data_bytes=49152)
    network = Network(import_onnx(model).module)
    (layer,) = (layer_shape(network, op, wide) for op in network.compute_ops())
    arch = dataclasses.replace(wide, memtile_bytes=footprint(layer, wide))
    outcome = outcome_of(model, arch)
    assert outcome.kind == "ok", outcome.reason
    text, _ = compiled(model, arch)
    assert "[h " not in text
