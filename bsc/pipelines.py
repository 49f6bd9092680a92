"""Pipelines: which passes make a compilation, and how a text becomes passes.

`NAMED_PIPELINES` is the one place that says what a compilation runs.  The driver, the
Python API and `bsc-opt` all take their passes from here, and `bsc-opt` expands a name into
its passes, so that timings, dumps and checks see each of them.

    passes = pipeline("bsc-compile")
    run_passes(module, [SetArchPass("npu1"), *passes], PassMonitor())
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, get_type_hints

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline, PassPipelineCallbackType
from xdsl.universe import Universe
from xdsl.utils.arg_spec import ArgSpec, ParameterListType, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.utils.hints import isa

from bsc.errors import BscError
from bsc.options import option_of
from bsc.suggest import did_you_mean

NAMED_PIPELINES: Mapping[str, tuple[str, ...]] = {
    # From quantized tensors down to locked, costed dataflow.
    "bsc-compile": (
        "drop-unread",
        "fuse-epilogue",
        "detect-block-sparsity",
        "split-window",
        "split-width",
        "split-cout",
        "split-cin",
        "schedule",
        "tile-depthwise",
        "split-height",
        "balance-rows",
        "select-subvolume",
        "balance-rows",
        "split-to-fit",
        "alloc-memtile",
        "pack-weights",
        "lower-to-dataflow",
        "chain-locks",
        "annotate-cost",
        "verify-dataflow",
    ),
}
"""Name of a pipeline -> the specs of its passes, in order.  A name stands for them wherever
a pass can be named in `bsc-opt`."""

PassTable = Mapping[str, Callable[[], type[ModulePass]]]
"""Pass names and what loads each pass, as a `Universe` holds them."""


def pipeline(name: str) -> tuple[ModulePass, ...]:
    """The passes of the pipeline `name`.  Raises BscError if there is no such pipeline."""
    if name not in NAMED_PIPELINES:
        hint = did_you_mean(name, NAMED_PIPELINES)
        raise BscError(f"unknown pipeline '{name}'{hint}")
    return resolve(parse_specs(name))


def parse_specs(text: str) -> tuple[ArgSpec, ...]:
    """The specs in `a,b{x=1 y=2},c`.  Raises BscError with the column of a mistake."""
    try:
        return tuple(parse_pipeline(text))
    except ArgSpecParseError as e:
        # xDSL tells it in lines: a title, name:line:column, the text, a caret, the message.
        _, where, *_, message = str(e).strip().splitlines()
        column = where.rpartition(":")[2]
        raise BscError(f"pipeline '{text}', column {column}: {message.strip()}") from e


def resolve(
    specs: Iterable[ArgSpec], available: PassTable | None = None
) -> tuple[ModulePass, ...]:
    """The passes that `specs` name, in order, with named pipelines expanded.

    Only these passes are imported.  `available` is what can be named; by default all that
    is installed, xDSL's passes too.  Raises BscError for an unknown pass or option.
    """
    table = Universe.get_multiverse().all_passes if available is None else available
    passes: list[ModulePass] = []
    for spec in specs:
        try:
            passes += [make_pass(part, table) for part in _expanded(spec)]
        except BscError as e:
            if spec.name not in NAMED_PIPELINES:
                raise
            raise BscError(f"in the pipeline {spec.name}: {e}") from e
    return tuple(passes)


def _expanded(spec: ArgSpec) -> tuple[ArgSpec, ...]:
    """The spec itself, or those of the named pipeline."""
    if (texts := NAMED_PIPELINES.get(spec.name)) is None:
        return (spec,)
    if spec.parameters:
        raise BscError("it takes no options")
    return tuple(part for text in texts for part in parse_specs(text))


def find_pass(name: str, available: PassTable) -> type[ModulePass]:
    """The class of the pass `name`.

    Raises BscError, with a hint, if there is none, and if it cannot be imported.
    """
    if name not in available:
        hint = did_you_mean(name, (*available, *NAMED_PIPELINES))
        raise BscError(f"unknown pass '{name}'{hint}")
    try:
        return available[name]()
    except ImportError as e:
        # Somebody else's pass may need a package that is not here.
        raise BscError(f"the pass '{name}' is not available: {e}") from e


def make_pass(spec: ArgSpec, available: PassTable) -> ModulePass:
    """The pass that `spec` names, with its options.

    Raises BscError for an unknown pass or option and for a value of the wrong type.
    """
    cls = find_pass(spec.name, available)
    spec = spec.normalize_parameter_names()
    hints = option_types(cls)
    for name, value in spec.parameters.items():
        if name not in hints:
            hint = did_you_mean(name, hints) or f" (options: {', '.join(hints) or 'none'})"
            raise BscError(f"{spec.name}: unknown option '{name}'{hint}")
        if not _fits(value, hints[name]):
            raise BscError(f"{spec.name}: {_misfit(cls, name, value)}")
    try:
        return cls.from_spec(spec)
    except (BscError, ValueError) as e:
        raise BscError(f"{spec.name}: {e}") from e


def _misfit(cls: type[ModulePass], name: str, value: ParameterListType) -> str:
    """What to say of a value whose type is not that of the option."""
    shown = ",".join(map(str, value)) or "without a value"
    if (known := option_of(cls, name)) is not None:
        return f"{name} must be {known.values}, not {shown}"
    hint = option_types(cls)[name]
    return f"option '{name}' takes {getattr(hint, '__name__', str(hint))}, not {shown}"


def option_types(cls: type[ModulePass]) -> dict[str, Any]:
    """The options of a pass and their types, in order."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls) if f.init}


def _fits(value: ParameterListType, hint: Any) -> bool:
    """Whether xDSL converts `value` to `hint`: as a tuple, as its one element, or as None."""
    if isa(value, hint):
        return True
    return len(value) < 2 and isa(value[0] if value else None, hint)


def run_passes(
    module: ModuleOp,
    passes: Sequence[ModulePass],
    callback: PassPipelineCallbackType | None = None,
    ctx: Context | None = None,
) -> None:
    """Run `passes` on `module` in place; `callback` (a `PassMonitor`) is told of each."""
    with collector_paused():
        PassPipeline(tuple(passes), callback).apply(ctx or new_context(), module)


def new_context() -> Context:
    """A context that knows every installed dialect and loads those that are used."""
    ctx = Context()
    for name, factory in Universe.get_multiverse().all_dialects.items():
        ctx.register_dialect(name, factory)
    return ctx


@contextmanager
def collector_paused() -> Generator[None]:
    """No garbage collection meanwhile: passes allocate much and leave few cycles, and
    without it they run 2 to 4 times faster."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
