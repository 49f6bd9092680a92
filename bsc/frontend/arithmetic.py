"""Functions of one number that a model spells out: x * clip(x + 3, 0, 6) / 6, and the like.

Each step is one of IEEE arithmetic, which has but one result in float32; so that has the whole
function, unless a library function is among its steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from bsc.frontend.curves import Curve, Floats, Undefined, meant

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
}
"""Of two fractions, or of two arrays of float32: what comes out is of the same kind."""

_SINGLE: Mapping[str, Callable[[Floats], Floats]] = {
    "Abs": np.abs,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
}

BINARY = tuple(_BINARY)
SINGLE = tuple(_SINGLE)
"""The operators of two operands, and of one."""

_ROUNDING = Fraction(1, 2**23)
"""How far off one step in float32 may be, for each unit of its value."""


def in_float32(curve: Curve, x: Fraction) -> Fraction:
    """The value of a function that is certain.  Raises Undefined if it is not finite."""
    floats = curve.floats(np.array([float(x)], np.float32))
    if floats is None or not np.isfinite(floats).all():
        raise Undefined
    return Fraction(float(floats[0]))


@dataclass(frozen=True)
class Itself(Curve):
    """x."""

    @property
    def certain(self) -> bool:
        return True

    def exact(self, x: Fraction) -> Fraction:
        return x

    def floats(self, x: Floats) -> Floats:
        return x


@dataclass(frozen=True)
class Number(Curve):
    """A constant, whatever x is."""

    number: float

    @property
    def certain(self) -> bool:
        return True

    def exact(self, x: Fraction) -> Fraction:
        return meant(self.number)

    def floats(self, x: Floats) -> Floats:
        return np.full_like(x, np.float32(self.number))


@dataclass(frozen=True)
class Arithmetic(Curve):
    """The sum, difference, product or quotient of two functions."""

    op_type: str
    left: Curve
    right: Curve

    @property
    def certain(self) -> bool:
        return self.left.certain and self.right.certain

    def exact(self, x: Fraction) -> Fraction:
        if self.certain:
            return in_float32(self, x)
        left, right = self.left.exact(x), self.right.exact(x)
        if self.op_type == "Div" and not right:
            raise Undefined
        return _BINARY[self.op_type](left, right)

    def floats(self, x: Floats) -> Floats | None:
        left, right = self.left.floats(x), self.right.floats(x)
        if left is None or right is None:
            return None
        with np.errstate(all="ignore"):
            return _BINARY[self.op_type](left, right)

    def slack(self, x: Fraction) -> Fraction:
        a, b = self.left.slack(x), self.right.slack(x)
        if not a and not b:
            return Fraction(0)
        left, right = abs(self.left.exact(x)), abs(self.right.exact(x))
        match self.op_type:
            case "Mul":
                off = left * b + right * a + a * b
            case "Div":
                if right <= b:
                    raise Undefined
                off = (a + left / right * b) / (right - b)
            case _:
                off = a + b
        return off + abs(self.exact(x)) * _ROUNDING


@dataclass(frozen=True)
class Single(Curve):
    """A step of one operand."""

    op_type: str
    curve: Curve
    """Which is certain."""

    @property
    def certain(self) -> bool:
        return True

    def exact(self, x: Fraction) -> Fraction:
        return in_float32(self, x)

    def floats(self, x: Floats) -> Floats | None:
        floats = self.curve.floats(x)
        with np.errstate(all="ignore"):
            return None if floats is None else _SINGLE[self.op_type](floats)


@dataclass(frozen=True)
class Clipped(Curve):
    """A function between two numbers."""

    curve: Curve
    lo: float
    hi: float

    @property
    def certain(self) -> bool:
        return self.curve.certain

    def exact(self, x: Fraction) -> Fraction:
        value = self.curve.exact(x)
        value = max(value, Fraction(self.lo)) if math.isfinite(self.lo) else value
        return min(value, Fraction(self.hi)) if math.isfinite(self.hi) else value

    def floats(self, x: Floats) -> Floats | None:
        floats = self.curve.floats(x)
        return None if floats is None else floats.clip(np.float32(self.lo), np.float32(self.hi))

    def slack(self, x: Fraction) -> Fraction:
        return self.curve.slack(x)


@dataclass(frozen=True)
class Composed(Curve):
    """A function of another one, which is certain."""

    outer: Curve
    inner: Curve

    @property
    def certain(self) -> bool:
        return self.outer.certain

    def exact(self, x: Fraction) -> Fraction:
        return self.outer.exact(in_float32(self.inner, x))

    def floats(self, x: Floats) -> Floats | None:
        inner = self.inner.floats(x)
        return None if inner is None else self.outer.floats(inner)

    def slack(self, x: Fraction) -> Fraction:
        return self.outer.slack(in_float32(self.inner, x))
