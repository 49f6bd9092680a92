"""A program against onnxruntime, bit for bit: the judgement that decides.

Every quantized tensor of the model is accounted for: what the program makes is read out of
the simulated machine, and what fusion has elided is computed by the reference interpreter
on the module as it was imported, before any pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx

from bsc import oracle
from bsc.api import Progress, load, share_of
from bsc.asm.program import Layer, Program, Ready
from bsc.compiled import Compiled
from bsc.errors import BscError
from bsc.frontend import Given, Imported, NodeReport, import_onnx
from bsc.frontend.load import load as load_model
from bsc.frontend.views import View
from bsc.interpreter import run_every_tensor
from bsc.numerics import Int8
from bsc.sim import Result, run_program
from bsc.sim.events import EventSimulator

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_DEVIATION = 32
"""Random inputs have a quarter of int8's range as their standard deviation."""


class Difference(NamedTuple):
    """The first value of a tensor that is not onnxruntime's: in the results for input number
    `sample`, at the index `at`."""

    sample: int
    at: tuple[int, ...]
    found: int
    expected: int


@dataclass
class TensorCheck:
    """One quantized tensor of the model, over all inputs.

    `layer` is the layer of the program that makes it, or `input` if the host writes it; one
    that no layer makes has been `elided`, for that reason, and was computed by the
    reference interpreter.
    """

    name: str
    layer: str = ""
    elided: str = ""
    values: int = 0
    different: int = 0
    first: Difference | None = None

    def compare(self, sample: int, found: Int8, expected: Int8) -> None:
        """Add the comparison for the input number `sample`."""
        found = found.reshape(expected.shape)
        self.values += expected.size
        places = np.argwhere(found != expected)
        self.different += len(places)
        if len(places) and self.first is None:
            at = tuple(int(n) for n in places[0])
            self.first = Difference(sample, at, int(found[at]), int(expected[at]))


class TimingFailure(NamedTuple):
    """What went wrong in one run in event order: for input number `sample`, with random
    durations from `seed`, or with the machine's own."""

    sample: int
    seed: int | None
    reason: str


@dataclass
class TimingCheck:
    """The runs in event order, over all inputs: one of each input with the machine's own
    durations, the others with random ones.  `equal` ones have onnxruntime's outputs, and
    every read in them saw the write that text order gives it."""

    nominal: int = 0
    nominal_equal: int = 0
    random: int = 0
    random_equal: int = 0
    first: TimingFailure | None = None

    def add(self, sample: int, seed: int | None, reason: str) -> None:
        """Add a run; without a `reason` nothing was wrong."""
        if seed is None:
            self.nominal += 1
            self.nominal_equal += not reason
        else:
            self.random += 1
            self.random_equal += not reason
        if reason and self.first is None:
            self.first = TimingFailure(sample, seed, reason)


@dataclass(frozen=True)
class CheckResult:
    """The outcome of `check`.  `tensors` are in the order of the network."""

    model: str
    arch: str
    inputs: int
    seed: int
    every_tensor: bool
    tensors: tuple[TensorCheck, ...]
    unaccounted: tuple[str, ...] = ()
    """Quantized tensors that the program neither makes nor lists as elided."""

    uncertified: tuple[NodeReport, ...] = ()
    """Nodes whose sums can exceed 2^24, where onnxruntime itself is not exact."""

    timing: TimingCheck | None = None
    """The runs in event order, if there were any."""

    @property
    def ok(self) -> bool:
        """Whether all tensors and all runs are equal and no tensor is unaccounted for."""
        timely = self.timing is None or self.timing.first is None
        return timely and not self.unaccounted and self.first_different is None

    @property
    def first_different(self) -> TensorCheck | None:
        """The first tensor, in the order of the network, that differs."""
        return next((tensor for tensor in self.tensors if tensor.different), None)

    @property
    def made(self) -> tuple[TensorCheck, ...]:
        """The tensors that the program makes."""
        return tuple(tensor for tensor in self.tensors if not tensor.elided)

    @property
    def elided(self) -> tuple[TensorCheck, ...]:
        """The tensors that fusion has elided."""
        return tuple(tensor for tensor in self.tensors if tensor.elided)


def check(
    model: str | Path | onnx.ModelProto,
    compiled: Compiled | str | Path,
    inputs: int = 1,
    every_tensor: bool = False,
    seed: int = 0,
    *,
    timing_seeds: int = 0,
    shapes: Given | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Compare a program with onnxruntime on `inputs` random inputs, drawn from `seed`.

    onnxruntime runs the QDQ model with all optimisations off.  The program's outputs are
    compared, or, with `every_tensor`, all quantized tensors of the model.  `progress(done,
    all)` is called after each simulated instruction, or each of its parts.  `shapes` are
    those that the model was compiled with.

    With `timing_seeds` the program also runs in event order: for each input once with the
    machine's own durations and that many times with random ones.  There the outputs are
    compared, and every read is held against the write that text order gives it.

    Raises BscError if the model is not accepted, if the program is not one of this model,
    and if it cannot be run at all.
    """
    program, weights = load(compiled)
    proto = load_model(model).model
    imported = import_onnx(model, shapes)
    plan = _Plan(program, imported, every_tensor)
    rng = np.random.default_rng(seed)
    timing = TimingCheck() if timing_seeds else None
    runs = 1 + (timing_seeds + 2 if timing_seeds else 0)
    for index in range(inputs):
        feeds = random_inputs(proto, imported.inputs, program, rng)
        expected = oracle.quantized_tensors(model, feeds, imported.views)
        mine = {port.onnx_name: feeds[port.onnx_name] for port in program.inputs}
        say = share_of(progress, index, inputs)
        result = run_program(program, weights, mine, every_tensor, share_of(say, 0, runs))
        found = _as_onnx_has_it(result, imported.views)
        reference = _interpret(imported, expected) if plan.elided else {}
        for tensor in plan.tensors:
            # What the program makes is never taken from anywhere else.
            source = reference if tensor.elided else found
            tensor.compare(index, source[tensor.name], expected[tensor.name])
        if timing is not None:
            first = index * timing_seeds
            seeds = (None, *range(first, first + timing_seeds))
            simulator = EventSimulator(program, weights, mine, share_of(say, 1, runs))
            for number, timing_seed in enumerate(seeds, 2):
                tell = share_of(say, number, runs)
                reason = _event_order(simulator, timing_seed, expected, tell)
                timing.add(index, timing_seed, reason)
    return CheckResult(
        proto.graph.name if isinstance(model, onnx.ModelProto) else Path(model).name,
        program.arch.name,
        inputs,
        seed,
        every_tensor,
        tuple(plan.tensors),
        tuple(plan.unaccounted),
        tuple(node for node in imported.nodes if not node.certified),
        timing,
    )


def _event_order(
    simulator: EventSimulator,
    seed: int | None,
    expected: Mapping[str, Int8],
    progress: Progress | None,
) -> str:
    """What is wrong with one run in event order; empty if nothing is."""
    try:
        outputs = simulator.run(seed, progress).outputs
    except BscError as e:
        return str(e)
    for name, values in outputs.items():
        tensor = TensorCheck(name)
        tensor.compare(0, oracle.as_int8(values), expected[name])
        if tensor.different:
            count = f"{tensor.different:,} of {tensor.values:,} values"
            return f"{count} of '{name}' differ from onnxruntime's"
    return ""


class _Plan:
    """Which tensors are compared, and where each of them comes from."""

    def __init__(self, program: Program, imported: Imported, every_tensor: bool):
        made = _layers_of_tensors(program)
        self.elided = {e.onnx_name: e.reason for e in program.elided} if every_tensor else {}
        _check_origin(program, made, self.elided, imported.views)
        if not every_tensor:
            outputs = {port.onnx_name for port in program.outputs}
            made = {name: layer for name, layer in made.items() if name in outputs}
        self.tensors: list[TensorCheck] = []
        self.unaccounted: list[str] = []
        for name in imported.shapes:
            if name in made:
                self.tensors.append(TensorCheck(name, made[name]))
            elif name in self.elided:
                self.tensors.append(TensorCheck(name, elided=self.elided[name]))
            elif every_tensor:
                self.unaccounted.append(name)


def _layers_of_tensors(program: Program) -> dict[str, str]:
    """The layer that makes each tensor, by ONNX name; `input` for what the host writes."""
    found: dict[str, str] = {}
    layer = "input"
    for item in program.body:
        if isinstance(item, Layer):
            layer = item.name
        elif isinstance(item, Ready):
            found[program.tensors[item.tensor].onnx_name] = layer
            aliases = (a.onnx_name for a in program.aliases if a.of == item.tensor)
            found |= dict.fromkeys(aliases, layer)
    # A tensor that only the compiler knows has no name.
    found.pop("", None)
    return found


def _check_origin(
    program: Program,
    made: Mapping[str, str],
    elided: Mapping[str, str],
    views: Mapping[str, View],
) -> None:
    """Raises BscError if the program cannot have been compiled from the model."""
    hint = "was the program compiled from this model?"
    for name in (*made, *elided):
        if name not in views:
            raise BscError(f"the model has no quantized tensor '{name}': {hint}")
    for tensor in program.tensors.values():
        view = views.get(tensor.onnx_name)
        if view is not None and math.prod(view.shape) != math.prod(tensor.shape):
            raise BscError(
                f"tensor '{tensor.onnx_name}' has shape {list(view.dims)} in the model and "
                f"{list(tensor.shape)} (H, W, C) in the program: {hint}"
            )


def _as_onnx_has_it(result: Result, views: Mapping[str, View]) -> dict[str, Int8]:
    """What a run has made.  Outputs are as ONNX has them already, but for their type."""
    found = {
        name: views[name].of_value(values.transpose(0, 2, 3, 1))
        for name, values in result.tensors.items()
        if name in views
    }
    return found | {name: oracle.as_int8(values) for name, values in result.outputs.items()}


def _interpret(imported: Imported, expected: Mapping[str, Int8]) -> dict[str, Int8]:
    """What the reference interpreter computes on the imported module, as ONNX has it."""
    views = imported.views
    inputs: list[Int8] = [argument.value(expected) for argument in imported.arguments]
    return {
        name: views[name].of_value(values)
        for name, values in run_every_tensor(imported.module, inputs).items()
        if name in expected
    }


def random_inputs(
    model: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    program: Program,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Values for all inputs of the model, of these `shapes`, such that int8 is well used and
    seldom left."""
    ports = {port.onnx_name: program.tensors[port.tensor] for port in program.inputs}
    feeds: dict[str, Array] = {}
    for value in model.graph.input:
        if value.name not in shapes:
            continue
        kind = value.type.tensor_type
        dims = shapes[value.name]
        dtype: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind == "f":
            scale = np.ldexp(_DEVIATION, -ports[value.name].pos) if value.name in ports else 1
            feeds[value.name] = (rng.standard_normal(dims) * scale).astype(dtype)
        else:
            feeds[value.name] = rng.integers(-128, 128, dims).astype(dtype)
    return feeds
