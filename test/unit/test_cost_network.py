"""The cost of whole programs: sums, lower bounds, and what must hold for any of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from exact_times import BYTE, CYCLE, GHZ, exact_arch
from varied_networks import random_arch, varied_network
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.isa import DDR_ENGINES, Engine
from bsc.asm.order import units
from bsc.asm.program import FieldValue, Instr, Layer, Port, Program, Ready, Slots, Stage, Tensor
from bsc.codegen import build_program
from bsc.cost.network import LayerCost, cost_of, lower_bounds
from bsc.cost.serial import time_stage
from bsc.cost.work import work_of
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.qnn import ReshapeOp
from bsc.frontend import import_onnx
from bsc.pipelines import NAMED_PIPELINES, parse_specs, resolve, run_passes
from bsc.tiling.core import CorePlan
from bsc.tiling.estimate import Estimate
from bsc.tiling.from_ir import layer_shape

ARCH_4X2 = exact_arch(rows=4, cols=2)
BUFFER = Slots((0,))


def small_program(arch: Arch = ARCH_4X2) -> Program:
    """One layer: loads, weights, a stage of one iteration, and a write to DDR."""
    box: dict[str, FieldValue] = {"memtile": 0, "row": 0, "pix": 0}
    program = Program("small", arch, blob_bytes=1000)
    program.tensors = {
        "t0": Tensor("t0", "x", (4, 8, 5), "i8", 4, 8, 0),
        "t1": Tensor("t1", "y", (4, 8, 32), "i8", 4, 32, 512),
    }
    program.inputs = [Port("t0", "x", "int8", "NCHW", (1, 5, 4, 8), 0)]
    program.outputs = [Port("t1", "y", "int8", "NCHW", (1, 32, 4, 8), 0)]
    program.body = [
        Ready("t0"),
        Layer("conv", "", "conv2d"),
        Instr("LOAD", (1,), {**box, "ddr": 0, "h": 4, "w": 4, "c": 8, "drow": 0, "dpix": 0}),
        Instr("LOADW", (1,), {"blob": 0, "memtile": 0, "bytes": (600, 400)}),
        Stage("body"),
        Instr("LOADFM", (1,), {**box, "core": BUFFER, "h": 4, "w": 4, "c": 8}),
        Instr(
            "LOADWDM",
            (1,),
            {"memtile": (0, 0, 300, 200), "core": BUFFER, "bytes": (300, 200) * 2, "off": 0},
        ),
        Instr(
            "CONV",
            (1,),
            {"h": 4, "w": 4, "k": (3, 3), "blk": (8, 8), "cin": 8, "cout": 8, "blocks": 1},
        ),
        Instr("WRITEFM", (1,), {**box, "core": BUFFER, "h": 4, "w": 4, "c": 8, "coff": 0}),
        Ready("t1"),
        Instr(
            "WRITE", (1,), {**box, "ddr": 512, "h": 4, "w": 4, "c": 32} | {"drow": 0, "dpix": 0}
        ),
    ]
    return program


def test_lower_bounds_by_hand():
    program = small_program()
    layer = LayerCost("conv", "conv2d", macs=10**6)
    bounds = lower_bounds(program, [layer], {Engine.LOAD: 5000, Engine.LOADFM: 300})
    assert bounds == {
        # 8 cores of 256 a cycle.
        "compute": 10**6 / (256 * 8) * CYCLE,
        # Input 256 and weights 1000 over 2 x 2 channels; output 1024 over 2.
        "ddr": max((256 + 1000) * BYTE / 4, 1024 * BYTE / 2),
        "weights": 1000 * BYTE / 2,
        "load": 256 * BYTE / 2,
        "write": 1024 * BYTE / 2,
    }
    # Rows of the input that nothing needs.
    less = lower_bounds(program, [layer], {Engine.LOAD: 128, Engine.LOADFM: 64})
    assert less["load"] == 64 * BYTE / 2
    assert less["ddr"] == max((128 + 1000) * BYTE / 4, 1024 * BYTE / 2)


def test_a_program_by_hand():
    program = small_program()
    cost = cost_of(program)
    loads = max(4 * 4 * 8, 600) * BYTE
    # Memtile 0 serves rows 0 and 2, memtile 1 rows 1 and 3: 600 and 400 bytes.
    stage = (600 + 4 * 4 * 8 + 4 * 4 * 32) * BYTE + 4 * 9 * CYCLE
    write = 4 * 4 * 32 * BYTE
    assert cost.total_s == loads + stage + write
    (layer,) = cost.layers
    assert (layer.name, layer.op, layer.start_s) == ("conv", "conv2d", 0.0)
    assert layer.duration_s == cost.total_s
    assert (layer.ddr_read_bytes, layer.ddr_write_bytes) == (256 + 1000, 1024)
    assert layer.weight_bytes == 1000
    # Each row: a word of Γ, 8 int32 of bias, 9 x 64 numbers.
    assert layer.weight_bytes_dense == 4 * (4 + 32 + 576)
    assert layer.macs == layer.macs_dense == 32 * 9 * 8 * 32
    assert sum(layer.shares.values()) == layer.duration_s
    assert layer.bound == max(layer.shares, key=lambda name: layer.shares[name])
    assert cost.lower_bound_s == max(cost.bounds.values())
    assert len(cost.spans) == len(program.instructions())


def test_reprogramming_and_dispatch():
    free = cost_of(small_program()).total_s
    busy = exact_arch(4, 2, reprogram_cycles=1000, dispatch_cycles=10)
    assert cost_of(small_program(busy)).total_s == free + (1000 + 7 * 10) * CYCLE


# Random programs -----------------------------------------------------------------------

PASSES = ",".join(NAMED_PIPELINES["bsc-compile"])


def machine(seed: int, **fields: int) -> Arch:
    """A random machine with exact times."""
    arch = random_arch(seed)
    links = {1: 1, 2: 2, 3: 4, 4: 4}[arch.writefm_links]
    return dataclasses.replace(arch, clock_ghz=GHZ, writefm_links=links, **fields)


def packed(seed: int, arch: Arch) -> ModuleOp | None:
    """A random network, ready to be lowered; None if it does not fit."""
    module = import_onnx(varied_network(seed)).module
    module.attributes[ARCH] = ArchAttr(arch)
    try:
        run_passes(module, resolve(parse_specs(PASSES.partition(",lower-to")[0])))
        run_passes(module.clone(), resolve(parse_specs("lower-to-dataflow")))
    except PassFailedException:
        return None
    return module


def lowered(module: ModuleOp) -> Program:
    """The program of a module that is ready for it."""
    run_passes(module, resolve(parse_specs("lower-to-dataflow,chain-locks")))
    return build_program(module)


def programs(first: int, count: int = 6) -> list[Program]:
    """Programs of random networks."""
    modules = [packed(seed, machine(seed)) for seed in range(first, first + count)]
    return [lowered(module) for module in modules if module is not None]


def stages_s(program: Program) -> list[float]:
    """Seconds of the stages of each layer, without the transfers from and to DDR."""
    layers: dict[Layer, float] = {item: 0.0 for item in program.body if isinstance(item, Layer)}
    for layer, unit in units(program):
        if not isinstance(unit, Ready) and unit[0].spec.engine not in DDR_ENGINES:
            works = [work_of(instr, program.arch) for instr in unit]
            layers[layer] += time_stage(unit, works, 0.0).end
    return list(layers.values())


@pytest.mark.parametrize("first", range(100, 132, 8))
def test_the_estimate_of_a_layer_is_the_cost_of_its_stages(first: int):
    """Exactly, with the set-up of transfers; locks and dispatch are not estimated."""
    compared = 0
    for seed in range(first, first + 8):
        arch = machine(seed, descriptor_cycles=seed % 3 * 16)
        module = packed(seed, arch)
        if module is None:
            continue
        network = Network(module)
        plans = [
            CorePlan.of(layer_shape(network, op, arch), op.subvolume.data)
            for op in network.compute_ops()
            if not isinstance(op, ReshapeOp) and op.subvolume is not None
        ]
        estimates = [
            Estimate(plan, arch, buffers).serial_s
            for plan in plans
            if (buffers := plan.buffers(arch)) is not None
        ]
        assert stages_s(lowered(module)) == estimates
        compared += len(estimates)
    assert compared > 10


@pytest.mark.parametrize("first", [0, 6])
def test_sums_and_bounds_of_random_programs(first: int):
    for program in programs(first):
        cost = cost_of(program)
        assert 0 < cost.lower_bound_s <= cost.total_s
        assert cost.lower_bound_s == max(cost.bounds.values())
        assert min(cost.bounds.values()) >= 0
        assert sum(layer.duration_s for layer in cost.layers) == cost.total_s
        for layer in cost.layers:
            assert 0 <= layer.start_s <= cost.total_s - layer.duration_s
            assert sum(layer.shares.values()) == layer.duration_s
            assert min(layer.shares.values(), default=0) >= 0
            assert 0 <= layer.macs <= layer.macs_dense
            assert 0 <= layer.weight_bytes <= layer.weight_bytes_dense
        assert sum(layer.weight_bytes for layer in cost.layers) == program.blob_bytes
        for span in cost.spans:
            assert 0 <= span.start
            assert 0 <= span.duration
            assert span.start + span.duration <= cost.total_s


FASTER: dict[str, Callable[[Arch], Arch]] = {
    "links": lambda a: dataclasses.replace(a, link_bytes_per_s=2 * a.link_bytes_per_s),
    "ddr reads": lambda a: dataclasses.replace(a, ddr_read_channels=4),
    "ddr writes": lambda a: dataclasses.replace(a, ddr_write_channels=2),
    "core writes": lambda a: dataclasses.replace(a, writefm_links=2 * a.writefm_links),
    "clock": lambda a: dataclasses.replace(a, clock_ghz=2 * a.clock_ghz),
    "vectors": lambda a: dataclasses.replace(a, vector_ops=512),
    "matrix": lambda a: dataclasses.replace(a, tile_pixels=8),
}


@pytest.mark.parametrize("what", FASTER)
def test_a_faster_machine_never_takes_longer(what: str):
    for program in programs(20, 3):
        faster = dataclasses.replace(program, arch=FASTER[what](program.arch))
        before, after = cost_of(program), cost_of(faster)
        assert after.total_s <= before.total_s
        assert after.lower_bound_s <= before.lower_bound_s
        pairs = zip(before.layers, after.layers, strict=True)
        assert all(new.duration_s <= old.duration_s for old, new in pairs)


def test_twice_the_speed_of_everything_takes_half_the_time():
    for program in programs(30, 3):
        arch = FASTER["clock"](FASTER["links"](program.arch))
        faster = dataclasses.replace(program, arch=arch)
        assert cost_of(faster).total_s == cost_of(program).total_s / 2
