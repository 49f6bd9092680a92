"""Draws the paper's Figures 3 and 4 from programs that run: docs/figure3.svg.

One convolution of ResNet-50 with padding, 3 x 3 on 56 x 56 x 64 (res2a_branch2b), dense and
with half of its blocks zero, compiled by itself for 4 x 4 cores, so that its input comes from
DDR and its result goes there.  The times are those of an event simulation of the text.

    python benchmarks/figure3.py [docs/figure3.svg]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from qdq_models import QdqBuilder

import bsc
from bsc.asm.parser import parse_program
from bsc.asm.program import Instr, Program, Stage
from bsc.sim.timeline import Times, run_timeline
from bsc.view.content import LANES

TARGET = Path(__file__).resolve().parents[1] / "docs" / "figure3.svg"
BLOCK = 8
CHANNELS = 64
WIDTH, LEFT, ROW, GAP = 980, 84, 5, 8
COLOURS = ("#5b8fc7", "#d08a3e", "#4aa08c", "#b98a2f", "#b5526b", "#7d6bb8", "#69788a")


@dataclass(frozen=True)
class Run:
    """A compiled convolution, and when everything happens."""

    title: str
    compiled: bsc.Compiled
    program: Program
    times: Times


def convolution(sparsity: float) -> onnx.ModelProto:
    """The convolution by itself, with a share of its 8 x 8 blocks zero."""
    b = QdqBuilder(0)
    x = b.input((1, CHANNELS, 56, 56))
    y = b.conv(x, CHANNELS, (3, 3), pads=(1, 1, 1, 1), activation="Relu")
    shape = [CHANNELS, CHANNELS, 3, 3]
    (name,) = (n for n, t in b.initializers.items() if list(t.dims) == shape)
    weight = onnx.numpy_helper.to_array(b.initializers[name]).copy()
    blocks = CHANNELS // BLOCK
    order = np.random.default_rng(0).permutation(blocks**2)
    for n in order[: round(sparsity * blocks**2)].tolist():
        row, column = (BLOCK * i for i in divmod(n, blocks))
        weight[row : row + BLOCK, column : column + BLOCK] = 0
    b.initializers[name].CopyFrom(onnx.numpy_helper.from_array(weight, name))
    return b.model(y, name="convolution")


def run(title: str, sparsity: float) -> Run:
    """Compile and simulate it, and compare its values with onnxruntime's."""
    model = convolution(sparsity)
    compiled = bsc.compile(model, "paper-4x4")
    assert bsc.check(model, compiled).ok
    program = parse_program(compiled.program)
    return Run(title, compiled, program, run_timeline(program))


def stages(done: Run) -> Iterator[tuple[str, float, float]]:
    """The label of each stage that computes, and from when to when it does, in microseconds."""
    label = ""
    for item in done.program.body:
        if isinstance(item, Stage):
            label = item.label
        elif isinstance(item, Instr) and item.spec.is_compute:
            yield label, *span_us(done, item)


def span_us(done: Run, instr: Instr) -> tuple[float, float]:
    """From the start of an instruction's first operation to the end of its last."""
    order = done.times.order
    engine = instr.spec.engine
    parts = [channel.part for channel in order.channels if channel.engine is engine]
    numbers = [
        step.first + part
        for step in order.by_engine[engine]
        if step.instr.line == instr.line
        for part in parts
    ]
    start, end = done.times.start_s[numbers], done.times.end_s[numbers]
    return float(start.min()) * 1e6, float(end.max()) * 1e6


def panel(done: Run, top: float, longest: float) -> tuple[list[str], float]:
    """The drawing of a program from `top` on, and where it ends."""
    scale = (WIDTH - LEFT - 20) / longest
    cost = done.compiled.cost
    total = done.times.total_s * 1e6
    out = [
        text(0, top + 14, f"{done.title}: {total:.1f} µs", "bold 15px"),
        text(230, top + 14, f"(serial timing: {cost.total_s * 1e6:.1f} µs)", "13px"),
    ]
    y = top + 28.0
    for n, (label, start, end) in enumerate(stages(done)):
        x, width = LEFT + start * scale, (end - start) * scale
        out.append(box(x, y, width, 15, "#e3e9f0" if n % 2 else "#c3d0de"))
        out.append(text(x + 2, y + 11.5, label, "11px"))
    y += 22
    order = done.times.order
    for lane, colour in zip(LANES, COLOURS, strict=True):
        parts = [channel.part for channel in order.channels if channel.engine is lane]
        row = ROW if len(parts) > 4 else 2 * ROW
        out.append(text(LEFT - 8, y + row * len(parts) / 2 + 4, lane.name, "12px", "end"))
        for part in parts:
            for step in order.by_engine[lane]:
                at = step.first + part
                start, end = done.times.start_s[at] * 1e6, done.times.end_s[at] * 1e6
                shade = 0.7 if step.iteration % 2 else 1.0
                place = LEFT + start * scale, y + row * part
                out.append(box(*place, (end - start) * scale, row - 1, colour, shade))
        y += row * len(parts) + GAP
    out.append(f'<path d="M{LEFT} {y}H{WIDTH - 20}" stroke="#9aa7b5"/>')
    for tick in range(0, int(longest) + 1, 10):
        x = LEFT + tick * scale
        out.append(f'<path d="M{x:.1f} {y}v4" stroke="#9aa7b5"/>')
        out.append(text(x, y + 17, f"{tick} µs", "11px", "middle"))
    return out, y + 34


def box(
    x: float, y: float, width: float, height: float, colour: str, shade: float = 1.0
) -> str:
    """A rectangle."""
    opacity = f' opacity="{shade}"' if shade < 1 else ""
    size = f'width="{max(width - 0.3, 0.3):.2f}" height="{height:g}"'
    return f'<rect x="{x:.2f}" y="{y:g}" {size} fill="{colour}"{opacity}/>'


def text(x: float, y: float, words: str, font: str, anchor: str = "start") -> str:
    """A line of text."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} style="font:{font} sans-serif">{escape(words)}</text>'


def drawing(runs: list[Run]) -> str:
    """All programs on one time axis."""
    longest = max(done.times.total_s for done in runs) * 1e6 * 1.02
    y, shapes = 8.0, list[str]()
    for done in runs:
        more, y = panel(done, y, longest)
        shapes += more
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:g}" fill="#1d2733">'
    )
    paper = f'<rect width="{WIDTH}" height="{y:g}" fill="#fff"/>'
    return "\n".join([head, paper, *shapes, "</svg>"]) + "\n"


def main() -> None:
    """Draw, and print the times."""
    runs = [run("dense", 0.0), run("half of the blocks zero", 0.5)]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.write_text(drawing(runs), encoding="utf-8")
    for done in runs:
        print(
            f"{done.title}: {done.times.total_s * 1e6:.1f} us as events, "
            f"{done.compiled.cost.total_s * 1e6:.1f} us with serial timing"
        )
        for label, start, end in stages(done):
            print(f"  {label}: computes {start:.1f} .. {end:.1f} us")


if __name__ == "__main__":
    main()
