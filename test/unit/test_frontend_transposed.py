"""ConvTranspose: every way to say where its output begins and ends, against onnxruntime."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from exactness import assert_exact, operations
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto
from qdq_models import QdqBuilder

from bsc.dialects.qnn import Conv2dOp, InterleaveOp
from bsc.errors import ModelError
from bsc.frontend import import_onnx
from bsc.frontend.transposed import Spread, phases_of

MODES = ("SAME_UPPER", "SAME_LOWER")


def transposed(seed: int) -> ModelProto:
    """One of random size; strides may be beyond the kernel, and the kernel beyond the input."""
    b = QdqBuilder(seed)
    groups = int(b.rng.choice([1, 1, 1, 2, 3]))
    cin, cout = (groups * int(n) for n in b.rng.integers(1, 9, 2))
    if b.rng.random() < 0.25:
        groups, cout = cin, cin * int(b.rng.integers(1, 3))
    size = [int(n) for n in b.rng.integers(1, 10, 2)]
    kernel, strides, dilations = ([int(n) for n in b.rng.integers(1, m, 2)] for m in (6, 4, 4))
    more = [int(b.rng.integers(0, s)) for s in strides]
    full = [
        (n - 1) * s + (k - 1) * d + 1 + m
        for n, s, k, d, m in zip(size, strides, kernel, dilations, more, strict=True)
    ]
    same = all(f >= n * s for f, n, s in zip(full, size, strides, strict=True))
    where: dict[str, Any] = {}
    match int(b.rng.integers(0, 5)):
        case 0 if same:
            where["auto_pad"] = str(b.rng.choice(MODES))
        case 1:
            where["output_shape"] = [int(b.rng.integers(1, f + 1)) for f in full]
            if b.rng.random() < 0.5:
                where["auto_pad"] = str(b.rng.choice(MODES))
        case 2:
            where["auto_pad"] = "VALID"
        case _:
            cut = [int(b.rng.integers(0, min(f, 7))) for f in full]
            before = [int(b.rng.integers(0, n + 1)) for n in cut]
            where["pads"] = [*before, *(n - m for n, m in zip(cut, before, strict=True))]
    x = b.input((1, cin, size[0], size[1]))
    return b.model(
        b.conv_transpose(
            x,
            cout,
            (kernel[0], kernel[1]),
            groups=groups,
            bias=b.rng.random() < 0.7,
            activation=[None, None, "Relu", "Clip"][int(b.rng.integers(0, 4))],
            strides=strides,
            dilations=dilations,
            output_padding=more,
            **where,
        )
    )


@pytest.mark.parametrize("seeds", [range(40), range(40, 80)])
def test_all_attributes_mean_what_they_mean_to_onnxruntime(seeds: range):
    for seed in seeds:
        assert_exact(transposed(seed), seed)


def test_the_convolutions_share_the_taps_of_the_kernel():
    """No zeros are put between pixels: there is as much to multiply as in the kernel."""
    b = QdqBuilder()
    x = b.input((1, 8, 5, 6))
    model = b.model(
        b.conv_transpose(x, 8, (3, 5), strides=[2, 3], pads=[1, 1, 1, 1], output_padding=[1, 0])
    )
    *convs, last = operations(assert_exact(model))
    assert isinstance(last, InterleaveOp)
    assert last.factors == (2, 3)
    taps = 0
    for op in convs:
        assert isinstance(op, Conv2dOp)
        assert set(op.strides.get_values()) == {1}
        taps += op.window.taps
    assert taps == 3 * 5


def test_a_stride_of_1_is_one_convolution():
    b = QdqBuilder()
    x = b.input((1, 8, 5, 6))
    model = b.model(b.conv_transpose(x, 8, (3, 3), pads=[1, 1, 1, 1], dilations=[1, 2]))
    (only,) = operations(assert_exact(model))
    assert isinstance(only, Conv2dOp)


def test_an_add_behind_it_is_its_bias():
    b = QdqBuilder()
    x = b.input((1, 3, 4, 4))
    w = b.weight(b.ints((3, 5, 2, 2)), 7)
    y = b.node("ConvTranspose", [x.name, w], strides=[2, 2])
    summand = b.weight(b.ints((1, 5, 1, 1), 9000, np.int32), x.pos + 7)
    model = b.model(b.quantize(b.node("Add", [y, summand]), (1, 5, 8, 8), 1))
    assert len(operations(assert_exact(model))) == 5


@given(
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 4),
    st.data(),
)
def test_an_axis_is_spread_as_its_definition_says(
    size: int, kernel: int, stride: int, dilation: int, data: st.DataObject
):
    """Output i * stride + k * dilation - pad gets input i times tap k."""
    full = (size - 1) * stride + (kernel - 1) * dilation + 1 + data.draw(st.integers(0, 3))
    pad = data.draw(st.integers(0, full - 1))
    out = data.draw(st.integers(1, full - pad))
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 10, size), rng.integers(-9, 10, kernel)
    expected = np.zeros(full, np.int64)
    for i in range(size):
        for k in range(kernel):
            expected[i * stride + k * dilation] += x[i] * w[k]
    found = np.zeros(out, np.int64)
    phases = phases_of(Spread(size, out, kernel, stride, dilation, pad))
    for first, (axis, taps) in enumerate(phases):
        assert min(axis.pad_lo, axis.pad_hi) >= 0
        padded = np.pad(x, (axis.pad_lo, axis.pad_hi))
        window = [0 if k is None else int(w[k]) for k in taps]
        for at in range(axis.out_size(size)):
            elements = padded[at : at + axis.reach : axis.dilation]
            found[first + at * len(phases)] = int(np.dot(elements, window))
    np.testing.assert_array_equal(found, expected[pad : pad + out])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kernel_shape": [3, 2]}, r"\(ConvTranspose\): attribute kernel_shape is \[3, 2\]"),
    ({"strides": [2, 0]}, r"attribute strides is \[2, 0\]: 2 numbers of 1 to"),
    ({"dilations": [1]}, r"attribute dilations is \[1\]: 2 numbers"),
    ({"pads": [1, 1]}, r"attribute pads is \[1, 1\]: 4 numbers"),
    ({"pads": [3, 0, 3, 0]}, "all must be at least 1"),
    ({"output_padding": [1, 0]}, r"output_padding is \[1, 0\] with strides \[1, 1\]: less"),
    ({"auto_pad": "FULL"}, "attribute auto_pad is 'FULL': NOTSET, VALID"),
    ({"output_shape": [9, 9]}, r"asks for \[9, 9\] rows and columns where it makes \[6, 7\]"),
    ({"output_shape": [9]}, r"asks for \[9\] rows and columns"),
    ({"strides": [4, 4], "auto_pad": "SAME_UPPER"}, "as many, or fewer, are accepted"),
    ({"strides": [40, 40], "kernel": (40, 40)}, "at most 256 pixels for one are accepted"),
    ({"group": 4}, "in 4 groups does not fit an input of 6 channels"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(more: dict[str, Any], message: str):
    b = QdqBuilder()
    attributes = dict(more)
    kernel = attributes.pop("kernel", (3, 3))
    x = b.conv(b.input((1, 6, 4, 5)), 6)
    w = b.weight(b.ints((6, 6, *kernel)), 7)
    y = b.quantize(b.node("ConvTranspose", [x.name, w], **attributes), (1, 6, 0, 0), 1)
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(y))


@pytest.mark.parametrize(
    ("dims", "bias", "message"),
    [
        ((6, 6, 3), (6,), "has shape .6, 6, 3.: four dimensions are accepted"),
        ((5, 6, 3, 3), (6,), "of shape .5, 6, 3, 3. in 1 groups does not fit an input of 6"),
        ((6, 7, 3, 3), (6,), "bias .* has shape .6.: .7. is needed"),
    ],
)
def test_weights_that_do_not_fit(dims: tuple[int, ...], bias: tuple[int, ...], message: str):
    b = QdqBuilder()
    x = b.conv(b.input((1, 6, 4, 5)), 6)
    names = [x.name, b.weight(b.ints(dims), 7), b.weight(b.ints(bias, 99, np.int32), 3)]
    y = b.quantize(b.node("ConvTranspose", names), (1, 6, 0, 0), 1)
    with pytest.raises(ModelError, match=message):
        import_onnx(b.model(y))


def test_what_cuts_off_more_than_the_kernel_reaches():
    """Up to some hundred elements of the input, zeros in the kernel skip them."""
    for pad, accepted in ((30, True), (300, False)):
        b = QdqBuilder()
        x = b.conv(b.input((1, 2, 1, 500)), 2)
        model = b.model(b.conv_transpose(x, 2, strides=[1, 1], pads=[1, pad, 1, 0]))
        if accepted:
            assert_exact(model)
            continue
        with pytest.raises(ModelError, match="far more than its kernel reaches"):
            import_onnx(model)


def test_an_accumulator_that_can_overflow():
    b = QdqBuilder()
    x = b.conv(b.input((1, 6, 4, 5)), 6)
    bias = np.full(6, 2**31 - 2, np.int32)
    names = [x.name, b.weight(b.ints((6, 6, 3, 3)), 7), b.weight(bias, x.pos + 7)]
    y = b.quantize(b.node("ConvTranspose", names, strides=[2, 2]), (1, 6, 0, 0), 1)
    with pytest.raises(ModelError, match="the accumulator can reach"):
        import_onnx(b.model(y))


def test_one_that_nobody_rounds_is_a_mistake():
    b = QdqBuilder()
    x = b.conv(b.input((1, 6, 4, 5)), 6)
    y = b.node("ConvTranspose", [x.name, b.weight(b.ints((6, 6, 3, 3)), 7)])
    with pytest.raises(ModelError, match="which no QuantizeLinear has rounded"):
        import_onnx(b.model(y))


def test_as_many_macs_as_pixels_times_taps():
    """The sum over the phases of pixels times taps is that of the input's pixels times the
    kernel, but for the borders."""
    b = QdqBuilder()
    x = b.input((1, 8, 10, 10))
    model = b.model(b.conv_transpose(x, 8, (4, 4), strides=[2, 2], pads=[1, 1, 1, 1]))
    convs = [op for op in operations(import_onnx(model)) if isinstance(op, Conv2dOp)]
    assert sum(math.prod(op.shape[1:3]) * op.window.taps for op in convs) == 10 * 10 * 4 * 4
