"""How an importer of an operator is written, and what it may ask for.

An importer is a function from a node and the values of its inputs to the value of its
first output.  It raises `Refusal` for what it cannot import; the walk over the graph
notes that and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from bsc.frontend.builder import Builder
from bsc.frontend.graph import Constant, Dims, Node
from bsc.frontend.problems import Refusal, quoted
from bsc.frontend.scales import Scales
from bsc.frontend.tensors import Array
from bsc.frontend.values import Exact, Input, Scaled, Tensor, Value
from bsc.frontend.views import View

Args: TypeAlias = Sequence[Value | None]
"""The inputs of a node; None for an optional one that is left out."""


@dataclass
class State:
    """What importers share.

    `inferred` gives the shapes that ONNX infers; it is asked only when something has been
    refused.  `quantized` has the shape of each quantized tensor by its name.

    By the index of the node: `reasons` say what became of it on the array, `tensors` is the
    quantized tensor that its operation yields, `bounds` the largest magnitude before the
    rounding.  `rounding` are the QuantizeLinear nodes that the array does, `entering` those
    that the host does.

    `hosted` says why a node is the host's (nothing: because of what it reads); those in
    `ending` need the array's results, and `returning` nodes need theirs on the array.
    `unrounded` are those that are the host's because no QuantizeLinear has rounded what they
    read, or because data would have to move, `tail` those whose results only the host reads,
    before any rounding, and `shared` those that give the same data another name for both.
    `refused` has the reason for each node that cannot be imported; `undecided` nodes read
    what was refused, which the text names.

    `exacts` have what each operation computes before its rounding, and `made` the tensors that
    no QuantizeLinear asks for: results that are whole without one, and data that had to move.
    """

    builder: Builder
    inferred: Callable[[], Mapping[str, Dims]]
    scales: Scales = field(default_factory=Scales)
    quantized: dict[str, View] = field(default_factory=dict[str, View])
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    tensors: dict[int, str] = field(default_factory=dict[int, str])
    bounds: dict[int, int] = field(default_factory=dict[int, int])
    rounding: set[int] = field(default_factory=set[int])
    entering: set[int] = field(default_factory=set[int])
    hosted: dict[int, str] = field(default_factory=dict[int, str])
    ending: set[int] = field(default_factory=set[int])
    returning: list[int] = field(default_factory=list[int])
    unrounded: dict[int, str] = field(default_factory=dict[int, str])
    tail: set[int] = field(default_factory=set[int])
    shared: set[int] = field(default_factory=set[int])
    undecided: dict[int, str] = field(default_factory=dict[int, str])
    refused: dict[int, str] = field(default_factory=dict[int, str])
    exacts: dict[int, Exact] = field(default_factory=dict[int, Exact])
    made: dict[object, Tensor] = field(default_factory=dict[object, Tensor])


Results: TypeAlias = Value | tuple[Value, ...]
"""What a node makes: its first output, or all of them."""

Importer: TypeAlias = Callable[[State, Node, Args], Results]

_T = TypeVar("_T", bound=Importer)

IMPORTERS: dict[str, Importer] = {}
"""The importer of each operator."""


def imports(*op_types: str) -> Callable[[_T], _T]:
    """Registers a function as the importer of the operators `op_types`."""

    def register(importer: _T) -> _T:
        for op_type in op_types:
            IMPORTERS[op_type] = importer
        return importer

    return register


def argument(args: Args, index: int) -> Value | None:
    """Input `index`, or None if the node does not have it."""
    return args[index] if index < len(args) else None


class Unrounded(Refusal):
    """A node reads `value`, which no QuantizeLinear has rounded."""

    def __init__(self, text: str, value: Exact):
        super().__init__(text)
        self.value = value


def activation(state: State, node: Node, args: Args, index: int = 0) -> Tensor:
    """Input `index` as a dequantized tensor.  Raises Refusal, saying what it is instead."""
    value = argument(args, index)
    if isinstance(value, Tensor) and value.real:
        return value
    if isinstance(value, Exact) and value.whole is not None:
        return whole(state, value, node.inputs[index])
    text = not_an_activation(value, index, node)
    raise Unrounded(text, value) if isinstance(value, Exact) else Refusal(text)


def whole(state: State, value: Exact, name: str) -> Tensor:
    """The ONNX tensor `name`, which is int8 without any rounding, as one of the array.

    The model has no quantized tensor there, so that it has no name among those.
    """
    if name not in state.made:
        assert value.whole is not None
        made = state.builder.rounded(value, "", value.whole, name)
        state.made[name] = replace(made, name=name, real=True)
        if value.bound:
            state.bounds[value.node.index] = value.bound
    return state.made[name]


def rounded(state: State, value: Exact, name: str, like: Tensor) -> Tensor:
    """`value` as the quantized tensor `name` of the model, with the position and type of
    `like`: what an operator makes that reads quantized tensors as they are."""
    made = state.builder.rounded(value, name, like.pos, name, like.type)
    state.rounding.add(value.node.index)
    state.tensors[value.node.index] = name
    state.quantized[name] = made.view
    return made


def not_an_activation(value: Value | None, index: int, node: Node) -> str:
    """What input `index` is instead of a dequantized tensor, and what would be accepted."""
    name = quoted(node.inputs[index]) if index < len(node.inputs) else str(index)
    match value:
        case Exact():
            return (
                f"reads {name}, the result of {value.node.subject} that no QuantizeLinear "
                "has rounded: a QuantizeLinear and a DequantizeLinear are expected between"
            )
        case Tensor():
            return f"reads the int8 tensor {name}: a DequantizeLinear is expected before"
        case Input():
            return (
                f"reads graph input {quoted(value.name)}, which is not quantized: a "
                "QuantizeLinear and a DequantizeLinear are expected before"
            )
        case None:
            return f"has no input {name}"
        case _:
            return f"reads the constant {name} where an activation is expected"


def weight(node: Node, args: Args, index: int, what: str) -> Scaled:
    """Input `index` as a dequantized constant.  Raises Refusal, saying what it is."""
    value = argument(args, index)
    if isinstance(value, Scaled):
        return value
    name = quoted(node.inputs[index]) if index < len(node.inputs) else str(index)
    accepted = "int32" if what == "bias" else "int8"
    if isinstance(value, Constant):
        raise Refusal(
            f"{what} {name} is {value.type}: an {accepted} initializer with a "
            "DequantizeLinear is expected"
        )
    raise Refusal(f"{what} {name} is not a constant: an {accepted} initializer is expected")


def constant(node: Node, args: Args, index: int, what: str) -> Array | None:
    """Input `index`, a constant that is not quantized, or None if it is left out.

    Raises Refusal for anything else.
    """
    value = argument(args, index)
    if value is None:
        return None
    if not isinstance(value, Constant) or value.array is None:
        raise Refusal(
            f"{what} {quoted(node.inputs[index])} is not known before the run: a constant is "
            "accepted"
        )
    return value.array
