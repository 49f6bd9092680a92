"""The layer table: where the time goes, what bounds it, and what sparsity saves."""

from __future__ import annotations

from rich.table import Table

from bsc.cost.network import LayerCost, NetworkCost
from bsc.report.record import total_of
from bsc.report.units import ratio, scaled, seconds

SUFFIX = "_QuantizeLinear_Output"
"""What onnxruntime's quantizer puts behind the name of a tensor; left out in tables."""

_COLUMNS = (
    "op",
    "us",
    "%",
    "bound",
    "MACs",
    "/dense",
    "weights B",
    "/dense",
    "DDR in B",
    "DDR out B",
)
_WORDS = ("op", "bound")


def short_name(name: str) -> str:
    """A tensor's name as tables show it."""
    return name.removesuffix(SUFFIX) or name


def layer_table(cost: NetworkCost) -> Table:
    """A row a layer, in the order of the program, and the totals.

    `/dense` compares with the same layer if all its blocks were stored.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    total = _cells(total_of(cost.layers), cost.total_s)
    table.add_column("layer", total[0], no_wrap=True)
    for title, sum_ in zip(_COLUMNS, total[1:], strict=True):
        side = "left" if title in _WORDS else "right"
        table.add_column(title, sum_, justify=side, no_wrap=True)
    for layer in cost.layers:
        table.add_row(*_cells(layer, cost.total_s))
    return table


def _cells(layer: LayerCost, total_s: float) -> tuple[str, ...]:
    share = 100 * layer.duration_s / total_s if total_s else 0.0
    weights = layer.weight_bytes_dense > 0
    return (
        short_name(layer.name),
        layer.op,
        f"{layer.duration_s * 1e6:,.1f}",
        f"{share:.1f}",
        layer.bound,
        scaled(layer.macs) if layer.macs else "",
        ratio(layer.macs, layer.macs_dense) if layer.macs else "",
        scaled(layer.weight_bytes) if weights else "",
        ratio(layer.weight_bytes, layer.weight_bytes_dense) if weights else "",
        scaled(layer.ddr_read_bytes) if layer.ddr_read_bytes else "",
        scaled(layer.ddr_write_bytes) if layer.ddr_write_bytes else "",
    )


def time_lines(cost: NetworkCost) -> list[str]:
    """The total time and how far it is from what the machine allows at best."""
    largest = max(cost.bounds, key=lambda name: cost.bounds[name])
    return [
        f"{seconds(cost.total_s)} with {cost.timing} timing",
        f"{seconds(cost.lower_bound_s)} lower bound ({largest}), "
        f"{cost.total_s / cost.lower_bound_s:.2f} times that",
    ]
