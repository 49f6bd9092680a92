"""What the host does: operators of ONNX that the array has no counterpart for.

The host keeps the ONNX model.  The program ends with int8 tensors, and what the model
makes of them afterwards is the host's.  So an operator that cannot be on the array is no
mistake by itself: it becomes one when a QuantizeLinear wants its result back on the array.

`why_not` is the one place that says why an operator is not on the array.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from bsc.frontend.graph import Graph, Node
from bsc.frontend.problems import Problems, Refusal
from bsc.frontend.registry import IMPORTERS, Args, State
from bsc.frontend.values import Exact, Hosted, Missing, Tensor, Unknown, Value
from bsc.frontend.views import NHWC

_FLOAT = """
    Acos Acosh Asin Asinh Atan Atanh Celu Cos Cosh Elu Erf Exp Gelu GroupNormalization
    HardSigmoid HardSwish InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax
    LpNormalization MeanVarianceNormalization Mish PRelu RMSNormalization Reciprocal Selu
    Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh
""".split()
"""Operators whose results are no integers times a power of two."""


RENAMING = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that compute nothing: they are where what they read is."""


def why_not(op_type: str) -> str:
    """Why the array has no operator `op_type`, in words that follow its name."""
    if op_type in _FLOAT:
        return "is floating-point arithmetic, which is not exact on the array"
    if op_type == "BatchNormalization":
        return "is not on the array unless it is folded into the convolution before it"
    return "has no counterpart on the array"


def on_array(state: State, node: Node, args: Args) -> list[Value | None] | None:
    """The inputs of an operator of the array, some of them Hosted, as they would be if those
    came back to the array; None if they do not, and the host runs this operator as well.

    They come back if they have been quantized again.  That is not possible, which is noted.
    """
    host = [arg for arg in args if isinstance(arg, Hosted)]
    if any(arg.back is None for arg in host):
        return None
    if node.op_type not in RENAMING:
        state.returning.append(node.index)
    found: list[Value | None] = []
    for arg in args:
        back = arg.back if isinstance(arg, Hosted) else arg
        if isinstance(back, Refusal):
            raise back
        if isinstance(back, Unknown):
            raise Missing(back)
        found.append(back)
    return found


def check_known(node: Node, opset: int) -> None:
    """Raises Refusal for an operator that neither the array nor any host has.

    These are the operators of other domains, and those that hold graphs of their own, whose
    tensors come from anywhere.
    """
    name = f"operator {node.op_type} is not supported"
    if is_fused(node.op_type):
        raise Refusal(
            f"{name}: give the model in QDQ form (quant_format=QDQ), with QuantizeLinear and "
            "DequantizeLinear around plain operators"
        )
    accepted = f"these are: {', '.join(sorted(IMPORTERS))}"
    if "." in node.op_type:
        raise Refusal(f"{name}, only operators of ONNX itself are; {accepted}")
    if not onnx.defs.has(node.op_type):
        raise Refusal(f"{name}, it is none of ONNX; {accepted}")
    try:
        onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError:
        raise Refusal(f"{name}, it is not in opset {opset}; {accepted}") from None
    if node.holds_graphs:
        raise Refusal(f"{name}: control flow is not, export the model without it")


def is_fused(op_type: str) -> bool:
    """Whether an operator belongs to the other form of quantized models, QOperator."""
    name = op_type.rpartition(".")[2]
    return name.startswith("QLinear") or name in ("QGemm", "ConvInteger", "MatMulInteger")


def hosted(state: State, node: Node, args: Args, why: str = "") -> Hosted:
    """The result of a node that the host runs.

    `why` is the reason of its own; without one it is there because of what it reads.
    """
    state.hosted[node.index] = why
    if any(_is_behind_array(state, arg) for arg in args):
        state.ending.add(node.index)
    return Hosted(node, has_channels_last(args))


def _is_behind_array(state: State, value: Value | None) -> bool:
    if isinstance(value, Hosted):
        return value.node.index in state.ending
    return isinstance(value, Tensor | Exact)


def has_channels_last(args: Args) -> bool:
    """Whether a node reads feature maps whose channels come last."""
    return any(
        arg.view.order() == NHWC if isinstance(arg, Tensor | Exact) else arg.channels_last
        for arg in args
        if isinstance(arg, Tensor | Exact | Hosted)
    )


def check_stays_on_host(graph: Graph, state: State, problems: Problems) -> None:
    """Note each node that cannot be on the array although a node there needs its result."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    by_index = {node.index: node for node in graph.nodes}
    seen: set[int] = set()
    for index in state.returning:
        needs = by_index[index]
        for node in _before(needs, makers, state.hosted, seen):
            if text := state.unrounded.get(node.index):
                problems.add(text, node, cut=True)
            elif why := state.hosted[node.index]:
                line = _returns(node, why, needs, node.index in state.ending)
                problems.add(line, node, cut=True)


def _returns(node: Node, why: str, needs: Node, ending: bool) -> str:
    where = (
        "the host does it at the end of the graph only"
        if ending
        else "the host does only what follows the array's results"
    )
    return (
        f"operator {node.op_type} is not supported here: it {why}; {where}, but "
        f"{needs.subject} needs its result on the array: --partition cuts the model there"
    )


def _before(
    needs: Node, makers: Mapping[str, Node], hosted: Mapping[int, str], seen: set[int]
) -> Iterable[Node]:
    """The nodes of the host that `needs` depends on, without those `seen` already."""
    stack = [needs]
    found: list[Node] = []
    while stack:
        for name in stack.pop().inputs:
            node = makers.get(name)
            if node is not None and node.index in hosted and node.index not in seen:
                seen.add(node.index)
                found.append(node)
                stack.append(node)
    return found
