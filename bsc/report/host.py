"""Where the host takes over, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from bsc.frontend import NodeReport
from bsc.report.units import plural

_MOST_NAMES = 3


def host_lines(nodes: Sequence[NodeReport]) -> list[str]:
    """What runs on the array and what on the host, and why; nodes of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for node in nodes:
        if node.where == "host":
            by_reason.setdefault(node.reason, []).append(node.name)
    on_array = sum(node.where == "array" for node in nodes)
    lines = [f"{on_array} of {plural(len(nodes), 'ONNX node')} on the array"]
    for reason, names in by_reason.items():
        more = len(names) - _MOST_NAMES
        shown = ", ".join(name or "(unnamed)" for name in names[:_MOST_NAMES])
        rest = f" and {more} more" if more > 0 else ""
        lines.append(f"on the host: {shown}{rest}: {reason}")
    return lines
