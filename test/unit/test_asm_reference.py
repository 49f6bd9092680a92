"""docs/asm.md says what is: its tables are the instruction set's, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from qdq_models import QdqBuilder, random_input

from bsc import oracle
from bsc.asm.isa import SPECS
from bsc.asm.packed import Bytes, PackedShape, blocks_of, pack
from bsc.asm.parser import parse_program
from bsc.asm.reference import renewed, tables
from bsc.sim import run_program

DOCUMENT = Path(__file__).parents[2] / "docs" / "asm.md"


def test_the_tables_are_those_of_the_instruction_set() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert renewed(text) == text, "run: python -m bsc.asm.reference docs/asm.md"
    for spec in SPECS.values():
        assert all(f"| `{f.name}" in tables() for f in spec.fields)


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="tables: begin"):
        renewed("no tables here")


def test_every_mnemonic_is_explained() -> None:
    prose = DOCUMENT.read_text(encoding="utf-8").partition("## Tables")[0]
    assert [name for name in SPECS if f"**`{name}`" not in prose] == []


def test_links_within_the_document_lead_somewhere() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    heads = {
        re.sub(r"[^a-z -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= heads


def test_the_example_computes_what_onnxruntime_does() -> None:
    """Its weights are packed here, by the format of the document."""
    (example,) = re.findall(
        r"^```\n(\.bsc.*?\.end)\n```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    model, blob = _example()
    inputs = random_input(model, 1)
    result = run_program(parse_program(example), blob, inputs, every_tensor=True)
    expected = oracle.quantized_tensors(model, inputs)
    assert result.tensors.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(result.tensors[name], values)


def _example() -> tuple[ModelProto, Bytes]:
    b = QdqBuilder(0)
    y = b.conv(b.input((1, 16, 10, 7)), 16, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    (weight,) = (t for t in b.initializers.values() if list(t.dims) == [16, 16, 3, 3])
    values = numpy_helper.to_array(weight).copy()
    values[:8, 8:] = 0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    (bias,) = (numpy_helper.to_array(t) for t in b.initializers.values() if t.dims == [16])
    shape = PackedShape(8, 3, 3, 16, (8, 8), True)
    nhwc = values.transpose(0, 2, 3, 1)
    gamma = np.array([[[True, False]], [[True, True]]])
    packed = [
        pack(shape, blocks_of(nhwc[o : o + 8], shape.block), bias[o : o + 8], gamma[o // 8])
        for o in (0, 8)
    ]
    return b.model(y, name="example"), np.concatenate(packed)
