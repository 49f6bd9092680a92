"""What `bsc check` says: how much is equal, what fusion elides, and the first difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from bsc.report.layers import short_name
from bsc.report.units import plural

if TYPE_CHECKING:
    from bsc.checking import CheckResult, TensorCheck, TimingCheck


def outcome_lines(result: CheckResult) -> list[str]:
    """How many tensors, values and runs are equal to onnxruntime's, one line a kind."""
    lines = _tensor_lines(result)
    return lines if result.timing is None else [*lines, _runs_line(result.timing)]


def _runs_line(timing: TimingCheck) -> str:
    nominal, random = plural(timing.nominal, "run"), plural(timing.random, "run")
    return (
        f"in event order, the outputs of {timing.nominal_equal:,} of {nominal} with nominal "
        f"timing and of {timing.random_equal:,} of {random} with random timing equal"
    )


def _tensor_lines(result: CheckResult) -> list[str]:
    if not result.every_tensor:
        return [_equal_line("of the program's outputs", result.made)]
    lines = [_equal_line("made by the program", result.made)]
    if result.elided:
        text = "elided, run by the reference interpreter"
        lines.append(_equal_line(text, result.elided))
    total = len(result.tensors) + len(result.unaccounted)
    lines.append(
        f"{len(result.made)} made + {len(result.elided)} elided = {len(result.tensors)} "
        f"of the model's {plural(total, 'quantized tensor')}"
    )
    return lines


def _equal_line(what: str, tensors: Sequence[TensorCheck]) -> str:
    values = sum(tensor.values for tensor in tensors)
    equal = values - sum(tensor.different for tensor in tensors)
    good = sum(not tensor.different for tensor in tensors)
    return (
        f"{good} of {plural(len(tensors), 'tensor')} {what} equal: "
        f"{equal:,} of {values:,} values"
    )


def elided_table(tensors: Sequence[TensorCheck]) -> Table:
    """The tensors that the program never makes, and why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("elided tensor", no_wrap=True)
    table.add_column("why the program does not make it")
    for tensor in tensors:
        words = (short_name(word) for word in tensor.elided.split(" "))
        table.add_row(short_name(tensor.name), " ".join(words))
    return table


def difference_lines(result: CheckResult) -> list[str]:
    """What is wrong, if anything is: the first tensor that differs, or is missing."""
    lines: list[str] = []
    if (tensor := result.first_different) is not None:
        lines.append(_difference_line(tensor, result))
    if names := result.unaccounted:
        lines.append(
            f"{plural(len(names), 'quantized tensor')} of the model neither made nor elided, "
            f"the first is '{names[0]}'"
        )
    if result.timing is not None and (failure := result.timing.first) is not None:
        seed = "nominal timing" if failure.seed is None else f"timing seed {failure.seed}"
        which = f"input {failure.sample}, " if result.inputs > 1 else ""
        lines.append(f"in event order, {which}{seed}: {failure.reason}")
    if lines and (nodes := result.uncertified):
        lines.append(
            f"onnxruntime may be at fault: the sums of '{nodes[0].name}' reach "
            f"{nodes[0].accumulator_bound:,}, and its float32 is exact to 2^24"
        )
    return lines


def _difference_line(tensor: TensorCheck, result: CheckResult) -> str:
    assert tensor.first is not None
    sample, at, found, expected = tensor.first
    where = f"made by layer '{tensor.layer}'" if tensor.layer else "in the interpreter"
    which = f" for input {sample}" if result.inputs > 1 else ""
    return (
        f"tensor '{tensor.name}' ({where}) is the first that differs: {tensor.different:,} of "
        f"{tensor.values:,} values, the first{which} at {list(at)}: {found}, onnxruntime "
        f"has {expected}"
    )
