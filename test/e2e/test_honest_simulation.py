"""Nothing in a program's text is there for show: change a field, and it is noticed.

The text is changed in one field at a time, drawn uniformly over the lines and the fields of
a line, and run.  It must end as an error (of the parser, or of the simulator, lock underflow
and overflow among them) or with other results than onnxruntime's.  What is not noticed is
explained in docs/validation.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from honest_programs import NAMES, noticed, results, subject
from program_changes import Changer, sites
from qdq_models import random_input

from bsc import oracle
from bsc.asm.isa import SPECS
from bsc.asm.packed import Bytes
from bsc.asm.parser import parse_program

CHANGES = 360
"""For each of the four programs."""

FLIPS = 60
NOTICED = 0.95


@pytest.mark.parametrize("name", NAMES)
def test_the_program_is_right_as_it_is(name: str) -> None:
    """Else it would not say much that a changed one gives other results."""
    it = subject(name)
    expected = oracle.quantized_tensors(it.model, it.inputs)
    found = results(it.text, it.blob, it.inputs)
    made = {key.removeprefix("tensor "): v for key, v in found.items() if "tensor " in key}
    assert made
    for key, value in made.items():
        np.testing.assert_array_equal(value.reshape(expected[key].shape), expected[key])


@pytest.mark.parametrize("name", NAMES)
def test_changes_of_one_field_are_noticed(name: str) -> None:
    it = subject(name)
    wanted = results(it.text, it.blob, it.inputs)
    changer = Changer(it.text, parse_program(it.text), NAMES.index(name))
    changes = [changer.draw() for _ in range(CHANGES)]
    how = {c: noticed(c.apply(it.text), it.blob, it.inputs, wanted) for c in changes}
    unnoticed = [str(change) for change in changes if not how[change]]
    print(name, Counter(how[change] or "unnoticed" for change in changes), *unnoticed, sep="\n")
    assert len(unnoticed) <= (1 - NOTICED) * CHANGES, "\n".join(unnoticed)


def test_changes_reach_every_kind_of_line() -> None:
    """The four programs have every instruction, and every field that int8 networks need."""
    found = {
        (site.words[0], site.name)
        for name in NAMES
        for line in sites(subject(name).text)
        for site in line
    }
    assert {head for head, _ in found} >= {*SPECS, ".blob", ".tensor", ".input"}
    assert {head for head, _ in found} >= {".output", ".alias", ".elided", ".layer", ".ready"}
    fields = {field.name for spec in SPECS.values() for field in spec.fields}
    missing = fields - {name for _, name in found}
    assert missing == {"rounding", "cres"}


@pytest.mark.parametrize("name", ["chain", "mixed"])
def test_changed_weights_are_noticed(name: str) -> None:
    """The highest bit of bytes that are not 0, as those are that fill up a block.  The blob
    has another hash then; the text that is told so has no excuse but the values, for one of
    several inputs.  (In `squeezed`, a piece is one column wide, so that a third of the
    weights of those at the edge meet nothing but padding.)"""
    it = subject(name)
    samples = [random_input(it.model, seed) for seed in range(6)]
    wanted = [results(it.text, it.blob, inputs) for inputs in samples]
    rng = np.random.default_rng(NAMES.index(name))
    found = 0
    for at in rng.choice(np.flatnonzero(it.blob), FLIPS):
        blob = it.blob.copy()
        blob[at] ^= 0x80
        assert noticed(it.text, blob, samples[0], wanted[0]) == "error"
        text = _told_of(it.text, blob)
        pairs = zip(samples, wanted, strict=True)
        found += any(noticed(text, blob, inputs, values) for inputs, values in pairs)
    assert found >= NOTICED * FLIPS


def _told_of(text: str, blob: Bytes) -> str:
    """The text with the hash of another blob."""
    old = parse_program(text).blob_sha256
    return text.replace(old, hashlib.sha256(blob.data).hexdigest())
