"""A model in parts, those of the array compiled: saved, run and checked one after the other.

parts.json     the parts in the order in which they run, and the outputs of the model
part-0         a folder like that of any program, for a part of the array
part-1.onnx    a part of the host, which onnxruntime runs
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx

from bsc import api, checking, folder
from bsc.api import Progress, share_of
from bsc.arch import DEFAULT_ARCH, Arch
from bsc.blocks import DEFAULT_SHAPE
from bsc.checking import CheckResult
from bsc.compiled import Compiled
from bsc.errors import BscError, ModelError
from bsc.frontend import Given
from bsc.frontend.load import load as load_model
from bsc.monitor import PassMonitor
from bsc.partition.cut import cut, part_name
from bsc.sessions import failures_in_a_line, open_session
from bsc.sim import Result

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

INDEX = "parts.json"
_VERSION = 1


@dataclass(frozen=True)
class Chain:
    """The parts of a model in the order in which they run.

    A part of the array is a program, in memory or in its folder; one of the host is a model.
    """

    model: str
    outputs: tuple[str, ...]
    parts: tuple[Compiled | Path | onnx.ModelProto, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts are called in the folder of the chain."""
        return tuple(
            part_name(i, not isinstance(part, onnx.ModelProto))
            for i, part in enumerate(self.parts)
        )

    def save(self, path: str | Path) -> None:
        """Write the chain into the folder `path`, all of it or nothing.

        Raises BscError if there is something else already, or if it cannot be written.
        """
        check_target(path)
        with folder.written_anew(path) as aside:
            for name, part in zip(self.names, self.parts, strict=True):
                if isinstance(part, Compiled):
                    part.save(aside / name)
                elif isinstance(part, onnx.ModelProto):
                    (aside / name).write_bytes(part.SerializeToString())
            index = {"version": _VERSION, "model": self.model, "outputs": self.outputs}
            text = json.dumps(index | {"parts": self.names}, indent=2, ensure_ascii=False)
            (aside / INDEX).write_text(f"{text}\n", encoding="utf-8")


def check_target(path: str | Path) -> None:
    """Raises BscError if a chain must not be written there: only one is replaced by another."""
    folder.check_target(path)
    found = (
        {entry.name for entry in Path(path).iterdir()} if Path(path).exists() else set[str]()
    )
    others = {name for name in found if name != INDEX and not name.startswith("part-")}
    if others or (found and INDEX not in found):
        raise BscError(
            f"{path}: has other files than those of a model in parts, such as "
            f"{min(others or found)}: give a new folder"
        )


def is_chain(path: str | Path) -> bool:
    """Whether a folder holds a model in parts."""
    return (Path(path) / INDEX).is_file() and not (Path(path) / folder.PROGRAM).exists()


def load(path: str | Path) -> Chain:
    """The chain in a folder.  Raises BscError if a part is missing or the index is broken."""
    source = Path(path) / INDEX
    try:
        index: Any = json.loads(source.read_text(encoding="utf-8"))
        version, model = index["version"], str(index["model"])
        outputs, names = tuple(map(str, index["outputs"])), tuple(map(str, index["parts"]))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise BscError(f"{source}: not the index of a model in parts: {e!r}") from None
    if version != _VERSION:
        raise BscError(f"{source}: has version {version}, this bsc knows {_VERSION}")
    parts: list[Path | onnx.ModelProto] = []
    for i, name in enumerate(names):
        if name not in (part_name(i, True), part_name(i, False)):
            raise BscError(f"{source}: part {i} is called '{name}', not part-{i}")
        part = Path(path) / name
        parts.append(load_model(part).model if part.suffix else part)
    return Chain(model, outputs, tuple(parts))


def compile(
    model: str | Path | onnx.ModelProto,
    arch: str | Path | Arch = DEFAULT_ARCH,
    timing: str = api.DEFAULT_TIMING,
    *,
    block: str = DEFAULT_SHAPE,
    shapes: Given | None = None,
    monitor: PassMonitor | None = None,
    progress: Callable[[str], None] | None = None,
) -> Chain:
    """Cut a model and compile its parts for the array, as `bsc.compile` does.

    Raises what that raises: a ModelError with the problems of all parts.
    """
    whole = load_model(model)
    made = cut(whole, shapes)
    parts: list[Compiled | onnx.ModelProto] = []
    for part in made:
        if not part.on_array:
            parts.append(part.model)
            continue
        try:
            compiled = api.compile(
                part.model, arch, timing, block=block, monitor=monitor, progress=progress
            )
        except ModelError:
            problems = dict.fromkeys(line for part in made for line in part.problems)
            raise ModelError(whole.where, tuple(problems)) from None
        parts.append(compiled)
    graph = whole.model.graph
    name = graph.name if isinstance(model, onnx.ModelProto) else Path(model).name
    return Chain(name, tuple(value.name for value in graph.output), tuple(parts))


def run(
    chain: Chain | str | Path,
    inputs: Mapping[str, Array] | Array,
    every_tensor: bool = False,
    *,
    timing_seed: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run all parts; the outputs are those of the ONNX model.

    The arguments are those of `bsc.run`.  Raises BscError for inputs that do not fit.
    """
    parts = chain if isinstance(chain, Chain) else load(chain)
    needs = [_inputs(part) for part in parts.parts]
    values = _named(inputs, needs)
    tensors: dict[str, Any] = {}
    for i, (part, names) in enumerate(zip(parts.parts, needs, strict=True)):
        missing = [name for name in names if name not in values]
        if missing:
            raise BscError(f"input '{missing[0]}' of the model is not given")
        given = {name: values[name] for name in names}
        if isinstance(part, onnx.ModelProto):
            values |= _on_host(part, given)
            continue
        tell = share_of(progress, i, len(parts.parts))
        result = api.run(part, given, every_tensor, timing_seed=timing_seed, progress=tell)
        values |= result.outputs
        tensors |= result.tensors
    return Result({name: values[name] for name in parts.outputs}, tensors)


def _inputs(part: Compiled | Path | onnx.ModelProto) -> list[str]:
    """The names of what a part reads."""
    if isinstance(part, onnx.ModelProto):
        return [value.name for value in part.graph.input]
    program, _ = api.load(part)
    return [port.onnx_name for port in program.inputs]


def _named(inputs: Mapping[str, Array] | Array, needs: list[list[str]]) -> dict[str, Array]:
    """The inputs by name; one without a name is for the first part."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    if len(needs[0]) != 1:
        raise BscError(f"the model takes {', '.join(needs[0])}: give them by name")
    return {needs[0][0]: inputs}


def _on_host(part: onnx.ModelProto, given: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of a part of the host."""
    names = [value.name for value in part.graph.output]
    with failures_in_a_line(ValueError):
        found = open_session(part).run(names, dict(given))
    return dict(zip(names, found, strict=True))


def check(
    model: str | Path | onnx.ModelProto,
    chain: Chain | str | Path,
    inputs: int = 1,
    every_tensor: bool = False,
    seed: int = 0,
    *,
    timing_seeds: int = 0,
    shapes: Given | None = None,
    progress: Progress | None = None,
) -> tuple[CheckResult, ...]:
    """Compare each part of the array with onnxruntime, as `bsc.check` does.

    Every part gets random inputs of its own.  The parts of the host are onnxruntime's.
    `shapes` are those that the model was compiled with.
    """
    parts = (chain if isinstance(chain, Chain) else load(chain)).parts
    programs = [part for part in parts if not isinstance(part, onnx.ModelProto)]
    models = [part.model for part in cut(model, shapes) if part.on_array]
    if len(models) != len(programs):
        raise BscError(
            f"the model has {len(models)} parts for the array, the program {len(programs)}: "
            "was it compiled from this model?"
        )
    return tuple(
        checking.check(
            part,
            program,
            inputs,
            every_tensor,
            seed,
            timing_seeds=timing_seeds,
            progress=share_of(progress, i, len(models)),
        )
        for i, (part, program) in enumerate(zip(models, programs, strict=True))
    )
