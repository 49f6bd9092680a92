"""
`--balance-rows`: give each row of cores an even share of the stored blocks.

Rows of cores share COUT, and a stage takes as long as its fullest core.  Output channels are
computed, and lie in memory, in an order in which all rows have about as many blocks that are
not zero (`bsc.balance`); the weights of a layer, and of all that read its result, are in that
order too.  `qnn.order` says for each granule of eight channels in memory which one of the
model it is:

    bsw.weight @w : !bsw.weight<32x1x1x8, pos 7> {gamma = #bsw.gamma<4x1, "03">, …}
    %y = qnn.conv2d %x, %w {rows = #dataflow.spread<c [0, 16, 32]>} : …
    // bsc-opt --balance-rows
    bsw.weight @w : !bsw.weight<32x1x1x8, pos 7> {gamma = #bsw.gamma<4x1, "05">, …}
    %y = qnn.conv2d %x, %w {qnn.order = array<i64: 0, 3, 1, 2>, rows = …} : …

Inputs and outputs of the network keep their order, and so does what they are linked with
channel by channel, grouped convolutions, and what ends inside of a granule.  Run again
after --select-subvolume, the pass balances each pass over COUT and chunk of CIN.  Needs
--detect-block-sparsity and --split-cout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, i64
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from bsc.asm.program import IntArray
from bsc.balance.deal import orders
from bsc.balance.links import Axis, Links
from bsc.dialects.bsw import Gamma, GammaAttr, WeightOp
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, fail
from bsc.dialects.payload import PayloadAttr
from bsc.dialects.qnn import WeightedOp
from bsc.dialects.qnn_attributes import ORDER, order_of
from bsc.geometry import CHANNEL_GRANULE, ceil_div


@dataclass(frozen=True)
class BalanceRowsPass(ModulePass):
    """Order channels so that all rows of cores have about the same number of blocks."""

    name = "balance-rows"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network = Network(op)
        _check(network)
        links = Links(network, arch_of(op))
        granules: dict[Axis, IntArray] = {}
        for dealt in orders(links):
            for axis, lo, hi in dealt.group.parts:
                whole = granules.setdefault(axis, np.arange(links.size[axis]))
                whole[lo:hi] = lo + dealt.granules
                if axis[0] != "tensor":
                    _reorder_gamma(links.weights[axis[1]], axis[0], lo, dealt.granules)
        for number, storage in enumerate(links.by_number):
            found = granules.get(("tensor", str(number)))
            if found is not None:
                owner = storage.root.owner
                assert isinstance(owner, Operation)
                before = np.array(order_of(owner) or range(len(found)))
                order = before[found].tolist()
                owner.attributes.pop(ORDER, None)
                if order != sorted(order):
                    owner.attributes[ORDER] = DenseArrayBase.from_list(i64, order)
        for name, weight in links.weights.items():
            _reorder(weight, granules.get(("cout", name)), granules.get(("cin", name)))


def _check(network: Network) -> None:
    """Stop at what earlier passes have left undone."""
    for layer in network.compute_ops():
        if isinstance(layer, WeightedOp):
            if layer.rows is None:
                fail(layer, "is not shared over the rows: run --split-cout first")
            if network.weight(layer.weight).op.gamma is None:
                fail(layer, "has no mask: run --detect-block-sparsity first")


def _reorder_gamma(weight: WeightOp, kind: str, first: int, order: IntArray) -> None:
    """Put some granules of Γ, from `first` on, into another order."""
    assert weight.gamma is not None
    bits = weight.gamma.data.bits.copy()
    axis = 0 if kind == "cout" else 1
    size, channels = weight.block_shape[axis], weight.type.shape[0 if axis == 0 else 3]
    whole = np.arange(ceil_div(channels, CHANNEL_GRANULE))
    whole[first : first + len(order)] = first + order
    bits = bits.take(_expanded(whole, channels)[::size] // size, axis)
    weight.properties["gamma"] = GammaAttr(Gamma(bits))


def _reorder(weight: WeightOp, cout: IntArray | None, cin: IntArray | None) -> None:
    """Put the channels of a weight and its bias into other orders."""
    if cout is None and cin is None:
        return
    cout_size, _, _, cin_size = weight.type.shape
    orders: dict[int, IntArray] = {}
    if cin is not None:
        orders[3] = _expanded(cin, cin_size)
    if cout is not None:
        orders[0] = channels = _expanded(cout, cout_size)
        if weight.bias is not None:
            weight.properties["bias"] = PayloadAttr.of(weight.bias_values().take(channels))
    weight.properties["data"] = PayloadAttr(weight.payload.reordered(orders))


def _expanded(order: IntArray, channels: int) -> IntArray:
    """The channel that comes to each place."""
    assert len(order) == ceil_div(channels, CHANNEL_GRANULE)
    each = order[:, None] * CHANNEL_GRANULE + np.arange(CHANNEL_GRANULE)
    return each.reshape(-1)[:channels]
