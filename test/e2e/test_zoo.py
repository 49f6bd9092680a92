"""The networks that `bsc prepare` knows, in the forms that producers write, bit for bit.

Whole networks with all their channels, on small images: what takes time in the simulator is
pixels.  The default run has each network once, in one of the forms; `make zoo` has all forms of
all of them.  The paper's three networks are in `test_networks.py`, too.
"""

from __future__ import annotations

import pytest

import bsc
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
    "squeezenet": "int8",
}
"""The form of each network in the default run, the slowest network first."""

HOSTED = ("alexnet", "inception_v1")
"""Networks with LRN between their layers, which is the host's."""


def small(name: str) -> int:
    """The least size, if that is not a few pixels."""
    return max(NETWORKS[name].least, 29)


def larger(name: str) -> int:
    """A size beyond the least, with some pixels in the last layers."""
    network = NETWORKS[name]
    return network.least + max(network.step, 40)


CASES = [pytest.param(name, form, small(name), id=name) for name, form in ONCE.items()] + [
    pytest.param(name, form, larger(name), marks=pytest.mark.zoo, id=f"{name}-{form}")
    for name in NETWORKS
    if name not in HOSTED
    for form in FORMS
]


@pytest.mark.parametrize(("name", "form", "size"), CASES)
def test_every_tensor_equals_onnxruntimes(name: str, form: str, size: int):
    model = prepare(name, size=size, form=FORMS[form])
    compiled = bsc.compile(model, "paper-2x2")
    result = bsc.check(model, compiled, inputs=1, every_tensor=True)
    assert result.ok
    assert len(result.made) + len(compiled.elided) == len(result.tensors)
    assert len(result.tensors) >= sum(node.op_type == "Conv" for node in model.graph.node)


@pytest.mark.parametrize("name", HOSTED)
def test_float_arithmetic_between_layers_is_refused(name: str):
    model = prepare(name, size=NETWORKS[name].least)
    with pytest.raises(bsc.ModelError) as caught:
        bsc.compile(model, "paper-2x2")
    norms = [node.name for node in model.graph.node if node.op_type == "LRN"]
    assert len(norms) == len(caught.value.problems) == 2
    for norm, problem in zip(norms, caught.value.problems, strict=True):
        assert f"node '{norm}' (LRN)" in str(problem)
