"""
`--detect-block-sparsity`: read the mask Γ off the weights.

A block of b0 x KH x KW x b1 numbers that are all zero is left out (the paper, section 3):

    bsw.weight @c : !bsw.weight<16x1x1x16, pos 7> {data = …}
    // bsc-opt --detect-block-sparsity
    bsw.weight @c : … {block = array<i64: 8, 8>, gamma = #bsw.gamma<2x2, "09">,
                       format = "bitmap", density = 0.5, data = …}

Where leaving blocks out would not make the work less (blocks smaller than the matrix tile, a
weight without zero blocks), the weight is marked `format = "dense"` with blocks of 8x8, all of
them stored.  With `auto` each weight has the blocks of its own that pack it into the fewest
bytes, mask and bias counted: 8x8, 16x4, 4x16, 4x4 or 1x1.

Almost-zero blocks, in which no number is more than a 64th of the weight's largest, are never
dropped, as that would change results; `almost_zero` counts them.  Needs no other pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import (
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    f64,
    i64,
)
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.blocks import (
    DEFAULT_BLOCK,
    DEFAULT_SHAPE,
    VALUES,
    Block,
    find_blocks,
    is_block,
    parse_block,
)
from bsc.dialects.bsw import Gamma, GammaAttr, WeightOp
from bsc.dialects.machine import arch_of
from bsc.geometry import ceil_div
from bsc.options import check_options, option


@dataclass(frozen=True)
class DetectBlockSparsityPass(ModulePass):
    """Attach Γ and its density to every weight."""

    name = "detect-block-sparsity"

    block: str = option(
        DEFAULT_SHAPE, "the size of a block in output and input channels", VALUES, is_block
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        block, arch = parse_block(self.block), arch_of(op)
        for weight in op.ops:
            if isinstance(weight, WeightOp):
                _detect(weight, block, arch)


def _detect(weight: WeightOp, asked: Block | None, arch: Arch) -> None:
    values, _ = weight.values()
    found = find_blocks(values, asked, arch)
    block, bits = found.block, found.stored
    if not found.pays:
        cout, _, _, cin = weight.type.shape
        block = DEFAULT_BLOCK
        bits = np.ones((ceil_div(cout, block[0]), ceil_div(cin, block[1])), np.bool_)
    weight.properties["block"] = DenseArrayBase.from_list(i64, block)
    weight.properties["gamma"] = GammaAttr(Gamma(bits))
    weight.properties["format"] = StringAttr("bitmap" if found.pays else "dense")
    weight.properties["density"] = FloatAttr(round(found.density, 4), f64)
    weight.properties.pop("almost_zero", None)
    if found.almost_zero:
        weight.properties["almost_zero"] = IntegerAttr(found.almost_zero, i64)
