"""Names and order: each tensor is made once, and before it is read.

ONNX asks for nodes in such an order, but not every producer keeps to it.  Nothing here
recurses, so that the depth of a graph does not matter.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from bsc.frontend.graph import Node
from bsc.frontend.problems import Problems, quoted


def producers(
    nodes: list[Node], inputs: list[str], constants: Mapping[str, object], problems: Problems
) -> dict[str, int]:
    """The index of the node that makes each tensor, -1 for graph inputs; notes names that
    are used twice."""
    made: dict[str, int] = {}
    for name in inputs:
        if name in made:
            problems.add(f"graph input {quoted(name)} is listed twice")
        made[name] = -1
    for node in nodes:
        if node.op_type == "Constant":
            continue
        for name in filter(None, node.outputs):
            if name in made or name in constants:
                problems.add(defined_already(name), node)
            made.setdefault(name, node.index)
    return made


def defined_already(name: str) -> str:
    """The problem of a node that makes a tensor with a name that is taken."""
    return f"tensor {quoted(name)} is defined already: each tensor needs a name of its own"


def check_names(
    nodes: list[Node], outputs: tuple[str, ...], known: set[str], problems: Problems
) -> None:
    """Notes tensors that are read and never made."""
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                problems.add(
                    f"reads tensor {quoted(name)}, which is neither made by a node, nor an "
                    "initializer, nor a graph input",
                    node,
                )
    for name in outputs:
        if name not in known:
            problems.add(f"graph output {quoted(name)} is not made by any node")


def in_order(nodes: list[Node], made: Mapping[str, int], problems: Problems) -> list[Node]:
    """The nodes so that each comes after those it reads, in the file's order as far as
    possible.  Nodes on a cycle, and those that need them, are left out."""
    by_index = {node.index: node for node in nodes}
    readers: dict[int, list[int]] = {index: [] for index in by_index}
    waiting: dict[int, int] = {}
    for node in nodes:
        sources = {made.get(name, -1) for name in node.inputs} & by_index.keys()
        waiting[node.index] = len(sources)
        for source in sources:
            readers[source].append(node.index)
    ready = [index for index, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(by_index[index])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        done = {node.index for node in order}
        left = [by_index[index] for index in by_index if index not in done]
        problems.add(_cycle(left, made))
    return order


def _cycle(left: list[Node], made: Mapping[str, int]) -> str:
    """Names one cycle among nodes that all wait for another of them."""
    by_index = {node.index: node for node in left}
    path: dict[int, None] = {}
    index = left[0].index
    while index not in path:
        path[index] = None
        sources = (made.get(name, -1) for name in by_index[index].inputs)
        index = next(source for source in sources if source in by_index)
    indices = list(path)
    loop = indices[indices.index(index) :][::-1]
    names = [quoted(by_index[i].name) for i in (loop[-1], *loop)]
    shown = names if len(names) <= 6 else [*names[:3], "…", *names[-2:]]
    return f"the graph has a cycle: {' -> '.join(shown)}"
