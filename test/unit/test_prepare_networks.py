"""The built-in networks have the size that they are known for."""

import math

import numpy as np
import onnx
import pytest

from bsc.errors import BscError
from bsc.prepare.batchnorm import measure
from bsc.prepare.fold import fold
from bsc.prepare.networks import NETWORKS
from bsc.prepare.ort import ranges
from bsc.prepare.samples import LIMIT, samples

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each stage."""


@pytest.fixture(scope="module")
def network() -> onnx.ModelProto:
    return built("resnet50")


@pytest.fixture(scope="module")
def vgg() -> onnx.ModelProto:
    return built("vgg16")


@pytest.fixture(scope="module")
def inception() -> onnx.ModelProto:
    return built("inception_v3")


def built(name: str, size: int | None = None) -> onnx.ModelProto:
    network = NETWORKS[name]
    return network.build(np.random.default_rng(0), network.size if size is None else size)


def shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    values = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    found = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    return found | {t.name: list(t.dims) for t in model.graph.initializer}


def statistics(model: onnx.ModelProto) -> set[str]:
    """The means and variances, which are measured and not trained."""
    nodes = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    return {name for node in nodes for name in node.input[3:5]}


def trained(model: onnx.ModelProto) -> int:
    measured = statistics(model)
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.name not in measured)


def macs(model: onnx.ModelProto) -> int:
    shape = shapes(model)
    return sum(
        # Each output takes one column of the weight, CIN × KH × KW.
        math.prod(shape[node.output[0]]) * math.prod(shape[node.input[1]][1:])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    )


def test_resnet50_has_25_6_million_parameters(network: onnx.ModelProto):
    assert trained(network) == 25_557_032
    assert sum(math.prod(t.dims) for t in network.graph.initializer) == 25_610_152


def test_vgg16_has_138_4_million_parameters_once_folded(vgg: onnx.ModelProto):
    # A normalization has a scale and a bias a channel, of which the bias is left.
    scales = sum(channels * count for channels, count in VGG16)
    assert trained(vgg) - scales == 138_357_544
    small = built("vgg16", 32)
    fold(small)
    assert {node.op_type for node in small.graph.node} == {
        "Conv",
        "Flatten",
        "Gemm",
        "MaxPool",
        "Relu",
        "Softmax",
    }
    # At 32×32, 512 features come to the first Gemm, not 512·7·7.
    assert trained(small) + 4096 * 512 * 48 == 138_357_544


def test_inception_v3_has_23_8_million_parameters(inception: onnx.ModelProto):
    # 27,161,264 are published with the auxiliary classifier, which has a 1×1 convolution of
    # 768 to 128, a 5×5 to 768, both normalized, and 1000 classes.
    auxiliary = 768 * 128 + 2 * 128 + 128 * 25 * 768 + 2 * 768 + 768 * 1000 + 1000
    assert trained(inception) == 23_834_568 == 27_161_264 - auxiliary


@pytest.mark.parametrize(
    ("fixture", "count"),
    [("network", 4_089_184_256), ("vgg", 15_470_264_320), ("inception", 5_713_216_096)],
)
def test_the_macs_are_the_published_ones(
    fixture: str, count: int, request: pytest.FixtureRequest
):
    model: onnx.ModelProto = request.getfixturevalue(fixture)
    assert macs(model) == count


def test_inception_v3_has_the_shapes_of_its_blocks(inception: onnx.ModelProto):
    shape = shapes(inception)
    ends = {
        "Conv2d_2b_3x3": (64, 147),
        "maxpool1": (64, 73),
        "Conv2d_4a_3x3": (192, 71),
        "maxpool2": (192, 35),
        "Mixed_5b": (256, 35),
        "Mixed_5c": (288, 35),
        "Mixed_5d": (288, 35),
        "Mixed_6a": (768, 17),
        "Mixed_6b": (768, 17),
        "Mixed_6e": (768, 17),
        "Mixed_7a": (1280, 8),
        "Mixed_7b": (2048, 8),
        "Mixed_7c": (2048, 8),
    }
    assert {name: shape[name] for name in ends} == {
        name: [1, channels, extent, extent] for name, (channels, extent) in ends.items()
    }
    kernels = {
        tuple(shape[n.input[1]][2:]) for n in inception.graph.node if n.op_type == "Conv"
    }
    assert kernels == {(1, 1), (3, 3), (5, 5), (1, 7), (7, 1), (1, 3), (3, 1)}


def test_vgg16_has_the_shapes_of_its_stages(vgg: onnx.ModelProto):
    shape = shapes(vgg)
    pools = [shape[node.output[0]][1:] for node in vgg.graph.node if node.op_type == "MaxPool"]
    sizes = ((64, 112), (128, 56), (256, 28), (512, 14), (512, 7))
    assert pools == [[c, extent, extent] for c, extent in sizes]
    assert shape["flatten"] == [1, 25088]


@pytest.mark.parametrize(
    ("name", "least"), [("resnet50", 1), ("vgg16", 32), ("inception_v3", 75)]
)
@pytest.mark.parametrize("more", [0, 13])
def test_networks_come_in_any_size_that_they_can_have(name: str, least: int, more: int):
    size = least + more
    shape = shapes(built(name, size))
    assert shape["data"] == [1, 3, size, size]
    assert 0 not in {extent for extents in shape.values() for extent in extents}
    with pytest.raises(BscError, match=f"{name} takes images of {least} pixels? or more"):
        built(name, least - 1)


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


@pytest.mark.parametrize(
    ("name", "size", "last"),
    [("resnet50", 80, "pred"), ("vgg16", 32, "fc8"), ("inception_v3", 107, "fc")],
)
def test_measured_statistics_keep_activations_in_range(name: str, size: int, last: str):
    model = built(name, size)
    feeds = samples(model, 2, np.random.default_rng(0))
    measure(model, feeds)
    seen = ranges(model, feeds)
    assert set(seen) == {"data", *(name for node in model.graph.node for name in node.output)}
    for low, high in seen.values():
        assert max(-low, high) < 100
    low, high = seen[last]
    assert low < -1
    assert high > 1
