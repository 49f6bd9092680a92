"""`cost.json`: the cost of a program for scripts; `docs/formats.md` has the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bsc.arch import Arch
from bsc.cost.network import LayerCost, NetworkCost
from bsc.frontend import NodeReport

VERSION = 1
"""Of the schema; it changes when a field changes its meaning or goes away."""


def cost_record(
    model: str,
    arch: Arch,
    timing: str,
    costs: Mapping[str, NetworkCost],
    nodes: Sequence[NodeReport] = (),
) -> dict[str, Any]:
    """The content of `cost.json`: times in seconds, sizes in bytes.

    The layers and totals are those of `timing`; `costs` has every timing.
    """
    cost = costs[timing]
    return {
        "version": VERSION,
        "model": model,
        "arch": arch.name,
        "timing": timing,
        "total_s": cost.total_s,
        "lower_bound_s": cost.lower_bound_s,
        "timings": {name: _timing_record(c) for name, c in costs.items()},
        "totals": sums(cost.layers),
        "host": [
            {"node": node.name, "op_type": node.op_type, "reason": node.reason}
            for node in nodes
            if node.where == "host"
        ],
        "layers": [_layer_record(layer) for layer in cost.layers],
    }


def _timing_record(cost: NetworkCost) -> dict[str, Any]:
    return {
        "total_s": cost.total_s,
        "lower_bound_s": cost.lower_bound_s,
        "lower_bounds_s": dict(cost.bounds),
    }


def _layer_record(layer: LayerCost) -> dict[str, Any]:
    return {
        "name": layer.name,
        "op": layer.op,
        "start_s": layer.start_s,
        "duration_s": layer.duration_s,
        "bound": layer.bound,
        **{name: getattr(layer, name) for name in SUMMED},
        "shares_s": dict(layer.shares),
    }


SUMMED = (
    "macs",
    "macs_dense",
    "weight_bytes",
    "weight_bytes_dense",
    "ddr_read_bytes",
    "ddr_write_bytes",
)
"""The figures of a layer that add up over the network."""


def sums(layers: Sequence[LayerCost]) -> dict[str, int]:
    """The figures of SUMMED over all layers."""
    return {name: sum(getattr(layer, name) for layer in layers) for name in SUMMED}


def total_of(layers: Sequence[LayerCost]) -> LayerCost:
    """All layers as one: the sums of their figures and times."""
    total = LayerCost("total", "", bound="")
    total.duration_s = sum(layer.duration_s for layer in layers)
    for name, value in sums(layers).items():
        setattr(total, name, value)
    return total
