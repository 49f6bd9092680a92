"""Windows that a core cannot hold are cut: the values stay, and only what must be is cut."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import onnx
import pytest
from exactness import argument_names
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from qdq_models import QdqBuilder, random_input, windowed
from varied_networks import outcome_of

from bsc import oracle
from bsc.arch import Arch
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.placement import Subvolume
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.frontend import import_onnx
from bsc.geometry import Axis, cut
from bsc.interpreter import run_module
from bsc.pipelines import parse_specs, resolve, run_passes
from bsc.tiling.core import CorePlan
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.window import window_bounds, window_fits

KINDS = ("conv", "grouped", "depthwise", "dense", "max", "mean", "mean inside", "global")
seeds = st.integers(0, 2**32 - 1)


def layer(kind: str, seed: int, largest: int) -> onnx.ModelProto:
    """A layer with a window of up to `largest` rows and columns, on an image a little larger,
    which may be less than padding alone."""
    b = QdqBuilder(seed)
    draw = b.rng.integers
    kernel = int(draw(1, largest + 1)), int(draw(1, largest + 1))
    strides = int(draw(1, 4)), int(draw(1, 4))
    dilations = (int(draw(1, 7)), int(draw(1, 7))) if kind in KINDS[:3] else (1, 1)
    top, left, bottom, right = (int(draw(0, k)) for k in kernel * 2)
    pads = top, left, bottom, right
    reach = [(k - 1) * d + 1 + int(draw(0, 6)) for k, d in zip(kernel, dilations, strict=True)]
    height, width = (
        max(1, n - p) for n, p in zip(reach, (top + bottom, left + right), strict=True)
    )
    groups = {"depthwise": int(draw(1, 20)), "grouped": int(draw(2, 5))}.get(kind, 1)
    cin = groups * (1 if kind == "depthwise" else int(draw(1, 20)))
    x = b.input((1, cin, height, width))
    assert min(windowed(x.dims, kernel, strides, pads, dilations)) > 0
    bias = [np.int32, np.int8, None][int(draw(0, 3))]
    match kind:
        case "dense":
            y = b.gemm(b.flatten(x), int(draw(1, 20)))
        case "global":
            y = b.global_pool(x)
        case "max":
            y = b.pool("MaxPool", x, kernel, strides, pads)
        case "mean" | "mean inside":
            include = int(kind == "mean")
            y = b.pool("AveragePool", x, kernel, strides, pads, count_include_pad=include)
        case _:
            cout = groups * (1 if kind == "depthwise" else int(draw(1, 12)))
            y = b.conv(x, cout, kernel, strides, pads, dilations, groups, bias, "Relu")
    return b.model(y)


class Case:
    """A model of one layer for a machine, and what it computes."""

    def __init__(self, model: onnx.ModelProto, arch: Arch):
        imported = import_onnx(model)
        expected = oracle.quantized_tensors(model, random_input(model))
        self.inputs = [oracle.to_nhwc(expected[name]) for name in argument_names(imported)]
        self.module, self.arch = imported.module, arch
        self.module.attributes[ARCH] = ArchAttr(arch)
        self.results = run_module(self.module, self.inputs)

    def operations(self) -> list[ComputeOp]:
        """The operations as they are now."""
        return Network(self.module).compute_ops()

    def check(self, specs: str) -> None:
        """Run passes, and compare what the module computes."""
        run_passes(self.module, resolve(parse_specs(specs)))
        self.module.verify()
        for found, wanted in zip(
            run_module(self.module, self.inputs), self.results, strict=True
        ):
            np.testing.assert_array_equal(found, wanted, err_msg=specs)


def small(kilobytes: int) -> Arch:
    """A machine whose cores have so much memory for data."""
    return Arch("small", rows=2, cols=3, memtile_bytes=65536, core_data_bytes=kilobytes * 1024)


@settings(max_examples=80)
@given(st.sampled_from(KINDS), seeds, st.lists(st.integers(1, 6), min_size=1, max_size=3))
@example("conv", 290651, [4, 2])  # No column of taps reads anything, and none is cut off.
def test_any_pieces_of_any_window_keep_the_values(kind: str, seed: int, factors: list[int]):
    """Cut again and again; a piece has its share of the rows, or of the columns."""
    case = Case(layer(kind, seed, 9), small(48))
    (whole,) = case.operations()[-1:]
    rows, columns = whole.window.h.kernel, whole.window.w.kernel
    for factor in factors:
        case.check(f"split-window{{factor={factor}}}")
        if rows > 1:
            rows = -(-rows // factor)
        else:
            columns = -(-columns // factor)
    for op in case.operations():
        if reads_the_input(op):
            assert op.window.h.kernel <= rows
            assert op.window.w.kernel <= columns


def reads_the_input(op: ComputeOp) -> bool:
    """Whether any tap of any output reads more than padding."""
    (read,) = op.reads()[:1]
    return all(
        any(
            0 <= out * axis.stride - axis.pad_lo + tap * axis.dilation < size
            for out in range(outputs)
            for tap in range(axis.kernel)
        )
        for axis, outputs, size in zip(
            (op.window.h, op.window.w),
            op.shape[1:3],
            shape_of(read.value.type)[1:3],
            strict=True,
        )
    )


@settings(max_examples=60)
@example("conv", 1716, 3)  # The last piece adds to one sum, and not to two.
@given(st.sampled_from(KINDS), seeds, st.sampled_from([2, 3, 4, 6]))
def test_what_a_core_cannot_hold_is_cut_until_it_can(kind: str, seed: int, kilobytes: int):
    case = Case(layer(kind, seed, 11 if kind in KINDS[:3] else 30), small(kilobytes))
    layers = [layer_shape(Network(case.module), op, case.arch) for op in case.operations()]
    held = all(window_fits(layer, case.arch) for layer in layers)
    before = [op.window for op in case.operations()]
    case.check("split-window")
    network = Network(case.module)
    for op in network.compute_ops():
        assert window_fits(layer_shape(network, op, case.arch), case.arch)
    # Of all pieces but one there may be nothing left: they read only padding.
    assert held == ([op.window for op in case.operations()] == before)


@pytest.mark.parametrize(("groups", "cout", "cin"), [(2, 62, 6), (3, 4, 18), (2, 59, 7)])
def test_groups_that_cannot_be_cut_apart(groups: int, cout: int, cin: int):
    """One memtile takes the weights of all groups, with all of their input channels."""
    b = QdqBuilder(groups)
    x = b.input((1, groups * cin, 11, 15))
    model = b.model(b.conv(x, groups * cout, (11, 11), (4, 4), groups=groups))
    outcome = outcome_of(
        model, Arch("column", 8, 1, memtile_bytes=65536, core_data_bytes=12288)
    )
    assert outcome.kind == "ok", outcome.reason


@pytest.mark.parametrize("kind", KINDS)
def test_programs_of_windows_in_pieces(kind: str):
    """Down to the text, on cores of 16 KB and of 4 KB."""
    for seed in range(2):
        model = layer(kind, seed + KINDS.index(kind) * 10, 11 if kind in KINDS[:3] else 40)
        for kilobytes in (3, 12):
            outcome = outcome_of(model, small(kilobytes))
            assert outcome.kind == "ok", f"seed {seed}, {kilobytes} KB: {outcome.reason}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_fewest_pieces_are_taken(kind: str):
    """With less memory there are as many pieces or more, and no cut where none is needed."""
    network = Network(import_onnx(layer(kind, 3, 11 if kind in KINDS[:3] else 40)).module)
    (op,) = network.compute_ops()[-1:]
    found: list[int] = []
    for kilobytes in (48, 12, 6, 3, 2):
        arch = small(kilobytes)
        shape = layer_shape(network, op, arch)
        rows, columns = (len(set(bounds)) - 1 for bounds in window_bounds(shape, arch))
        assert (rows * columns == 1) == window_fits(shape, arch)
        # Columns are cut only where rows are single ones.
        assert columns == 1 or rows == op.window.h.kernel
        found.append(rows * columns)
    assert found == sorted(found)


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(0, 15),
    st.integers(1, 40),
    st.integers(1, 12),
)
def test_pieces_read_what_the_whole_reads(
    kernel: int, stride: int, dilation: int, before: int, size: int, parts: int
):
    """Each input that an output reads, once, and nothing else but padding."""
    axis = Axis(kernel, stride, dilation, before, 5)
    outputs = axis.out_size(size)
    assume(outputs > 0)
    wanted = _inside(axis, 0, outputs, size)
    found: list[tuple[int, int]] = []
    bounds = sorted(set(cut(kernel, parts)))
    for lo, hi in pairwise(bounds):
        piece, span = axis.taps(lo, hi, outputs, size)
        if span.size:
            assert piece.out_size(span.size) == outputs
            found += _inside(piece, span.lo, outputs, span.size)
    assert sorted(found) == sorted(wanted)


def _inside(axis: Axis, first: int, outputs: int, size: int) -> list[tuple[int, int]]:
    """(output, input) of all taps inside the image; inputs are counted from `first`."""
    taps = [
        (o, o * axis.stride + i * axis.dilation - axis.pad_lo)
        for o in range(outputs)
        for i in range(axis.kernel)
    ]
    return [(o, first + at) for o, at in taps if 0 <= at < size]


@pytest.mark.parametrize("size", [3, 5, 6, 7])
def test_a_core_that_holds_a_window_has_room_for_the_sum_that_it_adds_to(size: int):
    """The memory of a core is just what one pixel takes if CIN is not cut; the memtiles are so
    small that it is."""
    b = QdqBuilder(size)
    model = b.model(b.conv(b.input((1, 128, size, size)), 8, (size, size)))
    arch = Arch("exact", rows=1, cols=1, memtile_bytes=4096 + 64 * size * size)
    network = Network(import_onnx(model).module)
    (layer,) = (layer_shape(network, op, arch) for op in network.compute_ops())
    sizes = CorePlan.of(layer, Subvolume(1, 1, 8, 8)).sizes
    outcome = outcome_of(model, dataclasses.replace(arch, core_data_bytes=sum(sizes.values())))
    assert outcome.kind == "ok", outcome.reason
