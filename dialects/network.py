"""
Finding one's way in a module: the network's function, its operations and weights.

What a pass needs and does not find is an error that says which pass makes it.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn, cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.dialects.tensor import InsertSliceOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException, VerifyException
from xdsl.utils.symbol_table import SymbolTable

from bsc.dialects.bsw import GetOp, Range, Ranges, SliceOp, WeightOp, WeightType
from bsc.dialects.dataflow import ToMemtileOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import SLICE_OPS, name_of, verify_slice
from bsc.numerics import Int8, Int32


def fail(op: Operation | SSAValue, message: str) -> NoReturn:
    """Stop a pass with a one-line message that names the operation."""
    raise PassFailedException(f"{name_of(op)}: {message}")


class Network:
    """The function `main` of a module whose operations are still on tensors.

    Raises PassFailedException if there is none, and for slices that upstream's verifier
    lets through.
    """

    def __init__(self, module: ModuleOp):
        self.module = module
        self.symbols = SymbolTable(module)
        main = self.symbols.lookup("main")
        if not isinstance(main, FuncOp):
            raise PassFailedException(
                "there is no func.func @main: this pass takes a qnn network, before "
                "--lower-to-dataflow"
            )
        if len(main.body.blocks) != 1:
            count = len(main.body.blocks)
            raise PassFailedException(
                f"func.func @main has {count} blocks: a network is one, without branches"
            )
        self.main = main
        self.starts: dict[InsertSliceOp, Operation] = {}
        """Where chains of inserts start, as far as they were followed; for passes that leave
        these alone."""
        for op in self.block.ops:
            if isinstance(op, SLICE_OPS):
                try:
                    verify_slice(op)
                except VerifyException as e:
                    fail(op, str(e))

    @property
    def block(self) -> Block:
        """The body of the function."""
        return self.main.body.block

    def compute_ops(self) -> list[ComputeOp]:
        """The operations of `qnn`, in order."""
        return [op for op in self.block.ops if isinstance(op, ComputeOp)]

    def start_of(self, insert: InsertSliceOp) -> Operation:
        """What makes the tensor that a chain of inserts begins with."""
        links: list[InsertSliceOp] = []
        owner: Operation = insert
        while isinstance(owner, InsertSliceOp):
            if owner in self.starts:
                owner = self.starts[owner]
                break
            links.append(owner)
            before = owner.dest.owner
            assert isinstance(before, Operation)
            owner = before
        self.starts |= dict.fromkeys(links, owner)
        return owner

    def weight(self, value: SSAValue) -> Weight:
        """What a weight operand stands for."""
        used = cast(WeightType, value.type)
        slices: list[Ranges] = []
        while isinstance(owner := value.owner, SliceOp | ToMemtileOp):
            if isinstance(owner, SliceOp):
                slices.append(owner.ranges)
            value = owner.source
        if not isinstance(value.owner, GetOp):
            fail(value, "a weight comes from bsw.get or bsw.slice")
        name = value.owner.symbol.string_value()
        op = self.symbols.lookup(name)
        if not isinstance(op, WeightOp):
            fail(value.owner, f"@{name} is not a bsw.weight")
        if value.type != op.type:
            fail(value.owner, f"@{name} has type {op.type}, not {value.type}")
        first = [sum(ranges[dim][0] for ranges in slices) for dim in range(4)]
        cout, kh, kw, cin = (
            (lo, lo + size) for lo, size in zip(first, used.shape, strict=True)
        )
        return Weight(op, cout, cin, kh, kw, used.bias_pos is not None)


class Weight(NamedTuple):
    """A part of a weight: output channels [cout) and input channels [cin) of `op`, rows [kh)
    and columns [kw) of the window, and whether the bias goes with it."""

    op: WeightOp
    cout: Range
    cin: Range
    kh: Range
    kw: Range
    has_bias: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(COUT, KH, KW, CIN)."""
        cout, kh, kw, cin = (hi - lo for lo, hi in (self.cout, self.kh, self.kw, self.cin))
        return cout, kh, kw, cin

    def bias(self) -> Int32:
        """The bias (COUT,), zeros without one."""
        bias = self.op.bias_values()
        return (bias if self.has_bias else np.zeros_like(bias))[slice(*self.cout)]

    def channels(self, lo: int, hi: int) -> Int8:
        """The numbers (COUT, KH, KW, CIN) of the output channels [lo, hi) of the part."""
        first, end = self.cout
        whole = self.op.payload.rows(first + lo, min(first + hi, end))
        return whole[:, slice(*self.kh), slice(*self.kw), slice(*self.cin)]

    def gamma(self) -> np.typing.NDArray[np.bool_] | None:
        """Γ of the part, or None before `--detect-block-sparsity`."""
        if self.op.gamma is None:
            return None
        (b0, b1), (o0, o1), (i0, i1) = self.op.block_shape, self.cout, self.cin
        return self.op.gamma.data.bits[o0 // b0 : -(-o1 // b0), i0 // b1 : -(-i1 // b1)]
