"""Sparse initializers and sparse values of Constants: the same model as its dense twin."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from exactness import assert_exact
from onnx import helper, numpy_helper
from qdq_models import Array, QdqBuilder, random_network

from bsc import check, explain
from bsc import compile as compile_model
from bsc.frontend import import_onnx
from bsc.frontend.problems import Refusal
from bsc.frontend.sparse import LARGEST_RATIO, dense_array
from bsc.frontend.tensors import ExternalFiles


def sparse_tensor(array: Array, name: str, in_rows: bool) -> onnx.SparseTensorProto:
    """`array` as ONNX stores sparse ones; `in_rows` has an index for each dimension."""
    indices = np.argwhere(array) if in_rows else np.flatnonzero(array)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(array[array != 0], name),
        numpy_helper.from_array(indices.astype(np.int64), "indices"),
        array.shape,
    )


def twins(model: onnx.ModelProto, seed: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The model with many of its integers zero, dense, and with sparse constants."""
    rng = np.random.default_rng(seed)
    dense, sparse = onnx.ModelProto(), onnx.ModelProto()
    dense.CopyFrom(model)
    sparse.CopyFrom(model)
    del sparse.graph.initializer[:]
    for tensor in dense.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if not array.ndim or array.dtype.kind == "f":
            sparse.graph.initializer.append(tensor)
            continue
        array = array * (rng.random(array.shape) < rng.random())
        array = array.astype(numpy_helper.to_array(tensor).dtype)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        made = sparse_tensor(array, tensor.name, bool(rng.integers(2)))
        if rng.random() < 0.5:
            sparse.graph.sparse_initializer.append(made)
        else:
            node = helper.make_node("Constant", [], [tensor.name], sparse_value=made)
            sparse.graph.node.insert(0, node)
    return dense, sparse


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_agree_with_their_dense_twins(seed: int):
    """onnxruntime runs the sparse file itself; the module is that of the dense one."""
    dense, sparse = twins(random_network(seed), seed)
    imported = assert_exact(sparse)
    assert str(imported.module) == str(import_onnx(dense).module)


@pytest.mark.parametrize("seed", range(4))
def test_a_sparse_file_compiles_and_agrees(seed: int):
    _, sparse = twins(random_network(seed + 50, 3), seed)
    assert check(sparse, compile_model(sparse, "paper-2x2"), every_tensor=True).ok


@pytest.mark.parametrize("seed", range(20))
def test_random_tensors(seed: int):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, rng.integers(1, 5)))
    dtype = np.dtype(str(rng.choice(["i1", "u1", "i4", "i8", "f4"])))
    kept = rng.random(shape) < rng.random()
    array: Array = (rng.integers(0, 100, shape) * kept).astype(dtype)
    for in_rows in (False, True):
        found = dense_array(sparse_tensor(array, "w", in_rows), ExternalFiles(None))
        assert found is not None
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, array)


def test_as_much_as_the_file_justifies():
    """One number in a thousand is plausible, a large tensor of nothing is not."""
    size = 1_000_000
    array = np.zeros(size, np.int8)
    array[::1000] = 1
    found = dense_array(sparse_tensor(array, "w", False), ExternalFiles(None))
    np.testing.assert_array_equal(found, array)
    empty = sparse_tensor(np.zeros(1, np.int8), "w", False)
    del empty.dims[:]
    for rank in range(1, 5):
        empty.dims.append(LARGEST_RATIO)
        large = LARGEST_RATIO ** (rank - 1) > empty.ByteSize()
        if not large:
            assert dense_array(empty, ExternalFiles(None)) is not None
            continue
        with pytest.raises(Refusal, match=r"at most 1024 times what the file has of it"):
            dense_array(empty, ExternalFiles(None))


def test_shapes_are_inferred_behind_what_is_refused():
    """ONNX's inference cannot read sparse tensors: it is given none."""
    b = QdqBuilder(3)
    x = b.conv(b.input((1, 4, 8, 8)), 8, (3, 3))
    model = b.model(b.conv(b.unary("Softplus", x), 8, (3, 3)))
    dense, sparse = twins(model, 1)
    expected = {node.report.name: node.dims for node in explain(dense).nodes}
    found = {node.report.name: node.dims for node in explain(sparse).nodes}
    assert None not in expected.values()
    assert {name: found[name] for name in expected} == expected
