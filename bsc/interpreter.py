"""The reference interpreter: what a tensor-level module computes.

It runs the IR before and after any tensor-level pass, so that each pass can be validated
by value, and it is the middle link between onnxruntime and the simulator.  All arithmetic
is in `bsc.numerics`; values are numpy arrays in NHWC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from xdsl.dialects import tensor
from xdsl.dialects.builtin import ModuleOp, i32
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    impl,
    register_impls,
)
from xdsl.interpreters.func import FuncFunctions
from xdsl.ir import Operation
from xdsl.utils.exceptions import InterpretationError
from xdsl.utils.symbol_table import SymbolTable

from bsc import numerics
from bsc.dialects import bsw, dataflow, qnn
from bsc.dialects.qnn_attributes import position_of, shape_of
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import Box, box_of, tensor_name
from bsc.numerics import Int8, Int32, Ints, Requant


class Weight(NamedTuple):
    """A weight's value: (COUT, KH, KW, CIN) int8, and (COUT,) int32 or None."""

    values: Int8
    bias: Int32 | None


def run_module(module: ModuleOp, inputs: list[Int8], name: str = "main") -> list[Int8]:
    """Run the function `name` on NHWC int8 `inputs`; returns its results."""
    return list(_interpreter(module).call_op(name, tuple(inputs)))


def run_every_tensor(module: ModuleOp, inputs: list[Int8]) -> dict[str, Int8]:
    """Run `main` and return each tensor that has an ONNX name as its location."""
    recorder = _Recorder()
    interpreter = _interpreter(module)
    interpreter.listeners = (recorder,)
    interpreter.call_op("main", tuple(inputs))
    return recorder.tensors


def _interpreter(module: ModuleOp) -> Interpreter:
    interpreter = Interpreter(module)
    interpreter.register_implementations(FuncFunctions())
    interpreter.register_implementations(TensorSliceFunctions())
    interpreter.register_implementations(BswFunctions(module))
    interpreter.register_implementations(QnnFunctions())
    interpreter.register_implementations(MoveFunctions())
    return interpreter


class _Recorder(Interpreter.Listener):
    def __init__(self) -> None:
        self.tensors: dict[str, Int8] = {}

    def did_interpret_op(self, op: Operation, results: PythonValues) -> None:
        name = tensor_name(op.location)
        if name is not None and results and isinstance(results[0], np.ndarray):
            self.tensors[name] = results[0]


@register_impls
class TensorSliceFunctions(InterpreterFunctions):
    """Upstream's slices, on numpy arrays."""

    @impl(tensor.EmptyOp)
    def run_empty(
        self, interpreter: Interpreter, op: tensor.EmptyOp, args: PythonValues
    ) -> PythonValues:
        result = op.tensor.type
        dtype = np.int32 if result.element_type == i32 else np.int8
        # Not zeros: a slice that a pass forgot must show.
        return (np.full(shape_of(result), 85, dtype),)

    @impl(tensor.ExtractSliceOp)
    def run_extract(
        self, interpreter: Interpreter, op: tensor.ExtractSliceOp, args: PythonValues
    ) -> PythonValues:
        return (args[0][_index(op)],)

    @impl(tensor.InsertSliceOp)
    def run_insert(
        self, interpreter: Interpreter, op: tensor.InsertSliceOp, args: PythonValues
    ) -> PythonValues:
        result = args[1].copy()
        result[_index(op)] = args[0]
        return (result,)


def _index(op: tensor.ExtractSliceOp | tensor.InsertSliceOp) -> tuple[slice, ...]:
    return _part(box_of(op))


def _part(box: Box) -> tuple[slice, ...]:
    return tuple(map(slice, box.offsets, box.ends, box.strides))


@register_impls
class BswFunctions(InterpreterFunctions):
    """Weights: read once from their symbols."""

    def __init__(self, module: ModuleOp):
        self.symbols = SymbolTable(module)

    @impl(bsw.GetOp)
    def run_get(
        self, interpreter: Interpreter, op: bsw.GetOp, args: PythonValues
    ) -> PythonValues:
        weight = self.symbols.lookup(op.symbol.string_value())
        if not isinstance(weight, bsw.WeightOp):
            raise InterpretationError(f"{op.symbol} is not a weight")
        values, bias = weight.values()
        return (Weight(values, bias if weight.bias is not None else None),)

    @impl(bsw.SliceOp)
    def run_slice(
        self, interpreter: Interpreter, op: bsw.SliceOp, args: PythonValues
    ) -> PythonValues:
        source: Weight = args[0]
        part = tuple(slice(*bounds) for bounds in op.ranges)
        bias = source.bias[part[0]] if op.has_bias and source.bias is not None else None
        return (Weight(source.values[part], bias),)


@register_impls
class MoveFunctions(InterpreterFunctions):
    """Movements between memories change no values."""

    @impl(dataflow.ToMemtileOp)
    def run_to_memtile(
        self, interpreter: Interpreter, op: dataflow.ToMemtileOp, args: PythonValues
    ) -> PythonValues:
        return args

    @impl(dataflow.ToDdrOp)
    def run_to_ddr(
        self, interpreter: Interpreter, op: dataflow.ToDdrOp, args: PythonValues
    ) -> PythonValues:
        return args


@register_impls
class QnnFunctions(InterpreterFunctions):
    """The operations of `qnn`, each an exact value and its epilogue."""

    @impl(qnn.Conv2dOp)
    def run_conv2d(
        self, interpreter: Interpreter, op: qnn.Conv2dOp, args: PythonValues
    ) -> PythonValues:
        return (_weighted(op, args, op.group_count),)

    @impl(qnn.DenseOp)
    def run_dense(
        self, interpreter: Interpreter, op: qnn.DenseOp, args: PythonValues
    ) -> PythonValues:
        return (_weighted(op, args, 1),)

    @impl(qnn.AddOp)
    def run_add(
        self, interpreter: Interpreter, op: qnn.AddOp, args: PythonValues
    ) -> PythonValues:
        lhs, rhs = (position_of(v.type) for v in op.operands)
        return (_finish(op, *numerics.add(args[0], lhs, args[1], rhs)),)

    @impl(qnn.MulOp)
    def run_mul(
        self, interpreter: Interpreter, op: qnn.MulOp, args: PythonValues
    ) -> PythonValues:
        lhs, rhs = (position_of(v.type) for v in op.operands)
        return (_finish(op, *numerics.mul(args[0], lhs, args[1], rhs)),)

    @impl(qnn.MaxPoolOp)
    def run_max_pool(
        self, interpreter: Interpreter, op: qnn.MaxPoolOp, args: PythonValues
    ) -> PythonValues:
        best = numerics.max_pool(args[0], op.window)
        if op.partial is not None:
            best = np.maximum(best, args[1])
        return (_finish(op, best, position_of(op.input.type)),)

    @impl(qnn.AvgPoolOp)
    def run_avg_pool(
        self, interpreter: Interpreter, op: qnn.AvgPoolOp, args: PythonValues
    ) -> PythonValues:
        sums = numerics.sum_pool(args[0], op.window)
        if op.partial is not None:
            sums = sums + args[1]
        if op.yields_partial_sum:
            return (sums,)
        return (_average(op, args[0], sums, op.divisor),)

    @impl(qnn.GlobalAvgPoolOp)
    def run_global_avg_pool(
        self, interpreter: Interpreter, op: qnn.GlobalAvgPoolOp, args: PythonValues
    ) -> PythonValues:
        sums = numerics.sum_pool(args[0], op.window)
        return (_average(op, args[0], sums, op.window.taps),)

    @impl(qnn.RequantizeOp)
    def run_requantize(
        self, interpreter: Interpreter, op: qnn.RequantizeOp, args: PythonValues
    ) -> PythonValues:
        return (_finish(op, args[0], position_of(op.input.type)),)

    @impl(qnn.LookupOp)
    def run_lookup(
        self, interpreter: Interpreter, op: qnn.LookupOp, args: PythonValues
    ) -> PythonValues:
        values = numerics.lookup(args[0], np.array(op.entries, np.int8))
        return (_finish(op, values, op.table_pos.value.data),)

    @impl(qnn.ResizeOp)
    def run_resize(
        self, interpreter: Interpreter, op: qnn.ResizeOp, args: PythonValues
    ) -> PythonValues:
        h, w = op.window.h, op.window.w
        factor, phase = (h.repeat, w.repeat), (h.phase, w.phase)
        values = numerics.resize(args[0], factor, phase, op.shape[1], op.shape[2])
        return (_finish(op, values, position_of(op.input.type)),)

    @impl(qnn.ConcatOp)
    def run_concat(
        self, interpreter: Interpreter, op: qnn.ConcatOp, args: PythonValues
    ) -> PythonValues:
        parts = [
            _finish(op, arg, position_of(value.type))
            for arg, value in zip(args, op.inputs, strict=True)
        ]
        return (np.concatenate(parts, axis=3),)

    @impl(qnn.InterleaveOp)
    def run_interleave(
        self, interpreter: Interpreter, op: qnn.InterleaveOp, args: PythonValues
    ) -> PythonValues:
        out = np.empty(op.shape, np.int8)
        for arg, value, box in zip(args, op.inputs, op.boxes(), strict=True):
            out[_part(box)] = _finish(op, arg, position_of(value.type))
        return (out,)

    @impl(qnn.ReshapeOp)
    def run_reshape(
        self, interpreter: Interpreter, op: qnn.ReshapeOp, args: PythonValues
    ) -> PythonValues:
        return (args[0].reshape(op.shape),)


def _finish(op: ComputeOp, values: Ints, pos: int, residual: Ints | None = None) -> Ints:
    return numerics.apply_epilogue(values, pos, op.steps(), residual, op.mode)


def _weighted(op: qnn.WeightedOp, args: PythonValues, groups: int) -> Ints:
    by_name = _operands_by_name(op, args)
    weight: Weight = by_name["weight"]
    pos = position_of(op.input.type) + op.weight_type.pos.data
    acc: Ints = numerics.conv2d(by_name["input"], weight.values, op.window, groups)
    if weight.bias is not None:
        assert op.weight_type.bias_pos is not None
        acc, pos = numerics.add(acc, pos, weight.bias, op.weight_type.bias_pos)
    if op.partial is not None:
        acc, pos = numerics.add(acc, pos, by_name["partial"], position_of(op.partial.type))
    if op.yields_partial_sum:
        return (acc.astype(np.int64) << (op.pos - pos)).astype(np.int32)
    return _finish(op, acc, pos, by_name.get("residual"))


def _operands_by_name(op: qnn.WeightedOp, args: PythonValues) -> Mapping[str, Any]:
    present = [("input", op.input), ("weight", op.weight), ("partial", op.partial)]
    present.append(("residual", op.residual))
    names = [name for name, value in present if value is not None]
    return dict(zip(names, args, strict=True))


def _average(op: qnn.UnaryOp, x: Int8, sums: Int32, divisor: int | None) -> Ints:
    """The mean of sums over `divisor` elements each, or else over those under the window."""
    first, *rest = op.steps()
    assert isinstance(first, Requant)
    if divisor is not None:
        counts: Ints = np.full((1, 1, 1, 1), divisor, np.int64)
    else:
        counts = numerics.pool_counts(x.shape[1], x.shape[2], op.window, False)
    mean = numerics.average(sums, counts, position_of(op.input.type), first, op.mode)
    return numerics.apply_epilogue(mean, first.pos, tuple(rest), None, op.mode)
