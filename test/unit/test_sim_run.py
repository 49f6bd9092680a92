"""Whole programs: the host's side of the boundary, and what must be so at the end."""

from __future__ import annotations

import re

import numpy as np
import pytest
from honest_programs import NAMES, subject
from qdq_models import Array

from bsc import oracle
from bsc.asm.parser import parse_program
from bsc.errors import BscError
from bsc.sim import Result, run_program


def _run(name: str, text: str, inputs: dict[str, Array] | None = None) -> Result:
    it = subject(name)
    return run_program(parse_program(text), it.blob, it.inputs if inputs is None else inputs)


def _retyped(text: str, port: str, dtype: str, zero: int) -> str:
    """The text with another type for the host's tensors."""
    line = rf"(?m:^(\{port} .*)dtype=\w+(.*)zero=\d+$)"
    return re.sub(line, rf"\1dtype={dtype}\2zero={zero}", text)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_in_the_types_of_the_host(name: str) -> None:
    """int8 as stored, uint8 with a zero point of 128, float32 scaled."""
    it = subject(name)
    expected = oracle.quantized_tensors(it.model, it.inputs)
    program = parse_program(it.text)
    for dtype, zero in (("int8", 0), ("uint8", 128), ("float32", 0)):
        text = _retyped(it.text, ".output", dtype, zero)
        found = _run(name, text).outputs
        for port in program.outputs:
            values = expected[port.onnx_name]
            pos = program.tensors[port.tensor].pos
            wanted = {
                "int8": values,
                "uint8": (values.astype(np.int16) + 128).astype(np.uint8),
                "float32": values.astype(np.float32) * np.float32(2.0**-pos),
            }[dtype]
            assert found[port.onnx_name].dtype == np.dtype(dtype)
            np.testing.assert_array_equal(found[port.onnx_name], wanted)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_that_are_quantized_already(name: str) -> None:
    """int8 and uint8 instead of float32 give the same outputs."""
    it = subject(name)
    program, wanted = parse_program(it.text), _run(name, it.text).outputs
    for dtype, zero in (("int8", 0), ("uint8", 128)):
        text = _retyped(it.text, ".input", dtype, zero)
        inputs: dict[str, Array] = {}
        for port in program.inputs:
            pos = program.tensors[port.tensor].pos
            values = oracle.host_quantize(it.inputs[port.onnx_name], pos)
            inputs[port.onnx_name] = (values.astype(np.int16) + zero).astype(dtype)
        for key, values in _run(name, text, inputs).outputs.items():
            np.testing.assert_array_equal(values, wanted[key])


def test_inputs_in_the_other_layout() -> None:
    it = subject("chain")
    text = it.text.replace("layout=NCHW dims=[1,5,12,11]", "layout=NHWC dims=[1,12,11,5]")
    inputs = {name: x.transpose(0, 2, 3, 1) for name, x in it.inputs.items()}
    for key, values in _run("chain", text, inputs).outputs.items():
        np.testing.assert_array_equal(values, _run("chain", it.text).outputs[key])


def test_inputs_that_do_not_fit() -> None:
    text, inputs = subject("mixed").text, subject("mixed").inputs
    first, *_ = inputs
    for changed, message in (
        ({}, f"input '{first}' is missing"),
        ({**inputs, "y": inputs[first]}, "unknown input 'y'; the program takes x_1, x_6"),
        ({**inputs, first: inputs[first][:, :1]}, r"shape \[1, 12, 9, 7\], not \[1, 1, 9, 7\]"),
        ({**inputs, first: inputs[first].astype(np.int8)}, "is float32, not int8"),
    ):
        with pytest.raises(BscError, match=message):
            _run("mixed", text, changed)


@pytest.mark.parametrize("name", NAMES)
def test_the_blob_is_the_programs_own(name: str) -> None:
    it = subject(name)
    program = parse_program(it.text)
    for blob in (it.blob[:-4], it.blob ^ np.uint8(1), np.zeros(0, np.uint8)):
        with pytest.raises(BscError, match=r"weights\.bin is not the blob of this program"):
            run_program(program, blob, it.inputs)


def _without(text: str, mnemonic: str) -> str:
    """The text without the last instruction of a kind."""
    lines = text.split("\n")
    at = max(i for i, line in enumerate(lines) if line.startswith(f"{mnemonic} "))
    return "\n".join([*lines[:at], *lines[at + 1 :]])


@pytest.mark.parametrize(
    "mnemonic", ["LOAD", "LOADW", "LOADFM", "LOADWDM", "CONV", "WRITEFM", "WRITE"]
)
@pytest.mark.parametrize("locked", [True, False])
def test_no_instruction_is_superfluous(mnemonic: str, locked: bool) -> None:
    """Without one there is an error, with locks and without them."""
    text = subject("chain").text
    if not locked:
        text = re.sub(r" Lock \S+| (?:acq|rel)=\S+|(?m:^\.lock .*\n)", "", text)
        _run("chain", text)
    with pytest.raises(BscError):
        _run("chain", _without(text, mnemonic))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    it = subject("mixed")
    program = parse_program(it.text)

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    run_program(program, it.blob, it.inputs, progress=progress)
    assert told == sorted(told)
    assert {total for _, total in told} == {len(program.body)}


def test_errors_name_the_line_and_the_iteration() -> None:
    it = subject("chain")
    lines = it.text.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("LOADFM "))
    lines[at] = lines[at].replace(" h=", " h=1")
    with pytest.raises(BscError, match=rf"^line {at + 1}: LOADFM, iteration 0: "):
        _run("chain", "\n".join(lines))
