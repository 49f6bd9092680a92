"""What a core holds at once, counted on the program text alone.

The buffers of a stage are read off its instructions: addresses, and the bytes that the
extents of the transfers come to.  They must not overlap, and must lie within the core.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pytest
from varied_networks import compiled, random_arch, random_specs, varied_network
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, SPECS
from bsc.asm.order import units
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, IntArray, Program, Ready, Slots, expand
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.placement import Stationary, Subvolume
from bsc.dialects.qnn import ReshapeOp
from bsc.frontend import import_onnx
from bsc.pipelines import parse_specs, resolve, run_passes
from bsc.tiling.bounds import ITERATION_S, OVERLAP_SHARE, STAGE_S, Bounds
from bsc.tiling.core import CorePlan
from bsc.tiling.estimate import Estimate
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.layer import LayerShape
from bsc.tiling.pixels import PixelSplit
from bsc.tiling.rows import split_rows
from bsc.tiling.search import best_subvolume


class Buffer(NamedTuple):
    """Bytes [lo, hi) of a core."""

    name: str
    lo: int
    hi: int


def numbers(instr: Instr, arch: Arch, name: str) -> IntArray:
    """A field over (iterations or 1, *axes); 0 if it is not there."""
    (field,) = (f for f in SPECS[instr.mnemonic].fields if f.name == name)
    value = instr.fields.get(name, 0)
    assert isinstance(value, int | tuple)
    assert not isinstance(value, Slots)
    return expand(value, field, arch, instr.count)


def most_bytes(instr: Instr, arch: Arch) -> int:
    """The most bytes that an iteration of a transfer moves to or from one core."""

    def of(name: str) -> IntArray:
        return numbers(instr, arch, name)

    if instr.mnemonic == "LOADWDM":
        return int((of("off") + of("bytes")).max())
    width = of("w")
    if instr.mnemonic == "LOADFM":
        width = width + of("wl") + of("wr")
    grid = of("h").reshape(-1, 1, 1) * width[:, None, :] * of("c")
    return int(grid.max())


def buffers(unit: list[Instr], arch: Arch) -> set[Buffer]:
    """The buffers of a stage: each slot of each transfer."""
    found: set[Buffer] = set()
    for index, instr in enumerate(unit):
        if instr.spec.is_transfer:
            size = most_bytes(instr, arch)
            for address in instr.slots("core").addresses:
                name = f"{index} {instr.mnemonic}"
                found.add(Buffer(name, address, address + size))
    return found


def assert_cores_hold(program: Program) -> int:
    """Check all stages; returns how many."""
    arch, count = program.arch, 0
    for _, unit in units(program):
        if isinstance(unit, Ready) or unit[0].spec.engine in DDR_ENGINES:
            continue
        count += 1
        found = buffers(unit, arch)
        assert all(0 <= b.lo <= b.hi <= arch.core_data_bytes for b in found)
        for a, b in itertools.combinations(found, 2):
            assert a.hi <= b.lo or b.hi <= a.lo, (a, b)
        for instr in unit:
            if "acc" in instr.fields:
                rows, width = numbers(instr, arch, "h"), numbers(instr, arch, "w")
                outputs = int(rows.max() * width.max() * numbers(instr, arch, "cout").max())
                acc = instr.number("acc")
                assert arch.core_data_bytes <= acc
                assert acc + 4 * outputs <= arch.core_bytes
    return count


@pytest.mark.parametrize("first", range(500, 520, 10))
def test_buffers_of_every_stage_fit_the_core(first: int):
    count = 0
    for seed in range(first, first + 10):
        specs = random_specs(seed) if seed % 2 else "bsc-compile"
        try:
            text, _ = compiled(varied_network(seed), random_arch(seed), specs)
        except PassFailedException:
            continue
        count += assert_cores_hold(parse_program(text))
    assert count > 50


# The search ----------------------------------------------------------------------------

SPLIT = "fuse-epilogue,detect-block-sparsity,split-width,split-cout,split-cin,split-height"


def layers(seed: int, arch: Arch) -> list[LayerShape]:
    """The layers of a random network, split for a machine."""
    module: ModuleOp = import_onnx(varied_network(seed)).module
    module.attributes[ARCH] = ArchAttr(arch)
    run_passes(module, resolve(parse_specs(SPLIT)))
    network = Network(module)
    ops = [op for op in network.compute_ops() if not isinstance(op, ReshapeOp)]
    return [layer_shape(network, op, arch) for op in ops]


def some_subvolumes(layer: LayerShape, rng: np.random.Generator) -> list[Subvolume]:
    """Subvolumes drawn at random."""
    channels = layer.sources[0].channels
    return [
        Subvolume(
            int(rng.integers(1, layer.out[0] + 1)),
            int(rng.integers(1, layer.out[1] + 1)),
            8 * int(rng.integers(1, -(-layer.channels // 8) + 1)),
            channels if layer.weight is None else 8 * int(rng.integers(1, channels // 8 + 1)),
            Stationary.WEIGHTS,
        )
        for _ in range(5)
    ]


@pytest.mark.parametrize("seed", range(600, 607))
def test_the_choice_fits_and_more_memory_is_never_slower(seed: int):
    arch = random_arch(seed)
    roomy = dataclasses.replace(arch, core_data_bytes=4 * arch.core_data_bytes)
    for layer in layers(seed, arch):
        best, freer = best_subvolume(layer, arch), best_subvolume(layer, roomy)
        if best is None:
            smallest = CorePlan.of(layer, Subvolume(1, 1, 8, 8))
            assert sum(smallest.sizes.values()) > arch.core_data_bytes
            continue
        plan = CorePlan.of(layer, best)
        assert plan.buffers(arch) is not None
        assert freer is not None
        if (freer.width, freer.cin) == (best.width, best.cin):
            assert serial_s(CorePlan.of(layer, freer), roomy) <= serial_s(plan, arch)


def serial_s(plan: CorePlan, arch: Arch) -> float:
    """Seconds of a plan that fits."""
    buffers = plan.buffers(arch)
    assert buffers is not None
    return Estimate(plan, arch, buffers).serial_s


def test_tiles_of_a_run_lie_at_equal_distances():
    together = 0
    for seed in range(630, 645):
        rng = np.random.default_rng(seed)
        for layer in layers(seed, random_arch(seed)):
            split = PixelSplit(layer, int(rng.integers(1, max(2, layer.out[1] // 3))))
            tiles = [
                tile for first, count in split.runs for tile in range(first, first + count)
            ]
            assert tiles == list(range(len(split.tiles)))
            together += len(tiles) - len(split.runs)
            for first, count in split.runs:
                for tile, column in itertools.product(range(count), range(layer.column_count)):
                    assert_same_but_moved(layer, split, column, first, tile)
    assert together > 20


def assert_same_but_moved(
    layer: LayerShape, split: PixelSplit, column: int, first: int, tile: int
) -> None:
    """Check a tile of a run: it computes and reads what the first one does, further on."""
    (a, b), (lo, hi) = split.tiles[first][column], split.tiles[first + tile][column]
    assert hi - lo == b - a
    assert lo == a + tile * split.width or lo == hi
    for source in layer.sources:
        axis, step = source.window.w, tile * split.step(source)
        found = source.pieces(column, layer.column_count, lo, hi) or ()
        before = source.pieces(column, layer.column_count, a, b) or ()
        assert found == tuple(p._replace(start=p.start + step) for p in before)
        assert (lo - a) % axis.repeat == 0
        now, then = source.columns_read(lo, hi), source.columns_read(a, b)
        assert (now.pad_lo, now.pad_hi) == (then.pad_lo, then.pad_hi)


@pytest.mark.parametrize("seed", [*range(640, 651), 1153])
def test_no_subvolume_is_faster_than_its_bound(seed: int):
    arch, rng, count = random_arch(seed), np.random.default_rng(seed), 0
    for layer in layers(seed, arch):
        for sub in some_subvolumes(layer, rng):
            for kind in Stationary if layer.weight is not None else [Stationary.WEIGHTS]:
                if kind is Stationary.ACTIVATIONS:
                    sub = sub._replace(cin=layer.sources[0].channels)
                rows, pixels = split_rows(layer, sub.rows), PixelSplit(layer, sub.width)
                bounds = Bounds(layer, arch, [rows], [pixels])
                bound = bounds.seconds([sub.cout], [sub.cin], kind).item()
                seconds = searched_s(layer, arch, sub._replace(stationary=kind))
                assert bound <= seconds * (1 + 1e-9), sub
                count += np.isfinite(seconds)
    assert count


def searched_s(layer: LayerShape, arch: Arch, sub: Subvolume) -> float:
    """What the search makes small; infinite if the buffers do not fit a core."""
    plan = CorePlan.of(layer, sub)
    buffers = plan.buffers(arch)
    if buffers is None:
        return np.inf
    time, (stages, iterations) = Estimate(plan, arch, buffers), plan.tasks
    tasks = stages * STAGE_S + iterations * ITERATION_S
    return time.serial_s + OVERLAP_SHARE * time.overlap_s + tasks


@pytest.mark.parametrize("seed", range(620, 627))
def test_buffers_are_apart_for_any_subvolume(seed: int):
    arch, rng = random_arch(seed), np.random.default_rng(seed)
    for layer in layers(seed, arch):
        for sub in some_subvolumes(layer, rng):
            plan = CorePlan.of(layer, sub)
            found = plan.buffers(arch)
            if found is None:
                # Then not even one slot each has room, or the accumulators have none.
                room = sum(plan.sizes.values()) <= arch.core_data_bytes
                assert not room or plan.accumulator_bytes > arch.core_scratch_bytes
                continue
            slots = [
                Buffer(name, address, address + buffer.size)
                for name, buffer in found.items()
                for address in buffer.addresses
            ]
            for a, b in itertools.combinations(slots, 2):
                assert a.hi <= b.lo or b.hi <= a.lo
            for slot in slots:
                end = arch.core_bytes if slot.name == "acc" else arch.core_data_bytes
                assert slot.hi <= end
