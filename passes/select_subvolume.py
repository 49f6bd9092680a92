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

Options set parts of it by hand, for all layers, as far as a layer goes; the rest is chosen
around them.  Needs --split-width and --split-cout.
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
from bsc.options import check_options, choice, count
from bsc.splitting import window_splittable
from bsc.tiling.channels import channel_granule, chunk_granule
from bsc.tiling.core import CorePlan
from bsc.tiling.from_ir import layer_shape
from bsc.tiling.layer import LayerShape
from bsc.tiling.search import Wanted, best_subvolume

_KINDS = [kind.value for kind in Stationary]


@dataclass(frozen=True)
class SelectSubvolumePass(ModulePass):
    """Choose the subvolume of every layer."""

    name = "select-subvolume"

    rows: int | None = count("rows of the output that a core computes in one iteration")
    width: int | None = count("pixels of a row that a core computes in one iteration")
    cout: int | None = count(
        "output channels that a core computes in one pass; a multiple of 8 and of the block"
    )
    cin: int | None = count(
        "input channels that a core holds at once; a multiple of 8 and of the block"
    )
    stationary: str | None = choice(
        None,
        "the operand that stays in the core while the other one streams past it; layers "
        "without weights, and those whose CIN comes in pieces, do not have the choice",
        _KINDS,
    )

    __post_init__ = check_options

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
        wanted = self._wanted(op, layer)
        best = best_subvolume(layer, arch, wanted)
        if best is not None:
            return best
        by_hand = ", ".join(f"{k} {v}" for k, v in wanted._asdict().items() if v is not None)
        if by_hand:
            fail(op, f"no subvolume with {by_hand} fits in a core of {_room(arch)}: give less")
        remedy = ": run --split-window first" if window_splittable(op) else ""
        fail(op, f"{_too_small(layer, arch)}{remedy}")

    def _wanted(self, op: ComputeOp, layer: LayerShape) -> Wanted:
        granules = (("cout", channel_granule(layer)), ("cin", chunk_granule(layer)))
        for name, granule in granules:
            if (value := getattr(self, name)) is not None and value % granule:
                fail(op, f"{name} must be a multiple of {granule}, not {value}")
        kind = None if self.stationary is None else Stationary(self.stationary)
        return Wanted(self.rows, self.width, self.cout, self.cin, kind)


def _room(arch: Arch) -> str:
    return f"{arch.core_data_bytes} bytes (and {arch.core_scratch_bytes} of accumulators)"


def _too_small(layer: LayerShape, arch: Arch) -> str:
    """What the smallest subvolume needs of a core that cannot hold it."""
    cout, cin = channel_granule(layer), chunk_granule(layer)
    sizes = CorePlan.of(layer, Subvolume(1, 1, cout, cin)).sizes
    parts = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return (
        f"one pixel of {cout} channels needs {sum(sizes.values())} bytes of a core ({parts}); "
        f"it has {_room(arch)}: no subvolume fits"
    )
