"""Operators that the host runs, at the end of the graph only.

Their arithmetic is in floating point and cannot be exact on the array.  The host keeps the
ONNX model for them; the program ends with the int8 tensors that they start from.
"""

from __future__ import annotations

from bsc.frontend.graph import Constant, Node
from bsc.frontend.problems import Refusal
from bsc.frontend.registry import Args, State, activation, imports
from bsc.frontend.values import Hosted, Scaled, Tensor, Value


@imports("ArgMax", "ArgMin", "Cast", "LogSoftmax", "Sigmoid", "Softmax", "Tanh", "TopK")
def hosted(state: State, node: Node, args: Args) -> Value:
    """Whatever the host makes of tensors of the array."""
    sources: dict[str, Tensor] = {}
    for i, value in enumerate(args):
        if isinstance(value, Hosted):
            sources |= {source.name: source for source in value.sources}
        elif value is not None and not isinstance(value, Constant | Scaled):
            tensor = activation(node, args, i)
            sources[tensor.name] = tensor
    if not sources:
        raise Refusal("reads constants only")
    return Hosted(node, tuple(sources.values()))
