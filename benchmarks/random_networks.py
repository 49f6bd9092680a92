"""Random networks on random machines, as many as one likes, against onnxruntime.

    python benchmarks/random_networks.py --count 1000
    python benchmarks/random_networks.py --first 300 --count 1 --save out
    python benchmarks/random_networks.py --count 100 --timing-seeds 20

A seed is a network, a machine and, with `--options`, the options of the passes.  Each is
compiled, printed, parsed and simulated, and every tensor compared bit for bit.  With
`--timing-seeds` each program also runs in event order, with nominal timing and with that
many random ones; there the outputs are compared, and what each read sees.

The end tells how many were equal, refused (with the reason, one line each) and wrong; any
wrong one is exit code 1.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from varied_networks import (
    PIPELINE,
    Outcome,
    outcome_of,
    random_arch,
    random_specs,
    varied_network,
)


def main(
    first: Annotated[int, typer.Option(help="The first seed.")] = 0,
    count: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 300,
    options: Annotated[bool, typer.Option(help="Draw the options of the passes too.")] = False,
    timing_seeds: Annotated[int, typer.Option(help="Random timings of each.", min=0)] = 0,
    save: Annotated[Path | None, typer.Option(help="Write each model to this folder.")] = None,
) -> None:
    """Compile and simulate the networks of `count` seeds."""
    kinds: Counter[str] = Counter()
    tensors: Counter[str] = Counter()
    lines: list[str] = []
    for seed in track(range(first, first + count), "networks"):
        outcome = _run(seed, options, timing_seeds, save)
        kinds[outcome.kind] += 1
        tensors += Counter(materialised=outcome.materialised, elided=outcome.elided)
        if outcome.kind != "ok":
            reason = outcome.reason.split("\n")[0]
            lines.append(f"seed {seed}: {outcome.kind}: {reason}")
    print("\n".join(lines))
    print(
        f"{kinds['ok']} equal to onnxruntime's ({tensors['materialised']} tensors, "
        f"{tensors['elided']} more elided), {kinds['refused']} refused, {kinds['wrong']} wrong"
    )
    if timing_seeds:
        runs = kinds["ok"] * timing_seeds
        print(f"{kinds['ok']} of these with nominal and {runs} runs with random timing")
    raise typer.Exit(1 if kinds["wrong"] else 0)


def _run(seed: int, options: bool, timing_seeds: int, save: Path | None) -> Outcome:
    model = varied_network(seed)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        (save / f"{seed}.onnx").write_bytes(model.SerializeToString())
    specs = random_specs(seed) if options else PIPELINE
    # Each network with timings of its own.
    first = seed * timing_seeds
    timings = range(first, first + timing_seeds)
    return outcome_of(model, random_arch(seed), specs, timings)


if __name__ == "__main__":
    typer.run(main)
