"""Ranges and sliding windows: which input a slice of the output needs.

Every split of the paper (W, H, COUT, CIN; section 4.2) cuts a range into pieces with
explicit boundaries, and asks which rows, columns or channels of the input a piece reads.
Boundaries rather than a factor make 56 over 4, 7 over 4 and 1 over 4 the same code: a
piece may be shorter than the others, or empty.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

CHANNEL_GRANULE = 8
"""Channels are stored in groups of eight, the width of one matrix operation."""


def ceil_div(a: int, b: int) -> int:
    """The quotient rounded up."""
    return -(-a // b)


def round_up(a: int, multiple: int) -> int:
    """The least multiple of `multiple` that is not below `a`."""
    return ceil_div(a, multiple) * multiple


def stored_channels(channels: int) -> int:
    """Channels as they are stored: rounded up to `CHANNEL_GRANULE` (3 become 8)."""
    return round_up(channels, CHANNEL_GRANULE)


def cut(size: int, parts: int, granule: int = 1) -> tuple[int, ...]:
    """Boundaries that cut `size` into `parts` pieces of equal length, but for the last ones.

    All inner boundaries are multiples of `granule`.  The pieces are as long as the
    longest must be, so that those of a tensor and of its downsampled successor line up:
    `cut(14, 4) == (0, 4, 8, 12, 14)` and `cut(7, 4) == (0, 2, 4, 6, 7)`.
    """
    step = ceil_div(ceil_div(size, granule), parts) * granule
    return tuple(min(i * step, size) for i in range(parts + 1))


def group_granule(outputs: int, inputs: int, granule: int) -> int:
    """Where a grouped convolution can be cut between groups of `outputs` made from `inputs`
    channels: at multiples of this the outputs are multiples of `granule`, and the inputs
    whole granules of their own tensor."""
    return outputs * math.lcm(
        granule // math.gcd(granule, outputs),
        CHANNEL_GRANULE // math.gcd(CHANNEL_GRANULE, inputs),
    )


def lengths(bounds: Sequence[int]) -> tuple[int, ...]:
    """The lengths of the pieces between consecutive boundaries."""
    return tuple(b - a for a, b in itertools.pairwise(bounds))


class Span(NamedTuple):
    """The part [lo, hi) of an axis that a slice reads, and the padding around it."""

    lo: int
    hi: int
    pad_lo: int
    pad_hi: int

    @property
    def size(self) -> int:
        """Elements really read, padding not counted."""
        return self.hi - self.lo


@dataclass(frozen=True)
class Axis:
    """A sliding window along one axis.

    With a stride of 0 all outputs read the same.  With `repeat` each element stands for so many
    outputs, of which the first element has lost `phase` to a piece before.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad_lo: int = 0
    pad_hi: int = 0
    repeat: int = 1
    phase: int = 0

    @property
    def reach(self) -> int:
        """Elements from the first to the last tap, both included."""
        return (self.kernel - 1) * self.dilation + 1

    def out_size(self, size: int) -> int:
        """Number of outputs over an input of `size` elements; 0 or less if none fits."""
        return (size + self.pad_lo + self.pad_hi - self.reach) // self.stride + 1

    def source(self, lo: int, hi: int, size: int) -> Span:
        """What the outputs [lo, hi) read of an input of `size` elements."""
        if lo >= hi:
            return Span(0, 0, 0, 0)
        if self.repeat > 1:
            lo, last = lo + self.phase, hi - 1 + self.phase
            return Span(lo // self.repeat, min(last // self.repeat + 1, size), 0, 0)
        first = lo * self.stride - self.pad_lo
        last = (hi - 1) * self.stride - self.pad_lo + self.reach
        a, b = min(max(first, 0), size), max(min(last, size), 0)
        b = max(a, b)
        # A window may lie wholly in the padding; then all of it counts as padding before.
        pad_lo = max(0, min(last, a) - first) if b > a else last - first
        pad_hi = max(0, last - b) if b > a else 0
        return Span(a, b, pad_lo, pad_hi)

    def taps(self, lo: int, hi: int, outputs: int, size: int) -> tuple[Axis, Span]:
        """The window of its taps [lo, hi), and the part of the input that these read for all
        `outputs`; the padding of the window is that around the part."""
        before = self.pad_lo - lo * self.dilation
        span = dataclasses.replace(self, kernel=hi - lo, pad_lo=before).source(0, outputs, size)
        axis = Axis(hi - lo, self.stride, self.dilation, span.pad_lo, span.pad_hi)
        return axis, span


@dataclass(frozen=True)
class Window:
    """A sliding window over rows (`h`) and columns (`w`)."""

    h: Axis = Axis()
    w: Axis = Axis()

    @staticmethod
    def of(
        kernel: Sequence[int],
        strides: Sequence[int] = (1, 1),
        dilations: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
    ) -> Window:
        """From the lists that ONNX uses: pads are (top, left, bottom, right)."""
        return Window(
            Axis(kernel[0], strides[0], dilations[0], pads[0], pads[2]),
            Axis(kernel[1], strides[1], dilations[1], pads[1], pads[3]),
        )

    @property
    def taps(self) -> int:
        """Kernel positions."""
        return self.h.kernel * self.w.kernel
