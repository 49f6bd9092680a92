"""`cost.csv`: the layer table for spreadsheets; `docs/formats.md` has the columns."""

from __future__ import annotations

import csv
import io

from bsc.cost.network import LayerCost, NetworkCost
from bsc.report.record import SUMMED

SHARES = ("ddr", "weights", "load", "compute", "write")
"""What a layer's time goes to, as `cost.json` has it."""

COLUMNS = (
    "name",
    "op",
    "start_s",
    "duration_s",
    "bound",
    "density",
    *SUMMED,
    *(f"{share}_s" for share in SHARES),
)


def cost_table(cost: NetworkCost) -> str:
    """A row a layer, in the order of the program, under the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(layer) for layer in cost.layers)
    return text.getvalue()


def density(layer: LayerCost) -> float | None:
    """The share of the layer's blocks that are stored, as its MACs have it; None for a
    layer without weights."""
    return layer.macs / layer.macs_dense if layer.macs_dense else None


def _row(layer: LayerCost) -> list[object]:
    stored = density(layer)
    return [
        layer.name,
        layer.op,
        layer.start_s,
        layer.duration_s,
        layer.bound,
        "" if stored is None else stored,
        *(getattr(layer, name) for name in SUMMED),
        *(layer.shares.get(share, 0.0) for share in SHARES),
    ]
