"""Which graph inputs have their channels last.

Keras has N, H, W, C, and its exporters transpose before the first convolution.  The host can
lay an input out either way, so that it does what the transpose says: but it has to be known
when the input is read, which may be before the transpose.
"""

from __future__ import annotations

from bsc.frontend.graph import Graph, Node

_TO_CHANNELS_FIRST = (0, 3, 1, 2)

_KEEPING = frozenset(
    "Add Cast Clip Concat DequantizeLinear Identity Mul Pad QuantizeLinear Relu Sub".split()
)
"""Operators after which each axis is still what it was."""


def channels_last(graph: Graph) -> set[str]:
    """The inputs that are transposed to N, C, H, W before anything asks where the channels
    are."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    found: set[str] = set()
    for declared in graph.inputs:
        names, seen = [declared.name], {declared.name}
        while names:
            for node in readers.get(names.pop(), ()):
                if node.op_type == "Transpose":
                    if node.attributes.get("perm") == list(_TO_CHANNELS_FIRST):
                        found.add(declared.name)
                elif node.op_type in _KEEPING:
                    fresh = [name for name in node.outputs if name not in seen]
                    seen.update(fresh)
                    names += fresh
    return found
