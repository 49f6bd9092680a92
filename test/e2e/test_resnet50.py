"""ResNet-50 from the float graph to the simulated program, bit for bit.

The network is made by our own producer, 224 x 224, dense and with half of its 8 x 8 blocks
zero, and compiled for two machines: on 4 x 4 all tensors stay in the memtiles, on 2 x 2
they do not fit, and layers are split in time and tensors go to DDR in between.

`make test` runs a file in one process, which makes each model and program once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from exactness import main_of
from golden import differences, figures_of, read_golden
from layer_times import simulated_overlap, simulated_serial
from lock_judges import Judges
from lock_mutations import KINDS, Mutant, mutants
from program_text import Counts, count, lines
from qdq_models import Array, random_input

import bsc
from bsc import oracle
from bsc.api import load
from bsc.asm.parser import parse_program
from bsc.asm.tally import tally
from bsc.dialects.slices import location_name
from bsc.frontend import import_onnx
from bsc.interpreter import run_every_tensor
from bsc.monitor import PassMonitor
from bsc.numerics import Int8
from bsc.pipelines import pipeline
from bsc.prepare import prepare
from bsc.report.record import sums
from bsc.sim.events import EventSimulator
from bsc.sim.timeline import run_timeline
from bsc.sweep import make_cells
from bsc.sweep.measure import measured
from bsc.validation import PassValidator

SPARSITIES = (0.0, 0.5)
ARCHS = ("paper-4x4", "paper-2x2")

every_program = pytest.mark.parametrize("arch", ARCHS)
every_model = pytest.mark.parametrize("sparsity", SPARSITIES)


@dataclass(frozen=True)
class Network:
    """A model, an input, and what onnxruntime makes of it: all its quantized tensors."""

    model: onnx.ModelProto
    feeds: dict[str, Array]
    expected: dict[str, Int8]


@cache
def network(sparsity: float) -> Network:
    model = prepare("resnet50", sparsity=sparsity)
    feeds = random_input(model)
    return Network(model, feeds, oracle.quantized_tensors(model, feeds))


@cache
def interpreted(sparsity: float) -> dict[str, Int8]:
    """What the reference interpreter makes of the model as it was imported."""
    net = network(sparsity)
    imported = import_onnx(net.model)
    names = [location_name(arg.location) or "" for arg in main_of(imported).body.block.args]
    inputs: list[Int8] = [oracle.to_nhwc(net.expected[name]) for name in names]
    return run_every_tensor(imported.module, inputs)


@cache
def compiled(sparsity: float, arch: str) -> bsc.Compiled:
    return bsc.compile(network(sparsity).model, arch)


# Values --------------------------------------------------------------------------------


@every_model
@every_program
def test_every_tensor_equals_onnxruntimes(sparsity: float, arch: str, tmp_path: Path):
    net, program = network(sparsity), compiled(sparsity, arch)
    program.save(tmp_path)
    for name in ("cost.json", "module.mlir", "module.weights.bin"):
        (tmp_path / name).unlink()
    result = bsc.run(tmp_path, net.feeds, every_tensor=True)
    made = result.tensors | result.outputs
    for name, values in made.items():
        expected = net.expected[name]
        np.testing.assert_array_equal(values.reshape(expected.shape), expected, name)
    elided = {tensor.onnx_name: tensor.reason for tensor in program.elided}
    for name, reason in elided.items():
        assert reason
        expected = net.expected[name]
        found = oracle.from_nhwc(interpreted(sparsity)[name], expected.shape)
        np.testing.assert_array_equal(found, expected, name)
    assert not made.keys() & elided.keys()
    assert made.keys() | elided.keys() == net.expected.keys()
    assert len(made) > 40


@every_program
def test_random_timing_changes_nothing(arch: str):
    """With one seed; `benchmarks/event_order.py` tries more."""
    net = network(0.5)
    program, weights = load(compiled(0.5, arch))
    outputs = EventSimulator(program, weights, net.feeds).run(seed=0).outputs
    assert outputs.keys() == {port.onnx_name for port in program.outputs}
    for name, values in outputs.items():
        np.testing.assert_array_equal(values, net.expected[name], name)


def test_mistakes_in_the_locks_are_found():
    """Of each kind that test_lock_mutations.py tries on small programs, three drawn ones;
    `benchmarks/lock_mistakes.py` tries more."""
    program, weights = load(compiled(0.5, "paper-2x2"))
    judges = Judges(program, weights, network(0.5).feeds)
    by_kind: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for mutant in mutants(program):
        by_kind[mutant.kind].append(mutant)
    counts: Counter[str] = Counter()
    for kind in KINDS:
        for mutant in Random(kind).sample(by_kind[kind], 3):
            same, static, timing = judges.verdict(mutant, seeds=8)
            assert static != same, mutant.change
            assert not (same and timing), mutant.change
            counts.update({"static": static, "timing": timing})
    assert counts["static"] >= 6
    assert counts["timing"] >= counts["static"] - 2


def test_the_inputs_use_the_numbers():
    """An equality of zeros would prove little."""
    for name, values in network(0.5).expected.items():
        assert len(np.unique(values)) > 20, name


def test_every_pass_keeps_the_values():
    validator = PassValidator(note=lambda text: None)
    model, arch = network(0.5).model, "paper-2x2"
    validated = bsc.compile(model, arch, monitor=PassMonitor(validator=validator))
    names = [p.name for p in pipeline("bsc-compile")]
    # From there on there are no tensors; the simulator takes over.
    assert validator.validated == names[: names.index("lower-to-dataflow")]
    assert validated.program == compiled(0.5, arch).program


# Size ----------------------------------------------------------------------------------


@every_model
@every_program
def test_the_text_says_what_the_report_says(sparsity: float, arch: str):
    program = compiled(sparsity, arch)
    counts, totals = tally(program.program), sums(program.cost.layers)
    found = Counts(counts.macs, counts.ddr_read_bytes, counts.ddr_write_bytes)
    assert count(program.program) == found
    assert found == tuple(totals[name] for name in Counts._fields)


@every_model
@every_program
def test_both_timings_are_those_of_the_simulators(sparsity: float, arch: str):
    made = compiled(sparsity, arch)
    program = parse_program(made.program)
    times = run_timeline(program)
    simulated = {
        "serial": simulated_serial(program),
        "overlap": simulated_overlap(program, times),
    }
    for timing, most in (("serial", 1e-3), ("overlap", 5e-2)):
        expected = simulated[timing]
        layers = {(layer.name, layer.op): layer for layer in made.costs[timing].layers}
        assert layers.keys() == expected.keys()
        near = [
            abs(layer.duration_s - expected[key]) <= most * expected[key]
            for key, layer in layers.items()
        ]
        assert sum(near) >= (1.0 if timing == "serial" else 0.95) * len(near)
    assert abs(made.costs["overlap"].total_s - times.total_s) <= 0.02 * times.total_s
    assert times.total_s < made.costs["serial"].total_s


@every_program
def test_sparse_programs_are_smaller(arch: str):
    dense, sparse = (compiled(sparsity, arch) for sparsity in SPARSITIES)
    # The first convolution and the dense layer have all their blocks, and every weight its
    # mask and bias.
    assert 0.5 < sparse.weights.size / dense.weights.size < 0.6
    old, new = count(dense.program), count(sparse.program)
    assert 0.5 < new.macs / old.macs < 0.6
    assert new.ddr_read_bytes < old.ddr_read_bytes
    assert new.ddr_write_bytes <= old.ddr_write_bytes
    assert sparse.cost.total_s < dense.cost.total_s


@every_model
def test_what_does_not_fit_is_split_and_spilled(sparsity: float):
    roomy, tight = (compiled(sparsity, arch).program for arch in ARCHS)
    assert spills(tight)
    assert len(splits(tight)) > len(splits(roomy))
    assert count(tight).ddr_write_bytes > 2 * count(roomy).ddr_write_bytes


@every_model
def test_what_does_not_fit_is_made_in_stripes(sparsity: float):
    roomy, tight = (parse_program(compiled(sparsity, arch).program) for arch in ARCHS)
    striped = [
        e.onnx_name for e in tight.elided if e.reason.startswith("made stripe by stripe")
    ]
    assert len(striped) == len(tight.elided) - len(roomy.elided) > 0


def test_no_figure_of_the_golden_metrics_moved():
    """With an array whose size is prime.  `make bench` compares all cells of Table 2."""
    cells = make_cells(["resnet50"], (*ARCHS, "paper-5x5"), SPARSITIES)
    found = {str(c): figures_of(measured(compiled(c.sparsity, c.arch))) for c in cells}
    golden = read_golden()
    moved = list(differences({name: golden[name] for name in found}, found))
    lines = "\n".join(moved)
    assert not moved, f"moved by more than 1% (if that is meant: make golden)\n{lines}"


def spills(text: str) -> set[str]:
    """The tensors that the array writes to DDR and reads again."""
    program = parse_program(text)
    ports = {port.tensor for port in (*program.inputs, *program.outputs)}
    return {t.name for t in program.tensors.values() if t.ddr is not None} - ports


def splits(text: str) -> list[str]:
    """The pieces of layers that are computed in several."""
    layers = [line.given for line in lines(text) if line.head == ".layer"]
    return [given["part"] for given in layers if "part" in given]
