"""
`--select-subvolume`: what each core computes at once.

The subvolume (section 4.2 of the paper) is the computation that a core does with what it
holds: `rows` x `width` pixels of the output, `cout` output channels, `cin` input channels,
with pings and pongs for what streams, and the operand that stays.  The fastest one that
fits is taken:

    %y = qnn.conv2d %x, %w {columns = …, rows = …} : …
    // bsc-opt --select-subvolume
    %y = qnn.conv2d %x, %w {columns = …, rows = …,
         subvolume = #dataflow.subvolume<rows 5, width 14, cout 16, cin 64, stationary weights>}

Options set parts of it by hand, for all layers, as far as a layer goes.  Needs --split-width and --split-cout.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.arch import Arch
from bsc.dialects.machine import arch_of
from bsc.dialects.network import Network, fail
from bsc.dialects.placement import Stationary, Subvolume, SubvolumeAttr
from bsc.dialects.qnn import ReshapeOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.tiling.core import CorePlan
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.layer import LayerShape
from bsc.tiling.search import best_subvolume


@dataclass(frozen=True)
class SelectSubvolumePass(ModulePass):
    """Choose the subvolume of every layer."""

    name = "select-subvolume"

    rows: int | None = None
    width: int | None = None
    cout: int | None = None
    cin: int | None = None
    stationary: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        network, arch = Network(op), arch_of(op)
        known: dict[object, Subvolume] = {}
        for layer in network.compute_ops():
            if isinstance(layer, ReshapeOp):
                continue
            if layer.columns is None or layer.rows is None:
                fail(
                    layer, "is not shared over the grid: run --split-width, --split-cout first"
                )
            shape = layer_shape(network, layer, arch)
            key = shape.kind()
            if key not in known:
                known[key] = self._choose(layer, shape, arch)
            layer.properties["subvolume"] = SubvolumeAttr(known[key])

    def _choose(self, op: ComputeOp, layer: LayerShape, arch: Arch) -> Subvolume:
        best = best_subvolume(layer, arch)
        if best is None:
            fail(
                op,
                f"not one pixel of eight channels fits in a core of {arch.core_data_bytes} "
                "bytes: run --split-width=factor=2 or --split-cin=factor=2 first",
            )
        by_hand = {
            name: value
            for name in ("rows", "width", "cout", "cin")
            if (value := getattr(self, name)) is not None
        }
        sub = best._replace(**by_hand)
        if self.stationary is not None:
            kinds = [kind.value for kind in Stationary]
            if self.stationary not in kinds:
                fail(op, f"stationary must be {' or '.join(kinds)}, not {self.stationary}")
            sub = sub._replace(stationary=Stationary(self.stationary))
        if sub != best and CorePlan.of(layer, sub).buffers(arch) is None:
            fail(op, f"{sub} does not fit in a core of {arch.core_data_bytes} bytes")
        return sub
