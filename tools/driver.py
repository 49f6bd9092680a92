"""`bsc`: prepare a model, compile it, run it, check it, or many of them at once.

    bsc prepare resnet50 -o resnet50.onnx --sparsity 0.5
    bsc explain resnet50.onnx
    bsc compile resnet50.onnx -o out --arch paper-4x4
    bsc run out -i image.npy -o result.npz
    bsc check resnet50.onnx out --every-tensor
    bsc view out
    bsc sweep --models resnet50 -o table.json

Each command is a function of the Python API with files around it.  A mistake of the user
is one line on stderr and exit code 1, or 2 for a command line that makes no sense.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from xdsl.utils.exceptions import DiagnosticException, ParseError

from bsc.errors import BscError
from bsc.monitor import PassMonitor
from bsc.tools import alloc, explain, parts, progress, sweep
from bsc.tools.diagnostics import INTERRUPTED, describe, flush_output
from bsc.tools.explain import Partition, Shapes

PROG = "bsc"

_INTRODUCTION = """\
A block-sparse compiler: quantized ONNX CNNs to programs for a grid of AIE2 cores.

\b
example:
  bsc prepare resnet50 -o resnet50.onnx --sparsity 0.5
  bsc explain resnet50.onnx
  bsc compile resnet50.onnx -o out --arch paper-4x4
  bsc run out -i image.npy -o result.npz
  bsc check resnet50.onnx out --every-tensor
  bsc view out
  bsc sweep --models resnet50 --arch paper-2x2,paper-4x4 -o table.json

errors: one line on stderr; exit code 1, or 2 for a command line that makes no sense.
"""

app = typer.Typer(
    help=_INTRODUCTION,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROG} {version('bsc')} (xDSL {version('xdsl')})")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """The options of `bsc` itself."""


# Commands ------------------------------------------------------------------------------

_PREPARE_EXAMPLES = """\
\b
examples:
  bsc prepare resnet50 -o r50.onnx                 half of the 8x8 blocks zero
  bsc prepare resnet50 -o dense.onnx --sparsity 0  its dense twin
  bsc prepare vgg16 -o small.onnx --size 64        for images of 64x64
  bsc prepare mine.onnx -o q.onnx --block 16x4 --criterion l1
  bsc prepare squeezenet -o s.onnx --format qoperator --activations uint8

\b
networks: resnet50, vgg16, inception_v3, alexnet, densenet121, inception_v1, inception_v2,
mobilenet_v2, shufflenet, squeezenet, vgg19
"""


@app.command(epilog=_PREPARE_EXAMPLES)
def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A built-in network, named below, or a float ONNX file.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL.onnx", help="The file to write.")
    ],
    sparsity: Annotated[
        float, typer.Option(metavar="FRACTION", help="Share of blocks to zero, 0 to 1.")
    ] = 0.5,
    block: Annotated[
        str, typer.Option(metavar="COUTxCIN", help="Output and input channels of a block.")
    ] = "8x8",
    criterion: Annotated[
        str, typer.Option(metavar="NAME", help="Importance of a block: l2, l1 or variance.")
    ] = "l2",
    seed: Annotated[
        int, typer.Option(metavar="N", help="Chooses weights and calibration inputs.")
    ] = 0,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Height and width of a built-in network's images."),
    ] = None,
    quant_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="qdq: QuantizeLinear and DequantizeLinear nodes, or qoperator: QLinearConv "
            "and such.",
        ),
    ] = "qdq",
    activations: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            help="int8 (zero point 0) or uint8 (zero point 128); weights are int8.",
        ),
    ] = "int8",
    fuse_relu: Annotated[
        bool,
        typer.Option("--fuse-relu", help="No QuantizeLinear before a Relu or Clip (qdq only)."),
    ] = False,
) -> None:
    """Make a block-sparse quantized model, to try the compiler with.

    Folds batch normalization, zeroes the least important blocks of every convolution but
    the first, and quantizes to 8 bits with power-of-two scales.
    """
    from bsc.folder import written_whole
    from bsc.prepare import Form
    from bsc.prepare import prepare as make
    from bsc.report.units import scaled, seconds

    start = time.perf_counter()
    with written_whole(output) as aside:
        with progress.steps(f"preparing {source}") as say:
            model = make(
                source,
                sparsity=sparsity,
                block=_block(block),
                criterion=criterion,
                seed=seed,
                size=size,
                form=Form(quant_format, activations, fuse_relu),
                progress=say,
            )
        content = model.SerializeToString()
        aside.write_bytes(content)
    spent = seconds(time.perf_counter() - start)
    typer.echo(f"{output}: {len(model.graph.node)} nodes, {scaled(len(content))}B in {spent}")


def _block(text: str) -> tuple[int, int]:
    rows, times, columns = text.lower().partition("x")
    if not (times and rows.isdecimal() and columns.isdecimal()):
        raise BscError(f"--block must be of the form 8x8, not '{text}'")
    return int(rows), int(columns)


_COMPILE_EXAMPLES = """\
\b
examples:
  bsc compile r50.onnx -o out                      for the default machine, paper-4x4
  bsc compile r50.onnx -o out --arch npu1          another preset: paper-RxC, npu1, npu2
  bsc compile r50.onnx -o out --arch mine.toml     your own; base = "paper-4x4" in it helps
  bsc compile r50.onnx -o out --block auto         blocks as the weights show them: 8x8, 16x4, …
  bsc compile alexnet.onnx -o out --partition      several programs, and the host between them

\b
files in DIR: program.asm, weights.bin, cost.json, cost.csv, trace.json (for Perfetto),
module.mlir and module.weights.bin.
Files that are there already under these names are replaced, all or none of them.
With --partition: part-0, part-1.onnx, … and parts.json; 'bsc run' and 'bsc check' take DIR,
'bsc view' DIR/part-0.
"""


@app.command(epilog=_COMPILE_EXAMPLES)
def compile(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A quantized model.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")
    ],
    shape: Shapes,
    arch: Annotated[
        str, typer.Option(metavar="NAME|FILE.toml", help="The machine.")
    ] = "paper-4x4",
    timing: Annotated[
        str, typer.Option(metavar="NAME", help="The rules by which instructions are timed.")
    ] = "serial",
    block: Annotated[
        str,
        typer.Option(
            metavar="COUTxCIN",
            help="Output and input channels of the blocks that are left out where they are "
            "zero, or auto: for each weight what packs it into the fewest bytes.",
        ),
    ] = "8x8",
    partition: Partition = False,
    time_passes: Annotated[
        bool, typer.Option("--time-passes", help="Print the time of each pass on stderr.")
    ] = False,
) -> None:
    """Compile a quantized ONNX model, and print what each layer costs."""
    import bsc
    from bsc.folder import check_target
    from bsc.frontend.given import parse_shapes
    from bsc.pipelines import collector_paused
    from bsc.report.screen import print_compiled

    monitor: PassMonitor = context.obj
    if partition:
        parts.compile(model, output, arch, timing, shape, block, monitor)
    else:
        check_target(output)
        start = time.perf_counter()
        with collector_paused():
            with progress.steps(f"compiling {model}") as say:
                compiled = bsc.compile(
                    model,
                    arch,
                    timing,
                    block=block,
                    shapes=parse_shapes(shape),
                    monitor=monitor,
                    progress=say,
                )
                monitor.stage = ""
                compiled.save(output)
            print_compiled(compiled, output, time.perf_counter() - start)
            # All that is there counts as old from here on, so that the collector, which has
            # waited, does not look through it at once.
            gc.freeze()
            gc.unfreeze()
    if time_passes:
        typer.echo(monitor.timing_table(), err=True)


_RUN_EXAMPLES = """\
\b
examples:
  bsc run out -i image.npy -o y.npz                the program's outputs
  bsc run out -i image.npy -o y.npz --every-tensor and every tensor that it makes
  bsc run out -i inputs.npz -o y.npz               several inputs, by their ONNX names
  bsc run out -i image.npy -o y.npz --timing-seed 3  under random timing
"""


@app.command(epilog=_RUN_EXAMPLES)
def run(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that 'bsc compile' wrote.")
    ],
    inputs: Annotated[
        Path,
        typer.Option("-i", "--input", metavar="X.npy", help="What the ONNX model takes."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="Y.npz", help="The file to write.")
    ],
    every_tensor: Annotated[
        bool, typer.Option("--every-tensor", help="Write every tensor, not only the outputs.")
    ] = False,
    timing_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Run as events, each transfer and computation for a random time drawn from "
            "N, instead of in text order.",
        ),
    ] = None,
) -> None:
    """Simulate a program, from program.asm and weights.bin alone.

    The tensors have their ONNX names and layout; outputs have the type of the model, all
    others are int8.
    """
    import bsc
    from bsc.arrays import read_arrays, write_arrays
    from bsc.partition import chain
    from bsc.report.units import plural, seconds

    given = read_arrays(inputs)
    start = time.perf_counter()
    with progress.bar("simulating") as tell:
        command = chain.run if chain.is_chain(folder) else bsc.run
        result = command(folder, given, every_tensor, timing_seed=timing_seed, progress=tell)
    tensors = {**result.tensors, **result.outputs}
    write_arrays(output, tensors)
    spent = seconds(time.perf_counter() - start)
    how = "" if timing_seed is None else f" with the random timing of seed {timing_seed}"
    typer.echo(f"{output}: {plural(len(tensors), 'tensor')}, simulated{how} in {spent}")
    for name, values in result.outputs.items():
        typer.echo(f"output {name}: {values.dtype} {list(values.shape)}")


_CHECK_EXAMPLES = """\
\b
examples:
  bsc check r50.onnx out                           the outputs, for one random input
  bsc check r50.onnx out --every-tensor            all quantized tensors of the model
  bsc check r50.onnx out --inputs 5 --seed 7
  bsc check r50.onnx out --timing-seeds 5          under random timing too

\b
Exit code 1 if anything differs: stderr names the first tensor that does.
"""


@app.command(epilog=_CHECK_EXAMPLES)
def check(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="The model that was compiled.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that 'bsc compile' wrote.")
    ],
    shape: Shapes,
    inputs: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many random inputs to try.")
    ] = 1,
    every_tensor: Annotated[
        bool,
        typer.Option(
            "--every-tensor",
            help="Compare every quantized tensor of the model; those that fusion elides "
            "are listed with the reason and run by the reference interpreter.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Draws the inputs.")] = 0,
    timing_seeds: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="M",
            help="Run each input also in event order, with nominal and with M random timings; "
            "there the outputs are compared, and every read is held against the write that "
            "text order gives it.",
        ),
    ] = 0,
) -> None:
    """Compare a program with onnxruntime, bit for bit.

    onnxruntime runs the model with all optimisations off; the program runs in the simulator.
    """
    import bsc
    from bsc.frontend.given import parse_shapes
    from bsc.partition import chain
    from bsc.report.outcome import difference_lines
    from bsc.report.screen import print_outcome

    command = chain.check if chain.is_chain(folder) else bsc.check
    with progress.bar("checking") as tell:
        found = command(
            model,
            folder,
            inputs,
            every_tensor,
            seed,
            timing_seeds=timing_seeds,
            shapes=parse_shapes(shape),
            progress=tell,
        )
    results = found if isinstance(found, tuple) else (found,)
    for result in results:
        print_outcome(result)
    wrong = [line for result in results if not result.ok for line in difference_lines(result)]
    if wrong:
        raise BscError("; ".join(wrong))


_VIEW_EXAMPLES = """\
\b
examples:
  bsc view out                                     writes out/view.html
  bsc view dense sparse -o both.html               two programs on one time axis
"""


@app.command(epilog=_VIEW_EXAMPLES)
def view(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that 'bsc compile' wrote.")
    ],
    other: Annotated[
        Path | None, typer.Argument(metavar="DIR2", help="A second one, to compare with.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PAGE.html", help="The file to write; DIR/view.html."
        ),
    ] = None,
) -> None:
    """Write a page that shows when a program does what, from program.asm alone.

    Timeline, memtile map and layer table, in one file that needs no network.
    """
    from bsc.folder import read_text, written_whole
    from bsc.report.units import scaled, seconds
    from bsc.view import page_names, view_page

    start = time.perf_counter()
    folders = [folder] if other is None else [folder, other]
    texts = dict(zip(page_names(folders), map(read_text, folders), strict=True))
    path = output or folder / "view.html"
    with written_whole(path) as aside:
        with progress.steps(f"viewing {folder}") as say:
            content = view_page(texts, say).encode()
        aside.write_bytes(content)
    spent = seconds(time.perf_counter() - start)
    typer.echo(f"{path}: {scaled(len(content))}B in {spent}: open it in a browser")


app.command(epilog=explain.EXAMPLES)(explain.explain)
app.command(epilog=sweep.EXAMPLES)(sweep.sweep)
app.command(epilog=alloc.EXAMPLES)(alloc.alloc)


# Errors --------------------------------------------------------------------------------


def invoke(argv: Sequence[str]) -> int:
    """Run `bsc` on the arguments `argv`; returns the exit code."""
    command = typer.main.get_command(app)
    monitor = PassMonitor(verify=False)
    try:
        code = command.main(args=list(argv), prog_name=PROG, standalone_mode=False, obj=monitor)
        flush_output()
        return code or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as e:
        typer.echo(e.format_message() if not argv else f"{PROG}: error: {_line(e)}", err=True)
        return e.exit_code
    except (BscError, DiagnosticException, ParseError, OSError, MemoryError) as e:
        typer.echo(describe(e, PROG, monitor.stage), err=True)
        return 1


def _line(error: typer.TyperException) -> str:
    return " ".join(error.format_message().split())


def main() -> int:
    """The console script."""
    code = invoke(sys.argv[1:])
    # What is there is not looked through for garbage once more at exit.
    gc.freeze()
    return code
