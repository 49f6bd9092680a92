"""Channels change their order, and nothing else changes.

What the pass says of itself is not trusted: tensors are computed by the reference interpreter
before and after it, and put back into the order of the model by `qnn.order`; blocks are counted
anew, pass by pass and chunk by chunk.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from exactness import argument_names
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from qdq_models import QdqBuilder, random_input
from sparse_networks import sparse_arch, sparse_network
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, i64
from xdsl.ir import Operation

from bsc import oracle
from bsc.arch import Arch, preset
from bsc.asm.program import IntArray
from bsc.balance.refine import Inputs, Outputs, refined, together
from bsc.dialects.machine import ARCH, ArchAttr, arch_of
from bsc.dialects.network import Network
from bsc.dialects.placement import Stationary, Subvolume, SubvolumeAttr
from bsc.dialects.qnn import Conv2dOp, ReshapeOp, WeightedOp
from bsc.dialects.qnn_attributes import ORDER, order_of, shape_of
from bsc.dialects.slices import tensor_name
from bsc.frontend import import_onnx
from bsc.interpreter import run_every_tensor, run_module
from bsc.numerics import Int8
from bsc.pipelines import parse_specs, resolve, run_passes
from bsc.tiling.channels import ChannelSplit, channel_granule, chunk_granule
from bsc.tiling.from_ir import layer_shape

SEEDS = range(16)
BLOCKS = ("8x8", "8x8", "8x8", "16x8", "8x16", "16x4", "4x16", "3x5", "1x1")


class Case:
    """A sparse network, split, with inputs and what it computes."""

    def __init__(self, seed: int, density: tuple[float, float] = (0.2, 0.8)):
        rng = np.random.default_rng(seed)
        model, self.arch = sparse_network(seed, density), sparse_arch(seed)
        imported = import_onnx(model)
        self.module = imported.module
        self.module.attributes[ARCH] = ArchAttr(self.arch)
        self.specs = [
            "fuse-epilogue",
            f"detect-block-sparsity{{block={BLOCKS[seed % len(BLOCKS)]}}}",
            f"split-width{{factor={rng.integers(1, 3)}}}",
            f"split-cout{{factor={rng.integers(1, 4)}}}" if seed % 3 == 1 else "split-cout",
            f"split-cin{{factor={rng.integers(1, 4)}}}" if seed % 4 == 1 else "split-cin",
            "schedule",
            f"split-height{{factor={rng.integers(1, 3)}}}",
        ]
        run(self.module, ",".join(self.specs))
        expected = oracle.quantized_tensors(model, random_input(model, seed))
        self.inputs: list[Int8] = [
            oracle.to_nhwc(expected[name]) for name in argument_names(imported)
        ]
        self.tensors = run_every_tensor(self.module, self.inputs)
        self.results = run_module(self.module, self.inputs)

    def check(self, module: ModuleOp) -> int:
        """All tensors are the same but for their order; returns how many have one."""
        module.verify()
        for found, result in zip(run_module(module, self.inputs), self.results, strict=True):
            np.testing.assert_array_equal(found, result)
        found = run_every_tensor(module, self.inputs)
        assert found.keys() == self.tensors.keys()
        orders = orders_by_name(module)
        for name, tensor in found.items():
            places = places_of(orders.get(name, ()), tensor.shape[3])
            np.testing.assert_array_equal(
                tensor[..., places], self.tensors[name], err_msg=f"{self.specs}: {name}"
            )
        return len(orders)


def run(module: ModuleOp, specs: str) -> ModuleOp:
    """Run passes on a module, which is returned."""
    run_passes(module, resolve(parse_specs(specs)))
    return module


def orders_by_name(module: ModuleOp) -> dict[str, tuple[int, ...]]:
    """The orders of tensors with an ONNX name, if they have one; an alias has its tensor's."""
    found: dict[str, tuple[int, ...]] = {}
    for op in module.walk():
        source: Operation = op
        while isinstance(source, ReshapeOp) and isinstance(source.input.owner, Operation):
            source = source.input.owner
        name = tensor_name(op.location)
        if name is not None and (order := order_of(source)):
            found[name] = order
    return found


def places_of(order: Sequence[int], channels: int) -> list[int]:
    """Where each channel of the model is, by a search for each."""
    if not order:
        return list(range(channels))
    return [8 * order.index(channel // 8) + channel % 8 for channel in range(channels)]


@pytest.mark.parametrize("seed", SEEDS)
def test_values_stay_and_orders_tell_where_they_are(seed: int):
    case = Case(seed)
    dealt = run(case.module.clone(), "balance-rows")
    case.check(dealt)
    again = run(dealt.clone(), "balance-rows")
    case.check(again)
    case.check(run(dealt, "select-subvolume,balance-rows"))


def test_orders_are_permutations_and_many():
    count = 0
    for seed in SEEDS:
        module = run(Case(seed).module, "balance-rows")
        for op in module.walk():
            if order := order_of(op):
                channels = shape_of(op.results[0].type)[3]
                assert sorted(order) == list(range(-(-channels // 8)))
                if channels % 8:
                    assert order[-1] == len(order) - 1
                count += 1
    assert count > 20


def splits(module: ModuleOp) -> list[tuple[float, ChannelSplit]]:
    """How often each block of a layer is used, and its passes and chunks."""
    network, arch = Network(module), arch_of(module)
    found: list[tuple[float, ChannelSplit]] = []
    for op in network.compute_ops():
        if isinstance(op, WeightedOp):
            assert op.subvolume is not None
            sub, shape = op.subvolume.data, layer_shape(network, op, arch)
            _, height, width, _ = op.shape
            taps = shape.sources[0].window.taps
            found.append((height * width * taps, ChannelSplit(shape, sub.cout, sub.cin)))
    return found


class Share(NamedTuple):
    """What the fullest rows of cores have to do, and the fullest pieces in bytes and blocks."""

    cost: float
    bytes: list[int]
    blocks: list[int]


def share_of(module: ModuleOp) -> Share:
    """Counted from the masks, subvolume by subvolume."""
    cost = 0.0
    sizes: list[int] = []
    blocks: list[int] = []
    for factor, split in splits(module):
        weight = split.layer.weight
        assert weight is not None
        fullest = [
            max(
                int(weight.mask(split.of_core(index, row), cin).sum())
                for row in range(split.layer.row_count)
            )
            for index, chunk in split.subvolumes()
            for cin in [(split.chunk_bounds[chunk], split.chunk_bounds[chunk + 1])]
        ]
        cost += factor * sum(fullest)
        blocks.append(max(fullest))
        sizes.append(int(split.weight_sizes.max()))
    return Share(cost, sizes, blocks)


def cut_at_random(module: ModuleOp, seed: int) -> ModuleOp:
    """Passes and chunks of any size, as `--select-subvolume` might choose them."""
    rng, network, arch = np.random.default_rng(seed), Network(module), arch_of(module)
    for op in network.compute_ops():
        if isinstance(op, WeightedOp):
            shape = layer_shape(network, op, arch)
            cout = channel_granule(shape) * int(rng.integers(1, 4))
            cin = chunk_granule(shape) * int(rng.integers(1, 5))
            _, _, couts, cins = op.largest_subvolume()
            sub = Subvolume(1, 1, min(cout, couts), min(cin, cins), Stationary.WEIGHTS)
            op.properties["subvolume"] = SubvolumeAttr(sub)
    return module


@pytest.mark.parametrize("cut", ["chosen", "drawn"])
def test_refinement_only_gains(cut: str):
    gained = 0
    for seed in SEEDS:
        case = Case(seed)
        module = run(case.module, "balance-rows") if seed % 2 else case.module
        if cut == "chosen":
            run(module, "select-subvolume")
        else:
            cut_at_random(module, seed)
        before = share_of(module)
        after = share_of(run(module, "balance-rows"))
        case.check(module)
        assert after.cost <= before.cost, seed
        gained += after.cost < before.cost
        for old, new in zip(before.bytes, after.bytes, strict=True):
            assert new <= old, seed
        for old, new in zip(before.blocks, after.blocks, strict=True):
            assert new <= old, seed
    assert gained >= len(SEEDS) // 8


def network_of(masks: Sequence[Sequence[Sequence[int]]], arch: Arch) -> ModuleOp:
    """A chain of 1 x 1 convolutions with the given masks of blocks, shared over the rows."""
    b = QdqBuilder(0)
    x = b.input((1, 8 * len(masks[0][0]), 4, 4))
    for mask in masks:
        x = b.conv(x, 8 * len(mask))
    weights = [t for t in b.initializers.values() if len(t.dims) == 4]
    for tensor, mask in zip(weights, masks, strict=True):
        values = numpy_helper.to_array(tensor) | 1
        values *= np.kron(np.array(mask, np.int8), np.ones((8, 8), np.int8))[..., None, None]
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    module = import_onnx(b.model(x)).module
    module.attributes[ARCH] = ArchAttr(arch)
    return run(module, "fuse-epilogue,detect-block-sparsity,split-width,split-cout")


def rows_of_blocks(module: ModuleOp) -> list[list[int]]:
    """Stored blocks that each row of cores has of each weight."""
    network = Network(module)
    found: list[list[int]] = []
    for op in network.compute_ops():
        if isinstance(op, Conv2dOp) and op.rows is not None:
            gamma = network.weight(op.weight).op.gamma
            assert gamma is not None
            bounds = [-(-n // 8) for n in op.rows.data.bounds]
            blocks = gamma.data.bits.sum(axis=1)
            found.append([int(blocks[a:b].sum()) for a, b in pairwise(bounds)])
    return found


@pytest.mark.parametrize(("rows", "each", "wide"), [(2, 3, 4), (3, 2, 5), (4, 4, 2), (5, 2, 3)])
def test_uneven_rows_become_even(rows: int, each: int, wide: int):
    """The first rows of cores have full rows of blocks, and the others hardly anything."""
    heavy = rows * each // 2 // rows * rows
    mask = [[1] * wide] * heavy + [[1] + [0] * (wide - 1)] * (rows * each - heavy)
    reader = [[1] * (rows * each)] * rows
    module = network_of([mask, reader], preset(f"paper-{rows}x1"))
    before = rows_of_blocks(module)[0]
    run(module, "balance-rows")
    after, read = rows_of_blocks(module)
    assert max(before) > min(before)
    assert after == [sum(before) // rows] * rows
    assert read == [rows * each] * rows


def test_dense_weights_stay_as_they_are():
    for rows in range(1, 6):
        masks = [np.ones((n, m), np.int8).tolist() for n, m in ((rows * 3, 2), (4, rows * 3))]
        module = network_of(masks, preset(f"paper-{rows}x2"))
        before = str(module)
        assert str(run(module, "balance-rows")) == before
        chosen = str(cut_at_random(module, rows))
        assert str(run(module, "balance-rows")) == chosen


def test_what_comes_back_to_the_order_of_the_model_has_none():
    mask = [[1, 1], [1, 0], [1, 1], [0, 0]]
    module = network_of([mask, [[1] * 4] * 2], preset("paper-2x1"))
    (op, _) = (o for o in Network(module).compute_ops() if isinstance(o, Conv2dOp))
    once = run(module.clone(), "balance-rows")
    (changed,) = orders_by_name(once).values()
    op.attributes[ORDER] = DenseArrayBase.from_list(i64, np.argsort(changed).tolist())
    run(module, "balance-rows")
    assert not orders_by_name(module)


# The refinement by itself --------------------------------------------------------------------


def outputs_of(rng: np.random.Generator) -> Outputs:
    """A layer that computes units, of any size: one row, pass, chunk or unit as well."""
    passes, rows, chunks, units = (int(n) for n in rng.integers(1, (5, 6, 4, 10)))
    return Outputs(
        rng.integers(0, 5, (units, chunks)),
        rng.integers(0, passes, units),
        rng.integers(0, rows, units),
        rng.integers(0, 4, (passes, rows, chunks)),
        float(rng.integers(1, 4)),
    )


def inputs_of(rng: np.random.Generator) -> Inputs:
    """A layer that reads units."""
    passes, rows, chunks, units = (int(n) for n in rng.integers(1, (5, 6, 4, 10)))
    return Inputs(
        rng.integers(0, 5, (units, passes, rows)),
        rng.integers(0, chunks, units),
        rng.integers(0, 4, (chunks, passes, rows)),
        float(rng.integers(1, 4)),
    )


def pieces_of(layer: Outputs | Inputs, order: Sequence[int]) -> IntArray:
    """Blocks of each (chunk, pass, row) if the units lie in some order: counted one by one."""
    if isinstance(layer, Outputs):
        sums = layer.others.transpose(2, 0, 1).copy()
        for place, unit in enumerate(order):
            sums[:, layer.passes[place], layer.rows[place]] += layer.blocks[unit]
    else:
        sums = layer.others.copy()
        for place, unit in enumerate(order):
            sums[layer.chunks[place]] += layer.blocks[unit]
    return sums


def limits_of(pieces: IntArray) -> list[int]:
    """The most blocks that a piece of each chunk may have: the first one has the bias too, so
    that no other chunk's count is good for it."""
    most = [int(p.max()) for p in pieces]
    return [most[0], *[max(most)] * (len(most) - 1)]


def gain_by_hand(layer: Outputs | Inputs, a: int, b: int, limits: Sequence[int]) -> float:
    """What `gains` says of two places, from a count of everything."""
    order = list(range(len(layer.blocks)))
    before = pieces_of(layer, order)
    order[a], order[b] = b, a
    after = pieces_of(layer, order)
    if any(new.max() > limit for new, limit in zip(after, limits, strict=True)):
        return -np.inf
    cost = [int(pieces.max(axis=2).sum()) for pieces in (before, after)]
    return (cost[0] - cost[1]) * layer.factor


@pytest.mark.parametrize("make", [outputs_of, inputs_of])
@settings(max_examples=120)
@given(st.integers(0, 2**32 - 1))
def test_gains_are_those_of_a_recount(
    make: Callable[[np.random.Generator], Outputs | Inputs], seed: int
):
    rng = np.random.default_rng(seed)
    layer = make(rng)
    units = len(layer.blocks)
    limits = limits_of(pieces_of(layer, range(units)))
    for _ in range(3):
        a, b = (int(n) for n in rng.integers(0, units, 2))
        gains = layer.gains(a)
        by_hand = [gain_by_hand(layer, a, other, limits) for other in range(units)]
        np.testing.assert_array_equal(gains, by_hand)
        if gains[b] > -np.inf:
            layer.swap(a, b)
            pieces = pieces_of(layer, range(units))
            of_layer = (
                layer.sums.transpose(2, 0, 1) if isinstance(layer, Outputs) else layer.sums
            )
            np.testing.assert_array_equal(of_layer, pieces)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_layers_together_are_what_they_are_apart(seed: int):
    rng = np.random.default_rng(seed)
    chunks, rows, units = (int(n) for n in rng.integers(1, (4, 6, 10)))
    places = [rng.integers(0, chunks, units) for _ in range(2)]
    apart = [
        Inputs(
            rng.integers(0, 5, (units, passes, rows)),
            places[int(rng.integers(2))],
            rng.integers(0, 4, (chunks + int(rng.integers(2)), passes, rows)),
            float(rng.integers(1, 3)),
        )
        for passes in rng.integers(1, 4, 6)
    ]
    layers = together(copy.deepcopy(apart))
    for _ in range(3):
        a, b = (int(n) for n in rng.integers(0, units, 2))
        gains = [np.sum([layer.gains(a) for layer in some], axis=0) for some in (layers, apart)]
        np.testing.assert_array_equal(*gains)
        if gains[0][b] > -np.inf:
            for layer in (*layers, *apart):
                layer.swap(a, b)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_refined_units_are_all_there_and_cost_less(seed: int):
    rng = np.random.default_rng(seed)
    first = outputs_of(rng)
    units = len(first.blocks)
    layers: list[Outputs | Inputs] = [first]
    while len(layers) < 3:
        other = (outputs_of, inputs_of)[int(rng.integers(2))](rng)
        if len(other.blocks) == units:
            layers.append(other)
    kept = copy.deepcopy(layers)
    order = refined(layers, units).tolist()
    assert sorted(order) == list(range(units))
    cost = [0.0, 0.0]
    for layer in kept:
        old, new = pieces_of(layer, range(units)), pieces_of(layer, order)
        cost[0] += layer.factor * int(old.max(axis=2).sum())
        cost[1] += layer.factor * int(new.max(axis=2).sum())
        for most, limit in zip(new.max(axis=(1, 2)), limits_of(old), strict=True):
            assert most <= limit
    assert cost[1] <= cost[0]
    assert (cost[1] < cost[0]) == (order != list(range(units)))
