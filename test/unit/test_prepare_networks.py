"""The built-in networks have the size that they are known for."""

import math

import numpy as np
import onnx
import pytest

from bsc.prepare.batchnorm import measure
from bsc.prepare.networks import resnet50
from bsc.prepare.ort import ranges
from bsc.prepare.samples import LIMIT, samples


@pytest.fixture(scope="module")
def network() -> onnx.ModelProto:
    return resnet50(np.random.default_rng(0))


def shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    values = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    found = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    return found | {t.name: list(t.dims) for t in model.graph.initializer}


def test_resnet50_has_25_6_million_parameters(network: onnx.ModelProto):
    sizes = {t.name: math.prod(t.dims) for t in network.graph.initializer}
    statistics = {
        name
        for node in network.graph.node
        if node.op_type == "BatchNormalization"
        for name in node.input[3:5]
    }
    trained = sum(size for name, size in sizes.items() if name not in statistics)
    assert trained == 25_557_032
    assert sum(sizes.values()) == 25_610_152


def test_resnet50_has_4_1_billion_macs(network: onnx.ModelProto):
    shape = shapes(network)
    macs = 0
    for node in network.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            # Each output takes one column of the weight, CIN × KH × KW.
            macs += math.prod(shape[node.output[0]]) * math.prod(shape[node.input[1]][1:])
    assert macs == 4_089_184_256


def test_resnet50_has_the_stride_in_the_3x3(network: onnx.ModelProto):
    shape = shapes(network)
    strided = {
        node.name: shape[node.input[1]][2]
        for node in network.graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "strides" and attribute.ints[0] == 2
    }
    assert {k for k in strided if strided[k] == 3} == {f"res{n}_0_branch2b" for n in (3, 4, 5)}
    assert {k for k in strided if strided[k] == 1} == {f"res{n}_0_branch1" for n in (3, 4, 5)}
    assert {k for k in strided if strided[k] == 7} == {"conv1"}


def test_resnet50_has_plain_nodes_with_names(network: onnx.ModelProto):
    names = [node.name for node in network.graph.node]
    assert len(set(names)) == len(names)
    assert names[:4] == ["conv1", "conv1_bn", "conv1_relu", "conv1_pool"]
    assert names[-4:] == ["res5_2_pool", "res5_2_flatten", "pred", "pred_softmax"]
    assert {node.op_type for node in network.graph.node} == {
        "Add",
        "BatchNormalization",
        "Conv",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "MaxPool",
        "Relu",
        "Softmax",
    }
    assert [value.name for value in network.graph.input] == ["data"]


def test_samples_differ_and_stay_in_range(network: onnx.ModelProto):
    feeds = samples(network, 4, np.random.default_rng(3))
    again = samples(network, 4, np.random.default_rng(3))
    images = [feed["data"] for feed in feeds]
    for image, same in zip(images, again, strict=True):
        assert image.shape == (1, 3, 224, 224)
        assert image.dtype == np.float32
        assert np.abs(image).max() <= LIMIT
        assert np.array_equal(image, same["data"])
    assert len({float(image.std()) for image in images}) == 4


def test_measured_statistics_keep_activations_in_range(network: onnx.ModelProto):
    model = onnx.ModelProto()
    model.CopyFrom(network)
    feeds = samples(model, 2, np.random.default_rng(0))
    measure(model, feeds)
    seen = ranges(model, feeds)
    assert set(seen) == {"data", *(name for node in model.graph.node for name in node.output)}
    for low, high in seen.values():
        assert max(-low, high) < 100
    low, high = seen["pred"]
    assert low < -1
    assert high > 1
