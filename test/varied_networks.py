"""Random networks on random machines: what shapes and memories a compiler must not trip on.

Sizes are drawn from a list in which primes, 1 and 7 come often, channels from one with
multiples of eight and numbers next to them; windows are up to 11 wide, with strides up to
4, dilation, and more padding than kernel at times.  Weights lose blocks, rows of blocks, or
everything.  Machines have so little memory that most networks must be split and spilled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
from dependence import TimingJudge, conflicts
from onnx import numpy_helper
from qdq_models import (
    Array,
    Pads,
    Pair,
    QdqBuilder,
    Signal,
    random_input,
    random_pool,
    windowed,
)
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program
from bsc.asm.printer import print_program
from bsc.asm.program import Program
from bsc.codegen import build_program, comments, weights_of
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.errors import BscError
from bsc.frontend import import_onnx
from bsc.oracle import quantized_tensors
from bsc.pipelines import NAMED_PIPELINES, parse_specs, resolve, run_passes
from bsc.sim import run_program
from bsc.sim.events import EventSimulator

SIZES = (1, 1, 2, 3, 5, 7, 7, 7, 8, 11, 13, 16, 17, 19, 23, 28)
CHANNELS = (1, 2, 3, 5, 7, 8, 8, 9, 11, 13, 16, 16, 17, 23, 24, 31, 32, 40)
MEMTILES = (4096, 8192, 16384, 32768, 65536)
CORES = (4096, 8192, 16384, 49152)
BLOCKS = ("8x8", "16x4", "4x16", "16x16", "8x4", "1x1", "3x5")
PIPELINE = "bsc-compile"
OPTIONAL = ("split-cin", "split-height", "schedule")


@dataclass(frozen=True)
class Outcome:
    """What became of a network: `ok`, `refused` by the compiler, or `wrong`; and why."""

    kind: str
    reason: str = ""
    materialised: int = 0
    elided: int = 0


def outcome_of(
    model: onnx.ModelProto,
    arch: Arch,
    specs: str = PIPELINE,
    timing_seeds: Sequence[int] = (),
    order_seeds: Sequence[int] = (),
) -> Outcome:
    """Compile a model by the passes of `specs`, print, parse and simulate it, and compare
    every tensor with onnxruntime's.

    With `timing_seeds` the program runs in event order too, with nominal timing and with
    that of each seed, and the outputs are compared.  With the timing of `order_seeds` no
    values move, which is faster: that whatever touches the same bytes keeps its order, and
    so sees the same values, is all that is asked.
    """
    try:
        text, weights = compiled(model, arch, specs)
    except (BscError, PassFailedException) as e:
        return Outcome("refused", str(e))
    program, feeds = parse_program(text), random_input(model)
    try:
        found = run_program(program, weights, feeds, every_tensor=True)
    except BscError as e:
        return Outcome("wrong", f"the simulator stops: {e}")
    simulated = _Simulated(program, weights, feeds, found.outputs)
    expected = quantized_tensors(model, feeds)
    elided = {tensor.onnx_name for tensor in program.elided}
    for name, values in expected.items():
        made = found.tensors.get(name)
        if made is None and name not in elided:
            return Outcome("wrong", f"{name} is neither made nor elided")
        if made is not None and not np.array_equal(made.reshape(values.shape), values):
            return Outcome("wrong", f"{name} differs from onnxruntime's")
    if reason := _any_timing(simulated, timing_seeds, order_seeds):
        return Outcome("wrong", reason)
    return Outcome("ok", "", len(found.tensors), len(elided))


class _Simulated(NamedTuple):
    """A program, what it was run on, and its outputs in text order."""

    program: Program
    weights: Bytes
    feeds: dict[str, Array]
    outputs: dict[str, Array]


def _any_timing(
    run: _Simulated, timing_seeds: Sequence[int], order_seeds: Sequence[int]
) -> str:
    """What is wrong in event order; empty if nothing is."""
    program, weights, feeds, outputs = run
    if timing_seeds:
        simulator = EventSimulator(program, weights, feeds)
        for seed in (None, *timing_seeds):
            if reason := _event_order(simulator, seed, outputs):
                which = "nominal timing" if seed is None else f"timing seed {seed}"
                return f"in event order, {which}: {reason}"
    if order_seeds:
        judge = TimingJudge(program, conflicts(program, weights, feeds))
        for seed in order_seeds:
            if judge.finds(program, seed):
                return f"timing seed {seed} changes the order of what touches the same bytes"
    return ""


def _event_order(
    simulator: EventSimulator, seed: int | None, expected: Mapping[str, Array]
) -> str:
    """What is wrong with a run in event order; empty if nothing is."""
    try:
        outputs = simulator.run(seed).outputs
    except BscError as e:
        return str(e)
    wrong = [
        name for name, values in expected.items() if not np.array_equal(outputs[name], values)
    ]
    return f"output {wrong[0]} differs" if wrong else ""


def compiled(model: onnx.ModelProto, arch: Arch, specs: str = PIPELINE) -> tuple[str, Bytes]:
    """The program text and the packed weights; the module is verified after every pass."""
    module = import_onnx(model).module
    module.attributes[ARCH] = ArchAttr(arch)
    run_passes(module, resolve(parse_specs(specs)), lambda _, module, __: module.verify())
    return print_program(build_program(module), comments(module)), weights_of(module)


def specs_with(options: Mapping[str, str]) -> str:
    """The pipeline with options for some of its passes."""
    passes = NAMED_PIPELINES[PIPELINE]
    return ",".join(f"{p}{{{options[p]}}}" if p in options else p for p in passes)


def random_specs(seed: int) -> str:
    """The pipeline with blocks and splits drawn at random, at times without the passes that
    may be left out."""
    rng = np.random.default_rng((seed, 2))
    options = {"detect-block-sparsity": f"block={rng.choice(BLOCKS)}"}
    for name in ("split-width", "split-cout", "split-cin", "split-height"):
        options[name] = f"factor={rng.integers(1, 5)}"
    # Each with a generator of its own, so that what was found by a seed is found again.
    window = np.random.default_rng((seed, 6))
    options["split-window"] = f"factor={window.integers(1, 4)}"
    specs: list[str] = []
    for name in NAMED_PIPELINES[PIPELINE]:
        if name in OPTIONAL and rng.random() < 0.3:
            continue
        drawn = window if name == "split-window" else rng
        chosen = name in options and drawn.random() < 0.5
        specs.append(f"{name}{{{options[name]}}}" if chosen else name)
    return ",".join(random_stripes(seed) if s == "tile-depthwise" else s for s in specs)


def random_stripes(seed: int, forced: float = 0.6) -> str:
    """The pass `--tile-depthwise`, with rows and what becomes of the halo drawn at random;
    `forced` is how likely rows are."""
    rng = np.random.default_rng((seed, 3))
    options: list[str] = []
    if rng.random() < forced:
        options.append(f"rows={rng.integers(1, 6)}")
    if rng.random() < 0.7:
        options.append(f"halo={rng.choice(['kept', 'recomputed'])}")
    return f"tile-depthwise{{{' '.join(options)}}}" if options else "tile-depthwise"


def random_arch(seed: int) -> Arch:
    """A small machine."""
    rng = np.random.default_rng((seed, 1))
    return Arch(
        f"random-{seed}",
        rows=int(rng.integers(1, 6)),
        cols=int(rng.integers(1, 7)),
        memtile_bytes=int(rng.choice(MEMTILES)),
        core_data_bytes=int(rng.choice(CORES)),
        core_scratch_bytes=int(rng.choice((4096, 16384))),
        writefm_links=int(rng.integers(1, 5)),
    )


def tight_arch(arch: Arch, seed: int) -> Arch:
    """The machine with a quarter of its memory or more, to the byte, where a few decide."""
    rng = np.random.default_rng((seed, 9))
    memtile, core = arch.memtile_bytes // 64, arch.core_data_bytes // 32
    return dataclasses.replace(
        arch,
        memtile_bytes=64 * int(rng.integers(max(20, memtile // 4), memtile + 1)),
        core_data_bytes=32 * int(rng.integers(max(20, core // 4), core + 1)),
    )


def varied_network(seed: int) -> onnx.ModelProto:
    """A network of one to seven layers, each on one of the last two tensors."""
    b = QdqBuilder(seed, opset=int(np.random.default_rng(seed).choice([13, 17, 21])))
    dims = (1, _pick(b, CHANNELS), _pick(b, SIZES), _pick(b, SIZES))
    signals = [b.input(dims)]
    if _chance(b, 0.2):
        signals.append(b.input(dims, pos=5))
    for _ in range(int(b.rng.integers(1, 8))):
        signals.append(_layer(b, signals))
    last = signals[-1]
    if _chance(b, 0.3):
        last = b.gemm(b.flatten(b.global_pool(last)), _pick(b, CHANNELS))
    outputs = [last] if _chance(b, 0.7) else list(dict.fromkeys([last, signals[-2]]))
    _thin(b)
    return b.model(*outputs, name=f"varied-{seed}")


def _pick(b: QdqBuilder, values: Sequence[int]) -> int:
    return int(b.rng.choice(values))


def _chance(b: QdqBuilder, probability: float) -> bool:
    return bool(b.rng.random() < probability)


def _layer(b: QdqBuilder, signals: Sequence[Signal]) -> Signal:
    x = signals[-1 - int(b.rng.integers(0, min(2, len(signals))))]
    alike = [s for s in signals if s.dims[2:] == x.dims[2:]]
    same = [s for s in alike if s.dims == x.dims]
    activation = [None, "Relu", "Clip"][int(b.rng.integers(0, 3))]
    kinds = ["conv", "conv", "conv", "grouped", "depthwise", "residual", "pool"]
    match str(b.rng.choice([*kinds, "add", "mul", "concat", "relu"])):
        case "residual":
            return _residual(b, x, activation)
        case "add":
            return b.binary("Add", x, same[int(b.rng.integers(0, len(same)))], activation)
        case "mul" if x.pos > -10:
            return b.binary("Mul", x, same[int(b.rng.integers(0, len(same)))])
        case "concat":
            return b.concat([x, alike[int(b.rng.integers(0, len(alike)))]])
        case "relu" | "mul":
            return b.unary("Relu", x, x.pos + int(b.rng.integers(-1, 2)))
        case "pool":
            return _pool(b, x)
        case kind:
            return _conv(b, x, kind, activation)


def _conv(b: QdqBuilder, x: Signal, kind: str, activation: str | None) -> Signal:
    cin, groups = x.dims[1], 1
    if kind == "grouped":
        groups = _pick(b, [g for g in range(1, cin + 1) if cin % g == 0])
    elif kind == "depthwise":
        groups = cin
    each = CHANNELS if groups == 1 else (1, 1, 2, 3) if groups < 16 else (1,)
    cout = groups * (1 if kind == "depthwise" else _pick(b, each))
    kernel, strides, pads, dilations = _window(b, x)
    bias = [np.int32, np.int8, None][int(b.rng.integers(0, 3))]
    return b.conv(x, cout, kernel, strides, pads, dilations, groups, bias, activation)


def _residual(b: QdqBuilder, x: Signal, activation: str | None) -> Signal:
    """A convolution that keeps the shape, and its own input added to it."""
    kernel = (_pick(b, (1, 3, 5)), _pick(b, (1, 3, 5)))
    top, left = kernel[0] // 2, kernel[1] // 2
    y = b.conv(x, x.dims[1], kernel, pads=(top, left, top, left))
    return b.binary("Add", *((x, y) if _chance(b, 0.5) else (y, x)), activation)


def _pool(b: QdqBuilder, x: Signal) -> Signal:
    kernel, strides, pads, _ = _window(b, x, dilated=False)
    return random_pool(b, x, kernel, strides, pads)


def _window(b: QdqBuilder, x: Signal, dilated: bool = True) -> tuple[Pair, Pair, Pads, Pair]:
    """Kernel, strides, pads and dilations that leave an output; most are usual ones."""
    while True:
        most = 12 if _chance(b, 0.25) else 4
        kernel = (int(b.rng.integers(1, most)), int(b.rng.integers(1, most)))
        strides = (_pick(b, (1, 1, 1, 2, 2, 3, 4)), _pick(b, (1, 1, 1, 2, 2, 3, 4)))
        dilations = (_pick(b, (1, 1, 1, 2, 3)), _pick(b, (1, 1, 1, 2, 3)))
        if not dilated:
            dilations = (1, 1)
        top, left, bottom, right = (int(b.rng.integers(0, k // 2 + 2)) for k in kernel * 2)
        pads = (top, left, bottom, right)
        if min(windowed(x.dims, kernel, strides, pads, dilations)) > 0:
            return kernel, strides, pads, dilations


def _thin(b: QdqBuilder) -> None:
    """Make blocks of the weights zero: none, some, a row of blocks, or all."""
    for name, tensor in b.initializers.items():
        if len(tensor.dims) == 4 and tensor.data_type == onnx.TensorProto.INT8:
            weight = numpy_helper.to_array(tensor).copy()
            kept = _kept_blocks(b, math.ceil(len(weight) / 8), math.ceil(weight.shape[1] / 8))
            mask = kept.repeat(8, axis=0).repeat(8, axis=1)
            weight *= mask[: weight.shape[0], : weight.shape[1], None, None]
            tensor.CopyFrom(numpy_helper.from_array(weight, name))


def _kept_blocks(b: QdqBuilder, rows: int, cols: int) -> Array:
    match str(b.rng.choice(["dense", "dense", "some", "some", "few", "row", "none"])):
        case "some":
            return (b.rng.random((rows, cols)) < 0.5).astype(np.int8)
        case "few":
            return (b.rng.random((rows, cols)) < 0.15).astype(np.int8)
        case "row":
            kept = np.ones((rows, cols), np.int8)
            kept[int(b.rng.integers(0, rows))] = 0
            return kept
        case "none":
            return np.zeros((rows, cols), np.int8)
        case _:
            return np.ones((rows, cols), np.int8)
