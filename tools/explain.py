"""`bsc explain`: what would become of each node of a model, and why.

Nothing is compiled; a model that cannot be is explained all the same, with everything that
is wrong with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

EXAMPLES = """\
\b
examples:
  bsc explain r50.onnx                             every node
  bsc explain r50.onnx --brief                     without quantizers that do as usual
  bsc explain r50.onnx --block auto                which blocks the weights show
  bsc explain mine.onnx --shape batch=1            a dimension that the model leaves open
  bsc explain mine.onnx --shape images=1x3x224x224
  bsc explain alexnet.onnx --partition             which part each node is in

\b
columns: where      array, host, refused, or undecided: depends on something refused
         part       with --partition: the parts that it is in, as 'bsc compile' writes them;
                    a DequantizeLinear is repeated wherever it is needed
         pos        positions of inputs, weight (w), bias (b) > result; q stands for q x 2^-pos
         shift      places by which sums of products are shifted to become the result
         density    blocks of 8x8 channels that are not all zero
         block      with --block: shape and density of the blocks that would be left out if
                    zero; dense where that saves no work
         sum up to  largest magnitude, as an integer, that any input can give; up to 2^24
                    onnxruntime computes the same bits, from 2^31 on int32 overflows
Exit code 1 if the model cannot be compiled: stderr has all reasons, one line each.
"""

Shapes: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--shape",
        default_factory=list,
        show_default=False,
        metavar="NAME=N|INPUT=NxN..",
        help="A dimension that the model leaves open (batch=1), or an input's shape.",
    ),
]
"""An option of the commands that import a model."""

Partition: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--partition",
        help="Cut the model where the host has to compute between layers of the array.",
    ),
]
"""An option of those that may cut it."""


def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX model.")],
    shape: Shapes,
    block: Annotated[
        str,
        typer.Option(
            metavar="COUTxCIN",
            help="Show what blocks of this shape would save, or, with auto, the shape that "
            "packs each weight into the fewest bytes.",
        ),
    ] = "8x8",
    brief: Annotated[
        bool,
        typer.Option(
            "--brief", help="Leave out quantizers and constants that are on the array."
        ),
    ] = False,
    partition: Partition = False,
) -> None:
    """Say of every node where it would run and why, before anything is compiled.

    With shapes, positions, shifts, density, and how large sums can get.
    """
    import bsc
    from bsc import partition as parts
    from bsc.blocks import DEFAULT_SHAPE
    from bsc.frontend.given import parse_shapes
    from bsc.report.explanation import explanation_lines, node_table
    from bsc.report.screen import print_lines, print_table

    command = parts.explain if partition else bsc.explain
    explanation = command(model, parse_shapes(shape), block)
    print_table(node_table(explanation.nodes, brief, block != DEFAULT_SHAPE))
    print_lines("", *explanation_lines(explanation))
    explanation.raise_if_refused()
