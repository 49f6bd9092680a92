"""Functions of one number as tables of 256 integers.

Each element is computed exactly, with rational numbers, and rounded once, half to even.  A
parameter is the simplest fraction that is the same float32: 1/6, not the float32 next to it.

onnxruntime computes with float32, step by step, and its last bits could decide a rounding.  So
the same steps are taken in float32 as well; of Sigmoid and Tanh, which each library computes
in a way of its own, no element may be closer to the middle between two integers than such a
library may be wrong.  A table of which that does not hold is no table.
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


class Curve(ABC):
    """A function: its exact value, and what a library that computes in float32 may have."""

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

        Raises Ambiguous if float32 arithmetic may have another one.
        """
        unit, scale = Fraction(2) ** -pos_in, Fraction(2) ** pos_out
        table: list[int] = []
        for q in _INPUTS:
            value, slack = self.exact(q * unit), self.slack(q * unit)
            table.append(_rounded(value * scale))
            if _rounded((value - slack) * scale) != _rounded((value + slack) * scale):
                raise Ambiguous(q)
        floats = self.floats(np.ldexp(np.array(_INPUTS, np.float32), -pos_in))
        if floats is not None:
            integers = np.rint(np.ldexp(floats, pos_out)).clip(INT8_MIN, INT8_MAX)
            for q, element, other in zip(_INPUTS, table, integers.tolist(), strict=True):
                if element != other:
                    raise Ambiguous(q)
        return table


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


@dataclass(frozen=True)
class Times(Curve):
    """A function times a constant."""

    curve: Curve
    factor: float

    def exact(self, x: Fraction) -> Fraction:
        return self.curve.exact(x) * meant(self.factor)

    def floats(self, x: Floats) -> Floats | None:
        floats = self.curve.floats(x)
        return None if floats is None else floats * np.float32(self.factor)

    def slack(self, x: Fraction) -> Fraction:
        return self.curve.slack(x) * abs(meant(self.factor))


@dataclass(frozen=True)
class TimesInput(Curve):
    """A function times what it is a function of: HardSwish, of HardSigmoid."""

    curve: Curve

    def exact(self, x: Fraction) -> Fraction:
        return self.curve.exact(x) * x

    def floats(self, x: Floats) -> Floats | None:
        floats = self.curve.floats(x)
        return None if floats is None else floats * x

    def slack(self, x: Fraction) -> Fraction:
        return self.curve.slack(x) * abs(x)
