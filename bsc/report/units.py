"""Numbers as people read them."""

from __future__ import annotations


def seconds(value: float) -> str:
    """A time in the unit that gives it two to four digits before the point: `3,874.2 us`."""
    if value < 0.01:
        return f"{value * 1e6:,.1f} us"
    return f"{value * 1e3:,.1f} ms" if value < 1 else f"{value:,.1f} s"


def scaled(value: float) -> str:
    """A count with three digits: `1.93 G`, `25.6 M`, `812`."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor * 0.9995:
            number = value / factor
            digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
            return f"{number:.{digits}f}{unit}"
    return f"{value:.0f}"


def ratio(part: float, whole: float) -> str:
    """A part of a whole as `0.52`; a dash if there is no whole."""
    return f"{part / whole:.2f}" if whole else "–"


def plural(count: int, noun: str) -> str:
    """`1 tensor`, `2 tensors`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
