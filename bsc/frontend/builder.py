"""Writes the module: one function `main`, its weights before it.

Operations are made in the order in which the QuantizeLinear nodes come, each with the
ONNX name of its result as location.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from bsc.dialects import bsw
from bsc.dialects.payload import PayloadAttr
from bsc.dialects.qnn_attributes import EpilogueAttr, HostAttr, tensor
from bsc.dialects.qnn_base import Shape
from bsc.frontend.graph import Dims
from bsc.frontend.problems import Refusal
from bsc.frontend.tensors import LARGEST_TENSOR, Array
from bsc.frontend.values import Exact, Input, Maker, Tensor
from bsc.frontend.views import NCHW, NHWC, View
from bsc.numerics import INT8_MAX, INT8_MIN, Requant

ZERO_POINTS = {"float32": 0, "int8": 0, "uint8": 128}
"""The types of graph inputs, and of quantized tensors, with their zero points."""


_LARGEST_DIM = 2**24


class Argument(NamedTuple):
    """What the host gives to the function: the part `inside` of the quantized ONNX tensor
    `tensor`, and how it lies."""

    tensor: str
    view: View
    inside: tuple[slice, ...]

    def value(self, tensors: Mapping[str, Array]) -> Array:
        """The argument, of the values of the quantized tensors."""
        return self.view.to_value(tensors[self.tensor][self.inside])


class Builder:
    """A module in the making.  `arguments` are those of its function."""

    def __init__(self, inputs: Sequence[str]):
        self._order = {name: i for i, name in enumerate(inputs)}
        self._block = Block()
        self.arguments: list[Argument] = []
        self._hosts: list[HostAttr] = []
        self._keys: list[int] = []
        self._weights: dict[object, bsw.WeightOp] = {}
        self._symbols: set[str] = {"main"}

    def argument(self, source: Input, name: str, pos: int, type: str) -> Tensor:
        """The tensor `name` that the host makes of a graph input, by quantizing it if it is
        float32; or the inside of that tensor, if there are zeros around it."""
        view, layout = laid_out(source)
        zero = ZERO_POINTS[source.type]
        host = HostAttr(source.name, source.type, layout, source.given, zero)
        index = bisect.bisect_right(self._keys, self._order[source.name])
        self._keys.insert(index, self._order[source.name])
        unnamed, named = UnknownLoc(), NameLoc(StringAttr(name), UnknownLoc())
        arg = self._block.insert_arg(
            tensor(view.shape, pos), index, unnamed if source.pads else named
        )
        sizes = zip(source.pads, view.dims, strict=False)
        inside = tuple(slice(before, before + n) for (before, _), n in sizes)
        self.arguments.insert(index, Argument(name, view, inside))
        arg.name_hint = _hint(source.name)
        self._hosts.insert(index, host)
        return Tensor(name, arg, view, real=False, type=type)

    def weight(
        self, key: object, name: str, values: Array, pos: int, bias: tuple[Array, int] | None
    ) -> SSAValue:
        """The weight (COUT, KH, KW, CIN) of the initializer `name`, with its int32 bias
        and that one's position, as a value.  The same `key` gives the same symbol."""
        if key not in self._weights:
            type = bsw.WeightType(values.shape, pos, None if bias is None else bias[1])
            data = None if bias is None else PayloadAttr.of(bias[0].astype(np.int32))
            op = bsw.WeightOp(self._symbol(name), type, PayloadAttr.of(values), data)
            op.location = NameLoc(StringAttr(name), UnknownLoc())
            self._weights[key] = op
        op = self._weights[key]
        get = bsw.GetOp(op.sym_name.data, op.type)
        get.result.name_hint = _hint(op.sym_name.data)
        self._block.add_op(get)
        return get.result

    def rounded(
        self, exact: Exact, name: str, pos: int, hint: str, type: str = "int8"
    ) -> Tensor:
        """`exact`, rounded to position `pos`, as the quantized tensor `name`."""
        bounds = (_bound(exact.lo, pos), _bound(exact.hi, pos))
        epilogue = None
        if bounds != (INT8_MIN, INT8_MAX):
            epilogue = EpilogueAttr((Requant(pos, *bounds),))
        return self.add(exact.make, epilogue, exact.view, name, pos, hint, type)

    def add(
        self,
        make: Maker,
        epilogue: EpilogueAttr | None,
        view: View,
        name: str,
        pos: int,
        hint: str,
        type: str = "int8",
    ) -> Tensor:
        """Add the operation that `make` makes, and that `view` is of.  Without a `name` it is
        no tensor of the model.

        Raises Refusal with the dialect's own words if it does not verify.
        """
        check_size(view.shape)
        try:
            op = make(tensor(view.shape, pos), epilogue)
            op.verify()
        except VerifyException as e:
            raise Refusal(str(e)) from None
        op.location = NameLoc(StringAttr(name), UnknownLoc()) if name else UnknownLoc()
        op.result.name_hint = _hint(hint)
        self._block.add_op(op)
        return Tensor(name, op.result, view, real=False, type=type)

    def finish(self, results: Sequence[Tensor]) -> ModuleOp:
        """The module, whose function returns `results`, which must lie as the host can read
        them."""
        values = [result.value for result in results]
        hosts = [
            HostAttr(r.name, r.type, layout_of(r.view) or "", r.dims, ZERO_POINTS[r.type])
            for r in results
        ]
        self._block.add_op(func.ReturnOp(*values))
        self._drop_unused()
        main = func.FuncOp(
            "main",
            (self._block.arg_types, [value.type for value in values]),
            Region(self._block),
            arg_attrs=_attributes(self._hosts),
            res_attrs=_attributes(hosts),
        )
        ops: list[Operation] = [*self._weights.values(), main]
        return ModuleOp(ops)

    def _drop_unused(self) -> None:
        """Leave out what the host computes itself: what is no tensor of the model, and nothing
        on the array reads; and the weights of that."""
        used: set[str] = set()
        for op in reversed(list(self._block.ops)):
            unnamed = isinstance(op.location, UnknownLoc)
            if unnamed and op.results and not any(result.uses for result in op.results):
                op.detach()
                op.erase()
            elif isinstance(op, bsw.GetOp):
                used.add(op.symbol.root_reference.data)
        self._weights = {k: w for k, w in self._weights.items() if w.sym_name.data in used}

    def _symbol(self, name: str) -> str:
        """A symbol that is not taken, after the ONNX name."""
        stem = re.sub(r"\W", "_", name, flags=re.ASCII)
        stem = stem if stem[:1].isalpha() else f"w_{stem}"
        symbol, count = stem, 1
        while symbol in self._symbols:
            symbol, count = f"{stem}_{count}", count + 1
        self._symbols.add(symbol)
        return symbol


def nhwc(dims: Dims) -> Shape:
    """The shape of the value that holds an ONNX tensor.  Raises Refusal if none can."""
    if len(dims) not in (2, 4):
        raise Refusal(f"has {len(dims)} dimensions {list(dims)}: NCHW or NC is accepted")
    if dims[0] != 1:
        raise Refusal(f"has a batch of {dims[0]} in {list(dims)}: 1 is accepted")
    check_size(dims)
    _, c, h, w = (*dims, 1, 1) if len(dims) == 2 else dims
    return (1, h, w, c)


def laid_out(source: Input) -> tuple[View, str]:
    """How a graph input is read once the host has laid it out, and the layout that it has
    there.  Raises Refusal if the host would have to do more than that."""
    dims = source.view.dims
    if not source.channels_last and source.view.same(View.flat(dims)):
        view = View.natural(nhwc(dims))
        reshaped = view.reshaped(dims)
        assert reshaped is not None
        return reshaped, "NCHW"
    if len(source.given) != 4:
        raise Refusal(f"has dimensions {list(source.given)}, transposed: 4 are accepted")
    nhwc(source.given)
    _, h, w, c = source.given
    return replace(source.view, shape=(1, h, w, c)), "NHWC"


def layout_of(view: View) -> str | None:
    """The layout in which the host finds the elements of a result in ONNX's order; None if
    there is none."""
    if math.prod(view.dims) == math.prod(view.shape):
        for layout, order in (("NCHW", NCHW), ("NHWC", NHWC)):
            read = View.natural(view.shape, order).reshaped(view.dims)
            if read is not None and read.same(view):
                return layout
    return None


def check_size(dims: Dims) -> None:
    """Raises Refusal for a tensor that is empty or beyond all reason."""
    if min(dims, default=1) < 1:
        raise Refusal(f"has dimensions {list(dims)}: all must be at least 1")
    if math.prod(dims) > LARGEST_TENSOR:
        raise Refusal(
            f"has {math.prod(dims)} elements in {list(dims)}: at most {LARGEST_TENSOR} "
            "are accepted"
        )
    if max(dims, default=1) > _LARGEST_DIM:
        raise Refusal(f"has dimensions {list(dims)}: each may be at most {_LARGEST_DIM}")


def _bound(value: float, pos: int) -> int:
    """A bound of a clip, as the int8 that it rounds to at position `pos`."""
    return round(min(max(value * math.ldexp(1, pos), INT8_MIN), INT8_MAX))


def _attributes(hosts: Sequence[HostAttr]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({"qnn.host": host}) for host in hosts])


def _hint(name: str) -> str:
    """A name for a value after an ONNX name.

    xDSL takes digits behind a last underscore for a number of its own and drops them,
    which would call `conv_1` and `conv_2` by one name: they become `conv.1` and `conv.2`.
    """
    clean = re.sub(r"[^\w.$-]", "_", name, flags=re.ASCII)
    clean = re.sub(r"_(\d+)$", r".\1", clean)
    return clean if re.match(r"[A-Za-z_]", clean) else f"t_{clean}"
