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
    """The number of parameters; the bounds of a Clip and the shape of a Reshape are none."""
    measured = statistics(model)
    return sum(
        math.prod(t.dims)
        for t in model.graph.initializer
        if t.name not in measured and t.dims and t.data_type == onnx.TensorProto.FLOAT
    )


def scales(model: onnx.ModelProto) -> int:
    """The number of scales of normalizations; of a scale and a bias, folded, a bias is left."""
    shape = shapes(model)
    nodes = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    return sum(shape[node.input[1]][0] for node in nodes)


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
    assert scales(vgg) == sum(channels * count for channels, count in VGG16)
    assert trained(vgg) - scales(vgg) == 138_357_544
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
    ("name", "normalized", "parameters", "count"),
    [
        ("alexnet", False, 60_965_224, 724_406_816),
        ("densenet121", True, 7_978_856, 2_834_161_664),
        ("inception_v1", False, 6_998_552, 1_582_671_872),
        ("mobilenet_v2", True, 3_504_872, 300_774_272),
        ("squeezenet", False, 1_235_496, 349_151_936),
    ],
)
def test_the_others_have_the_published_parameters_and_macs(
    name: str, normalized: bool, parameters: int, count: int
):
    model = built(name)
    # Normalizations that the published network has not are folded into its biases.
    assert trained(model) - (0 if normalized else scales(model)) == parameters
    assert macs(model) == count


def test_vgg19_has_143_7_million_parameters_once_folded():
    model = built("vgg19", 32)
    assert trained(model) - scales(model) + 4096 * 512 * 48 == 143_667_240
    # At 224×224 there are 7·7 times the pixels, and as many features.
    dense = 512 * 4096 + 4096 * 4096 + 4096 * 1000
    convolutions = macs(model) - dense
    assert 49 * convolutions + dense + 48 * 512 * 4096 == 19_632_062_464


def test_inception_v2_is_that_of_the_batch_normalization_paper():
    """Table 1 of Ioffe and Szegedy; 0 stands for a pool that hands its input on."""
    modules = (  # extent of the result, then channels: 1×1, 3×3 and its 1×1, two 3×3, pool
        (28, 64, 64, 64, 64, 96, 32),
        (28, 64, 64, 96, 64, 96, 64),
        (14, 0, 128, 160, 64, 96, 0),
        (14, 224, 64, 96, 96, 128, 128),
        (14, 192, 96, 128, 96, 128, 128),
        (14, 160, 128, 160, 128, 160, 96),
        (14, 96, 128, 192, 160, 192, 96),
        (7, 0, 128, 192, 192, 256, 0),
        (7, 352, 192, 320, 160, 224, 128),
        (7, 352, 192, 320, 192, 224, 128),
    )
    sums = [(64 * 3 * 49, 112), (64 * 64, 56), (192 * 64 * 9, 56)]  # weights, extent
    normalized, x, before = 64 + 64 + 192, 192, 28
    for extent, one, reduced, three, narrow, double, pool in modules:
        sums += [(x * (one + pool), extent), (x * (reduced + narrow), before)]
        sums += [((reduced * three + double * double) * 9, extent)]
        sums += [(narrow * double * 9, before)]
        normalized += one + reduced + three + narrow + 2 * double + pool
        x, before = one + three + double + (pool or x), extent
    model = built("inception_v2")
    features = x * 1000
    assert trained(model) == sum(w for w, _ in sums) + 2 * normalized + features + 1000
    assert macs(model) == sum(w * extent**2 for w, extent in sums) + features


def test_shufflenet_has_the_macs_of_its_units():
    """Group convolutions of 4 groups, without a bottleneck; a stage begins with a stride."""
    expected, width = 24 * 27 * 112**2, 24
    for cout, count, extent in ((136, 4, 28), (272, 8, 14), (544, 4, 7)):
        branch = cout - width  # the rest of a concatenation with a pool
        expected += width * branch // 4 * (2 * extent) ** 2
        expected += (9 * branch + branch * branch // 4) * extent**2
        expected += (count - 1) * (9 * cout + 2 * cout * cout // 4) * extent**2
        width = cout
    assert macs(built("shufflenet")) == expected + width * 1000


def whole_windows(model: onnx.ModelProto) -> bool:
    """Whether each window fits into the image that it sees, padding and all."""
    shape = shapes(model)
    for node in model.graph.node:
        attributes = {a.name: list(a.ints) for a in node.attribute}
        kernel = attributes.get("kernel_shape", [1, 1])
        top, left, bottom, right = attributes.get("pads", [0] * 4)
        extents = shape[node.input[0]][2:]
        padded = [e + p for e, p in zip(extents, (top + bottom, left + right), strict=False)]
        if 0 in extents or any(e < k for e, k in zip(padded, kernel, strict=False)):
            return False
    return True


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("more", [0, 1])
def test_networks_come_in_any_size_that_they_can_have(name: str, more: int):
    network = NETWORKS[name]
    size = network.least + 13 * more // network.step * network.step
    model = built(name, size)
    shape = shapes(model)
    assert shape[model.graph.input[0].name] == [1, 3, size, size]
    assert all(name in shape for node in model.graph.node for name in node.output)
    assert whole_windows(model)
    with pytest.raises(BscError, match=f"{name} takes images of .*, not {network.least - 1}"):
        built(name, network.least - 1)


@pytest.mark.parametrize(
    "name", ["alexnet", "densenet121", "inception_v1", "inception_v3", "squeezenet"]
)
def test_smaller_images_leave_a_window_without_pixels(name: str):
    network = NETWORKS[name]
    assert not whole_windows(network.layers(np.random.default_rng(0), network.least - 1))


def test_branches_that_have_to_meet_take_some_sizes_only():
    with pytest.raises(BscError, match="inception_v2 takes images of 32, 64, 96, … pixels"):
        built("inception_v2", 80)


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
    [
        ("resnet50", 80, "pred"),
        ("vgg16", 32, "fc8"),
        ("inception_v3", 107, "fc"),
        ("alexnet", 39, "fc8"),
        ("densenet121", 65, "fc6"),
        ("inception_v1", 47, "loss3/classifier"),
        ("inception_v2", 64, "loss3/classifier"),
        ("mobilenet_v2", 41, "fc"),
        ("shufflenet", 49, "pred"),
    ],
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


@pytest.mark.parametrize("name", list(NETWORKS))
def test_nodes_and_tensors_have_names_of_their_own(name: str):
    network = NETWORKS[name]
    nodes = built(name, network.least).graph.node
    made = [name for node in nodes for name in node.output]
    assert len({node.name for node in nodes}) == len(nodes)
    assert len(set(made)) == len(made)
    assert all(node.name for node in nodes)
