"""Functions of one number as tables of 256 integers.

Each element is computed exactly, with rational numbers, and rounded once, half to even.  A
parameter is the simplest fraction that is the same float32: 1/6, not the float32 next to it.

onnxruntime computes with float32, step by step, and its last bits could decide a rounding.  So
the same steps are taken in float32 as well; of Sigmoid and Tanh, which each library computes
in a way of its own, no element may be closer to the middle between two integers than such a
library may be wrong.  A table of which that does not hold is no table.

Sums, products and quotients that a model spells out (`bsc.frontend.arithmetic`) are what
float32 makes of them: IEEE 754 leaves no choice.
"""

from __future__ import annotations

import decimal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bsc.numerics import INT8_MAX, INT8_MIN

Floats: TypeAlias = npt.NDArray[np.float32]

_INPUTS = range(INT8_MIN, INT8_MAX + 1)
_SLACK = Fraction(1, 2**21)
"""How far libraries may be off with a function whose values lie in [-1, 1], but at 0."""
_FAR = 64
"""Beyond this, Sigmoid and Tanh are their limits to more digits than anybody has."""


class Ambiguous(Exception):
    """The last bits of float32 decide how the result for `input` is rounded."""

    def __init__(self, input: int):
        super().__init__(input)
        self.input = input


class Undefined(Exception):
    """A function has no finite value somewhere."""


class Curve(ABC):
    """A function: its exact value, and what a library that computes in float32 may have."""

    @property
    def certain(self) -> bool:
        """Whether float32 arithmetic has but one result, which then is the value."""
        return False

    @abstractmethod
    def exact(self, x: Fraction) -> Fraction:
        """The value at x."""

    def floats(self, x: Floats) -> Floats | None:
        """The values as float32 arithmetic has them, if its steps are known."""
        return None

    def slack(self, x: Fraction) -> Fraction:
        """How far off they may be if not."""
        return Fraction(0)

    def table(self, pos_in: int, pos_out: int) -> list[int]:
        """The element of index q + 128 is the function of q * 2^-pos_in, at `pos_out`.

        Raises Ambiguous if float32 arithmetic may have another one, Undefined if it has none.
        """
        if self.certain:
            return self._as_float32_has_it(pos_in, pos_out)
        unit, scale = Fraction(2) ** -pos_in, Fraction(2) ** pos_out
        table: list[int] = []
        for q in _INPUTS:
            value, slack = self.exact(q * unit), self.slack(q * unit)
            table.append(_rounded(value * scale))
            if _rounded((value - slack) * scale) != _rounded((value + slack) * scale):
                raise Ambiguous(q)
        if self.floats(np.zeros(1, np.float32)) is not None:
            others = self._as_float32_has_it(pos_in, pos_out)
            for q, element, other in zip(_INPUTS, table, others, strict=True):
                if element != other:
                    raise Ambiguous(q)
        return table

    def _as_float32_has_it(self, pos_in: int, pos_out: int) -> list[int]:
        floats = self.floats(np.ldexp(np.array(_INPUTS, np.float32), -pos_in))
        if floats is None or not np.isfinite(floats).all():
            raise Undefined
        scaled = np.rint(np.ldexp(floats.astype(np.float64), pos_out))
        return [int(n) for n in scaled.clip(INT8_MIN, INT8_MAX).tolist()]


def _rounded(value: Fraction) -> int:
    """Half to even, as Python rounds fractions, and saturated."""
    return min(max(round(value), INT8_MIN), INT8_MAX)


@cache
def meant(number: float) -> Fraction:
    """The simplest fraction that is the float32 `number`."""
    exact = Fraction(number)
    for digits in range(8):
        near = exact.limit_denominator(10**digits)
        if np.float32(float(near)) == np.float32(number):
            return near
    return exact


@dataclass(frozen=True)
class HardSigmoid(Curve):
    """alpha·x + beta, between 0 and 1."""

    alpha: float
    beta: float

    def exact(self, x: Fraction) -> Fraction:
        line = meant(self.alpha) * x + meant(self.beta)
        return min(max(line, Fraction(0)), Fraction(1))

    def floats(self, x: Floats) -> Floats:
        line: Floats = np.float32(self.alpha) * x + np.float32(self.beta)
        return line.clip(0, 1)


@dataclass(frozen=True)
class LeakyRelu(Curve):
    """x, and for negative x alpha·x: a single product, which float32 rounds in one way only."""

    alpha: float

    def exact(self, x: Fraction) -> Fraction:
        return x if x >= 0 else Fraction(float(np.float32(self.alpha) * np.float32(float(x))))

    def floats(self, x: Floats) -> Floats:
        return np.where(x >= 0, x, np.float32(self.alpha) * x)


@dataclass(frozen=True)
class Sigmoid(Curve):
    """1 / (1 + exp(-x))."""

    def exact(self, x: Fraction) -> Fraction:
        return _sigmoid(x)

    def slack(self, x: Fraction) -> Fraction:
        return _SLACK if x else Fraction(0)


@dataclass(frozen=True)
class Tanh(Curve):
    """The hyperbolic tangent, 2·sigmoid(2x) - 1."""

    def exact(self, x: Fraction) -> Fraction:
        return 2 * _sigmoid(2 * x) - 1

    def slack(self, x: Fraction) -> Fraction:
        return _SLACK if x else Fraction(0)


def _sigmoid(x: Fraction) -> Fraction:
    """To 50 digits."""
    near = min(max(x, Fraction(-_FAR)), Fraction(_FAR))
    with decimal.localcontext() as context:
        context.prec = 50
        power = (-decimal.Decimal(near.numerator) / near.denominator).exp()
        return Fraction(1 / (1 + power))
