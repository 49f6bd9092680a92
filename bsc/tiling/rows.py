"""Groups of rows: what a core computes in one iteration, and which groups form a stage.

Groups of equal shape become one *stage* of many iterations; those with padding above or
below stand alone, and give the head, body and tail of section 4.4 of the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bsc.geometry import Span
from bsc.tiling.layer import LayerShape


class StageShape(NamedTuple):
    """`iterations` that compute `rows` output rows each, from row `first` on.

    `spans` are the input rows that the first iteration reads of each source, `loaded` how
    many of them come into the core.
    """

    label: str
    iterations: int
    first: int
    rows: int
    spans: tuple[Span, ...]
    loaded: tuple[int, ...]


def split_rows(layer: LayerShape, rows: int) -> tuple[StageShape, ...]:
    """The stages for iterations of `rows` output rows."""
    out: list[StageShape] = []
    for first, count in _groups(layer, rows):
        spans = tuple(
            s.window.h.source(first, first + count, s.shape[0]) for s in layer.sources
        )
        previous = out[-1] if out else None
        if previous is not None and _continues(layer, previous, first, count, spans):
            out[-1] = previous._replace(iterations=previous.iterations + 1)
        else:
            loaded = tuple(
                count if source.skips_rows else span.size
                for source, span in zip(layer.sources, spans, strict=True)
            )
            out.append(StageShape(_label(spans[0]), 1, first, count, spans, loaded))
    return tuple(out)


def _groups(layer: LayerShape, rows: int) -> Iterator[tuple[int, int]]:
    """(first row, rows) of each iteration.

    The input buffer holds what `rows` output rows read.  Where padding stands in for
    input rows, the same buffer is enough for more output rows.
    """
    axis, size = layer.sources[0].window.h, layer.sources[0].shape[0]
    capacity = (rows - 1) * axis.stride + axis.reach
    most = rows if layer.sources[0].skips_rows else rows + axis.pad_lo + axis.pad_hi
    first, height = 0, layer.out[0]
    while first < height:
        count = min(rows, height - first)
        while (
            count < min(most, height - first)
            and axis.source(first, first + count + 1, size).size <= capacity
        ):
            count += 1
        yield first, count
        first += count


def _label(span: Span) -> str:
    """head, body or tail after the padding; `whole` if one iteration has both."""
    if span.pad_lo and span.pad_hi:
        return "whole"
    return "head" if span.pad_lo else "tail" if span.pad_hi else "body"


def _continues(
    layer: LayerShape, stage: StageShape, first: int, rows: int, spans: tuple[Span, ...]
) -> bool:
    """Whether a group of rows is one more iteration of `stage`."""
    if rows != stage.rows or first != stage.first + stage.iterations * rows:
        return False
    for source, before, now in zip(layer.sources, stage.spans, spans, strict=True):
        axis, moved = source.window.h, rows * stage.iterations
        if moved % axis.repeat:
            return False
        step = moved * axis.stride // axis.repeat
        if (now.size, now.pad_lo, now.pad_hi) != (before.size, before.pad_lo, before.pad_hi):
            return False
        if now.lo != before.lo + step:
            return False
    return True
