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
    possible.  Nodes on a cycle are left out, and each cycle is noted."""
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
    while waiting:
        if ready:
            done = [heapq.heappop(ready)]
            order.append(by_index[done[0]])
        else:
            done = _cycle(by_index, waiting, made)
            problems.add(_cycle_text([by_index[index] for index in done]))
        for index in done:
            del waiting[index]
        for reader in (reader for index in done for reader in readers[index]):
            if reader in waiting:
                waiting[reader] -= 1
                if not waiting[reader]:
                    heapq.heappush(ready, reader)
    return order


def _cycle(
    by_index: Mapping[int, Node], waiting: Mapping[int, int], made: Mapping[str, int]
) -> list[int]:
    """One cycle among nodes each of which waits for another of them."""
    path: dict[int, None] = {}
    index = next(iter(waiting))
    while index not in path:
        path[index] = None
        sources = (made.get(name, -1) for name in by_index[index].inputs)
        index = next(source for source in sources if source in waiting)
    indices = list(path)
    return indices[indices.index(index) :][::-1]


def _cycle_text(loop: list[Node]) -> str:
    names = [quoted(node.name) for node in (loop[-1], *loop)]
    shown = names if len(names) <= 6 else [*names[:3], "…", *names[-2:]]
    return f"the graph has a cycle: {' -> '.join(shown)}"
