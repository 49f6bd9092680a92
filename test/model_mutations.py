"""Model files with mistakes that nobody thought of: bytes changed, or fields of the message.

A mutation of bytes mostly breaks the encoding.  One of fields keeps it, so that what is wrong
is found later: a name, a number, a node more or less, two that have changed places.
"""

from __future__ import annotations

import random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

NUMBERS = (0, -1, 1, 2, 3, 7, 99, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1, -(2**63))
REALS = (0.0, 1.0, -1.0, 0.5, 1e-40, 3e38, float("inf"), float("nan"))
CONTENTS = (b"", bytes(4), b"\xff" * 7, b"x" * 100)
WORDS = """
    BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv DequantizeLinear Einsum
    Expand Flatten Gather Gemm Identity If Loop MatMul MaxPool NonZero Pad QuantizeLinear Range
    Relu Reshape Resize Scan SequenceEmpty Shape Slice Softmax Split Tile TopK Transpose
    Unsqueeze x_1 a ai.onnx com.microsoft é\n\x1b
""".split()

_INTEGERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
)
_REALS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """A model file with a few changes, drawn from `rng`."""
    if rng.random() < 0.35:
        return _bytes(rng, content)
    model = onnx.ModelProto.FromString(content)
    words = [*WORDS, "", *(name for node in model.graph.node for name in node.output)]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        message = rng.choice(_messages(model))
        fields = [field for field, _ in message.ListFields()]
        if not fields or rng.random() < 0.25:
            fields = list(message.DESCRIPTOR.fields)
        _change(rng, message, rng.choice(fields), words)
    return model.SerializeToString()


def _bytes(rng: random.Random, content: bytes) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, length = rng.randrange(len(found)), rng.randrange(1, 9)
        match rng.randrange(4):
            case 0:
                found[at] = rng.randrange(256)
            case 1:
                found[at] ^= 1 << rng.randrange(8)
            case 2:
                found[at:at] = rng.randbytes(length)
            case _:
                del found[at : at + length]
    return bytes(found)


def _messages(root: Any) -> list[Any]:
    """`root` and all messages in it."""
    found, stack = list[Any](), [root]
    while stack:
        message = stack.pop()
        found.append(message)
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack += value if field.is_repeated else [value]
    return found


def _change(rng: random.Random, message: Any, field: Any, words: list[str]) -> None:
    """Change one field, as far as its type lets it."""
    if field.is_repeated and field.message_type is not None:
        _change_list(rng, getattr(message, field.name))
    elif field.is_repeated:
        values, value = getattr(message, field.name), _value(rng, field, words)
        if len(values) and rng.random() < 0.8:
            at = rng.randrange(len(values))
            values[at:] = [value, *values[at + 1 :]] if rng.random() < 0.7 else values[at + 1 :]
        else:
            values.append(value)
    elif rng.random() < 0.3:
        message.ClearField(field.name)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _value(rng, field, words))


def _change_list(rng: random.Random, messages: Any) -> None:
    """One message less, twice, in the place of another, or an empty one more."""
    if not len(messages):
        messages.add()
        return
    one, other = rng.choice(messages), rng.choice(messages)
    match rng.randrange(4):
        case 0:
            del messages[rng.randrange(len(messages))]
        case 1:
            messages.append(one)
        case 2:
            copied = type(one)()
            copied.CopyFrom(one)
            one.CopyFrom(other)
            other.CopyFrom(copied)
        case _:
            messages.add()


def _value(rng: random.Random, field: Any, words: list[str]) -> Any:
    """A value of the type of a field, more often an odd one than not."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice(list(field.enum_type.values_by_number))
    if field.cpp_type in _INTEGERS:
        fits = [n for n in NUMBERS if _fits(field, n)]
        return rng.choice(fits) if rng.random() < 0.7 else rng.randrange(40)
    if field.cpp_type in _REALS:
        return rng.choice(REALS)
    return rng.choice(CONTENTS if field.type == FieldDescriptor.TYPE_BYTES else words)


def _fits(field: Any, number: int) -> bool:
    if field.cpp_type == FieldDescriptor.CPPTYPE_UINT64:
        return number >= 0
    return field.cpp_type == FieldDescriptor.CPPTYPE_INT64 or -(2**31) <= number < 2**31
