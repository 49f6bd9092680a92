"""
`--detect-block-sparsity`: read the mask Γ off the weights.

A block of b0 x KH x KW x b1 numbers that are all zero is left out (the paper, section 3):

    bsw.weight @c : !bsw.weight<16x1x1x16, pos 7> {data = …}
    // bsc-opt --detect-block-sparsity
    bsw.weight @c : … {block = array<i64: 8, 8>, gamma = #bsw.gamma<2x2, "09">,
                       format = "bitmap", density = 0.5, data = …}

Almost-zero blocks are never dropped.  Where leaving blocks out would not make the work
less (blocks smaller than the matrix tile, a weight without zero blocks), the weight is
marked `format = "dense"` with blocks of 8x8, all of them stored.  Needs no other pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, ModuleOp, StringAttr, f64, i64
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.cost.rates import matrix_cycles
from bsc.dialects.bsw import DEFAULT_BLOCK, Gamma, GammaAttr, WeightOp
from bsc.dialects.machine import arch_of
from bsc.numerics import nonzero_blocks
from bsc.options import check_options, option

_BLOCK = re.compile("[1-9][0-9]*x[1-9][0-9]*")


@dataclass(frozen=True)
class DetectBlockSparsityPass(ModulePass):
    """Attach Γ and its density to every weight."""

    name = "detect-block-sparsity"

    block: str = option(
        "8x8",
        "the size of a block in output and input channels",
        "COUTxCIN, two numbers of at least 1 as in 8x8 or 16x4",
        lambda text: _BLOCK.fullmatch(text) is not None,
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        b0, b1 = map(int, self.block.split("x"))
        block = (b0, b1)
        for weight in op.ops:
            if isinstance(weight, WeightOp):
                _detect(weight, block, arch_of(op))


def _detect(weight: WeightOp, block: tuple[int, int], arch: Arch) -> None:
    bits = stored_blocks(weight, block)
    dense = np.ones(_grid(weight, DEFAULT_BLOCK), np.bool_)
    skips = _work(bits, block, arch) < _work(dense, DEFAULT_BLOCK, arch)
    gamma = Gamma(bits if skips else dense)
    block = block if skips else DEFAULT_BLOCK
    weight.properties["block"] = DenseArrayBase.from_list(i64, block)
    weight.properties["gamma"] = GammaAttr(gamma)
    weight.properties["format"] = StringAttr("bitmap" if skips else "dense")
    weight.properties["density"] = FloatAttr(round(float(bits.mean()), 4), f64)


def _work(bits: np.typing.NDArray[np.bool_], block: tuple[int, int], arch: Arch) -> int:
    """Matrix operations for one pixel and tap."""
    return matrix_cycles(arch, 1, int(bits.sum()), block, 1)


def _grid(weight: WeightOp, block: tuple[int, int]) -> tuple[int, int]:
    cout, _, _, cin = weight.type.shape
    return -(-cout // block[0]), -(-cin // block[1])


def stored_blocks(weight: WeightOp, block: tuple[int, int]) -> np.typing.NDArray[np.bool_]:
    """Which blocks hold anything but zeros, over the grid of blocks."""
    values, _ = weight.values()
    return nonzero_blocks(values, block)
