"""The Python API: compile a model, and run a program.

    compiled = bsc.compile("model.onnx", arch="paper-2x2")
    result = bsc.run(compiled, image, every_tensor=True)
    result.outputs["scores"], result.tensors["conv1"]

The command line `bsc` is made of these functions and of `bsc.check`.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc import folder
from bsc.arch import DEFAULT_ARCH, Arch, load_arch
from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program
from bsc.asm.printer import numbered, print_program
from bsc.asm.program import Program
from bsc.blocks import DEFAULT_SHAPE, parse_block
from bsc.codegen import build_program, comments, weights_of
from bsc.compiled import Compiled
from bsc.cost.network import TIMINGS, costs_of
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.errors import BscError
from bsc.frontend import Given, import_onnx
from bsc.monitor import PassMonitor
from bsc.passes.annotate_cost import AnnotateCostPass
from bsc.passes.detect_block_sparsity import DetectBlockSparsityPass
from bsc.pipelines import collector_paused, pipeline, run_passes
from bsc.sim import Result, run_program
from bsc.sim.events import EventSimulator
from bsc.suggest import did_you_mean

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how much is done of how much."""

PIPELINE = "bsc-compile"
DEFAULT_TIMING = "serial"
_LOWERING = "lower-to-dataflow"


def compile(
    model: str | Path | onnx.ModelProto,
    arch: str | Path | Arch = DEFAULT_ARCH,
    timing: str = DEFAULT_TIMING,
    *,
    block: str = DEFAULT_SHAPE,
    shapes: Given | None = None,
    monitor: PassMonitor | None = None,
    progress: Callable[[str], None] | None = None,
) -> Compiled:
    """Compile a quantized ONNX model for a machine.

    `model` is a file or a model in memory; `arch` a preset, the path of a TOML file, or a
    machine; `timing` the rules by which the instructions are timed.  `block` is the shape of
    the blocks that are left out where they are zero, as in "16x4", or "auto", which takes for
    each weight the shape that packs it into the fewest bytes.  `shapes` are the
    dimensions that the model leaves open: the value of a symbol, or the whole shape of an
    input, by name.  `monitor` learns the seconds of each pass, and can validate and dump
    (`bsc.monitor`); `progress` is called with the name of each step as it starts.

    Raises BscError for a model, machine, timing or block that is not accepted, and xDSL's
    PassFailedException if a pass cannot do its work (no room in a memory).
    """
    parse_block(block)
    if timing not in TIMINGS:
        known = ", ".join(TIMINGS)
        hint = did_you_mean(timing, TIMINGS)
        raise BscError(f"unknown timing '{timing}': give one of {known}{hint}")
    machine = arch if isinstance(arch, Arch) else load_arch(arch)
    monitor, say = monitor or PassMonitor(verify=False), progress or _say_nothing
    keeper = _Keeper(monitor, say)
    with collector_paused():
        say("import")
        with monitor.measure("parse"):
            imported = import_onnx(model, shapes)
            # What the import knew of the model holds all its weights, and has cycles.
            gc.collect()
        imported.module.attributes[ARCH] = ArchAttr(machine)
        passes = [_told(p, timing, block) for p in pipeline(PIPELINE)]
        run_passes(imported.module, passes, keeper)
        say("print")
        with monitor.measure("print"):
            program = build_program(imported.module)
            text = print_program(program, comments(imported.module))
        with monitor.measure("cost"):
            costs = costs_of(program)
    return Compiled(
        _name(model),
        machine,
        timing,
        text,
        weights_of(imported.module),
        costs,
        keeper.placed,
        imported.nodes,
        tuple(program.elided),
        numbered(program),
    )


class _Keeper:
    """A pipeline callback that keeps the module as it is before it is lowered.

    A monitor may verify the module after every pass, which takes a fifth of the time of a large
    network; if it does not, the module is verified as imported, as placed, and at the end.
    """

    def __init__(self, monitor: PassMonitor, say: Callable[[str], None]):
        self.monitor = monitor
        self.say = say
        self.placed = ModuleOp([])

    def __call__(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        self.monitor(previous, module, following)
        lowered = following is not None and following.name == _LOWERING
        if not self.monitor.verify and (previous is None or following is None or lowered):
            with self.monitor.measure("verify"):
                module.verify()
        if following is not None:
            self.say(following.name)
        if lowered:
            self.placed = module.clone()


def _say_nothing(step: str) -> None: ...


def _told(given: ModulePass, timing: str, block: str) -> ModulePass:
    """The pass, told the timing or the shape of blocks if it is the one that needs it."""
    if isinstance(given, DetectBlockSparsityPass):
        return dataclasses.replace(given, block=block)
    if isinstance(given, AnnotateCostPass):
        return dataclasses.replace(given, timing=timing)
    return given


def _name(model: str | Path | onnx.ModelProto) -> str:
    return model.graph.name if isinstance(model, onnx.ModelProto) else Path(model).name


def run(
    compiled: Compiled | str | Path,
    inputs: Mapping[str, Array] | Array,
    every_tensor: bool = False,
    *,
    timing_seed: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Simulate a program, from its text and its packed weights alone.

    `compiled` is what `compile` returned, or the folder that it was saved in.  `inputs` are
    what the ONNX model takes, by ONNX name, or the only input itself.  `progress(done,
    all)` is called after each instruction, or each of its parts.

    The outputs are int8, with their ONNX names and dimensions.  With `every_tensor` the
    result also has each tensor that the program makes, as 1 x C x H x W.

    The program runs in the order of its text.  With a `timing_seed` it runs as events, and
    every transfer and computation takes a random time that the seed draws, from nothing to
    a hundred times its own; each read must see the write that text order gives it.  Then
    the outputs are all there is.

    Raises BscError for inputs that do not fit, for weights that are not the program's, and
    for anything that the machine could not do.
    """
    program, weights = load(compiled)
    feeds = named(inputs, program)
    if timing_seed is None:
        return run_program(program, weights, feeds, every_tensor, progress)
    if every_tensor:
        raise BscError(
            "every tensor can be had in text order only, not under random timing: "
            "give a timing seed, or ask for every tensor"
        )
    simulator = EventSimulator(program, weights, feeds, share_of(progress, 0, 2))
    return Result(simulator.run(timing_seed, share_of(progress, 1, 2)).outputs)


def share_of(progress: Progress | None, index: int, count: int) -> Progress | None:
    """The progress of one of `count` runs, as progress of all of them."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)


def load(compiled: Compiled | str | Path) -> tuple[Program, Bytes]:
    """The program as its text says it, and the packed weights.  Raises BscError."""
    if isinstance(compiled, Compiled):
        return parse_program(compiled.program), compiled.weights
    return folder.read_program(compiled)


def named(inputs: Mapping[str, Array] | Array, program: Program) -> Mapping[str, Array]:
    """The inputs by name.  Raises BscError if a name is needed and not given."""
    if isinstance(inputs, Mapping):
        return inputs
    names = [port.onnx_name for port in program.inputs]
    if len(names) != 1:
        raise BscError(
            f"the program takes {len(names)} inputs ({', '.join(names)}): give them by name"
        )
    return {names[0]: inputs}
