"""The windows of convolutions and pools: kernel, strides, dilations and padding.

ONNX has several ways to say how an input is padded (`pads`, `auto_pad`, `ceil_mode`); all
end up as the explicit padding of a `Window`, with which nothing is left to interpret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bsc.frontend.graph import Node
from bsc.frontend.problems import Refusal
from bsc.geometry import Axis, Window, ceil_div

_LARGEST = 2**16
"""Kernels, strides and padding beyond this are mistakes, not networks."""


Pads: TypeAlias = tuple[int, int, int, int]
"""Above, left, below and right, as ONNX has them."""

NO_PADS: Pads = (0, 0, 0, 0)


def window_of(
    node: Node, kernel: Sequence[int], rows: int, cols: int, more: Pads = NO_PADS
) -> Window:
    """The window of `node` with `kernel` = (KH, KW) over an input of rows x cols, which a Pad
    before the node has given `more` zeros around.

    Raises Refusal for lists of a wrong length or values that make no sense.
    """
    strides = listed(node, "strides", 1, (1, 1))
    dilations = listed(node, "dilations", 1, (1, 1))
    axes = [Axis(*values) for values in zip(kernel, strides, dilations, strict=True)]
    mode = node.word("auto_pad", "NOTSET")
    pads = listed(node, "pads", 0, (0, 0, 0, 0))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        sizes = (rows + more[0] + more[2], cols + more[1] + more[3])
        h, w = (_same(node, mode, axis, size) for axis, size in zip(axes, sizes, strict=True))
        pads = (h[0], w[0], h[1], w[1])
    elif mode not in ("NOTSET", "VALID"):
        raise Refusal(
            f"attribute auto_pad is {mode!r}: NOTSET, VALID, SAME_UPPER and SAME_LOWER are "
            "accepted"
        )
    if mode != "NOTSET" and any(node.numbers("pads") or ()):
        raise Refusal(f"has both auto_pad = {mode} and pads: one of them is accepted")
    pads = [a + b for a, b in zip(pads, more, strict=True)]
    return fitting(Window.of(kernel, strides, dilations, pads), rows, cols)


def kernel_of(node: Node) -> tuple[int, int]:
    """The attribute `kernel_shape` as (KH, KW)."""
    kernel = listed(node, "kernel_shape", 1, (0, 0))
    return kernel[0], kernel[1]


def listed(node: Node, key: str, least: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """An attribute with a number of at least `least` for each of `default`."""
    values = node.numbers(key)
    if values is None:
        return default
    if len(values) != len(default) or not least <= min(values) <= max(values) <= _LARGEST:
        raise Refusal(
            f"attribute {key} is {list(values)}: {len(default)} numbers of {least} to "
            f"{_LARGEST} are accepted (two dimensions)"
        )
    return values


def _same(node: Node, mode: str, axis: Axis, size: int) -> tuple[int, int]:
    """Padding before and after so that the output has ceil(size / stride) elements."""
    if axis.dilation > 1:
        raise Refusal(
            f"has auto_pad = {mode} with dilation {axis.dilation}, which runtimes do not "
            "agree on: give pads"
        )
    total = (ceil_div(size, axis.stride) - 1) * axis.stride + axis.reach - size
    if total < 0 and node.op_type != "Conv":
        # onnxruntime pads convolutions by 0 here, and pools by less than nothing.
        raise Refusal(
            f"has auto_pad = {mode} with stride {axis.stride} beyond kernel {axis.kernel}, "
            "which runtimes do not agree on: give pads"
        )
    total = max(total, 0)
    before = total // 2 if mode == "SAME_UPPER" else ceil_div(total, 2)
    return before, total - before


def fitting(window: Window, rows: int, cols: int) -> Window:
    """`window`.  Raises Refusal if it has no place in an input of rows x cols."""
    if window.h.out_size(rows) < 1 or window.w.out_size(cols) < 1:
        raise Refusal(
            f"the window of {window.h.reach} x {window.w.reach} is larger than the padded "
            f"input of {rows} x {cols}"
        )
    return window


def rounded_up(window: Window, rows: int, cols: int) -> Window:
    """The window of a pool with `ceil_mode`: padded after the input, so that a last window
    that hangs over counts too, unless it starts behind the padded input."""
    return Window(_rounded_up(window.h, rows), _rounded_up(window.w, cols))


def _rounded_up(axis: Axis, size: int) -> Axis:
    count = ceil_div(size + axis.pad_lo + axis.pad_hi - axis.reach, axis.stride) + 1
    if (count - 1) * axis.stride >= size + axis.pad_lo:
        count -= 1
    # Padding that no window reaches is left out, so that the same number of windows fits.
    pad_hi = max(0, (count - 1) * axis.stride + axis.reach - size - axis.pad_lo)
    return Axis(axis.kernel, axis.stride, axis.dilation, axis.pad_lo, pad_hi)


def check_reads_input(window: Window, rows: int, cols: int) -> None:
    """Raises Refusal if a window of a pool may lie in the padding alone."""
    for axis, size in ((window.h, rows), (window.w, cols)):
        last = (axis.out_size(size) - 1) * axis.stride - axis.pad_lo
        padded = axis.pad_lo or last + axis.reach > size
        if padded and (axis.pad_lo >= axis.reach or last >= size or size < axis.dilation):
            raise Refusal(
                f"pads by {axis.pad_lo} and {axis.pad_hi} around {size} elements, so that a "
                f"window of {axis.reach} may hold nothing but padding"
            )
