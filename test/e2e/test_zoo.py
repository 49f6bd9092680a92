"""The networks that `bsc prepare` knows, in the forms that producers write, bit for bit.

Whole networks with all their channels, on small images: what takes time in the simulator is
pixels.  The default run has each network once, in one of the forms; `make zoo` has all forms of
all of them.  The paper's three networks are in `test_networks.py`, too.
"""

from __future__ import annotations

import pytest

import bsc
from bsc.partition import cut
from bsc.prepare import NETWORKS, Form, prepare

FORMS = {
    "int8": Form(),
    "int8-fused": Form(fuse_relu=True),
    "uint8": Form(activations="uint8"),
    "uint8-fused": Form(activations="uint8", fuse_relu=True),
    "qoperator-int8": Form("qoperator"),
    "qoperator-uint8": Form("qoperator", "uint8"),
}

ONCE = {
    "vgg19": "int8",
    "densenet121": "int8-fused",
    "inception_v2": "uint8",
    "mobilenet_v2": "qoperator-uint8",
    "shufflenet": "qoperator-int8",
    "squeezenet": "qoperator-int8",
    "alexnet": "uint8",
    "inception_v1": "qoperator-uint8",
}
"""The form of each network in the default run, the slowest network first."""

HOSTED = ("alexnet", "inception_v1")
"""Networks with LRN between their layers, which is the host's: they are cut into parts."""


def small(name: str) -> int:
    """The least size, if that is not a few pixels."""
    return max(NETWORKS[name].least, 29)


def larger(name: str) -> int:
    """A size beyond the least, with some pixels in the last layers."""
    network = NETWORKS[name]
    return network.least + -(-40 // network.step) * network.step


CASES = [pytest.param(name, form, small(name), id=name) for name, form in ONCE.items()] + [
    pytest.param(name, form, larger(name), marks=pytest.mark.zoo, id=f"{name}-{form}")
    for name in NETWORKS
    for form in FORMS
]


@pytest.mark.parametrize(("name", "form", "size"), CASES)
def test_every_tensor_equals_onnxruntimes(name: str, form: str, size: int):
    model = prepare(name, size=size, form=FORMS[form])
    parts = [model]
    if name in HOSTED:
        parts = [part.model for part in cut(model) if part.on_array]
        assert len(parts) == 3
    checked = 0
    for part in parts:
        compiled = bsc.compile(part, "paper-2x2")
        result = bsc.check(part, compiled, inputs=1, every_tensor=True)
        assert result.ok
        assert len(result.made) + len(compiled.elided) == len(result.tensors)
        checked += len(result.tensors)
    convolutions = ("Conv", "QLinearConv")
    assert checked > sum(node.op_type in convolutions for node in model.graph.node)


def test_float_arithmetic_between_layers_is_refused_as_one_program():
    model = prepare("inception_v1", size=NETWORKS["inception_v1"].least)
    with pytest.raises(bsc.ModelError) as caught:
        bsc.compile(model, "paper-2x2")
    norms = [node.name for node in model.graph.node if node.op_type == "LRN"]
    assert len(norms) == len(caught.value.problems) == 2
    for norm, problem in zip(norms, caught.value.problems, strict=True):
        assert f"node '{norm}' (LRN)" in str(problem)
