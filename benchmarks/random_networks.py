"""Random networks on random machines, as many as one likes, against onnxruntime.

    python benchmarks/random_networks.py --count 1000
    python benchmarks/random_networks.py --first 300 --count 1 --save out
    python benchmarks/random_networks.py --count 100 --timing-seeds 20
    python benchmarks/random_networks.py --wide --count 10000 --jobs 2 --results cases.jsonl

A seed is a network, a machine and, with `--options`, the options of the passes; `--wide` draws
larger networks, and machines with enough memory for all of them; `--tight` leaves a part of the
memories, of a size to the byte.  Each is compiled, printed, parsed and simulated, and every
tensor compared bit for bit.  With `--timing-seeds` each program also runs in event order, with
nominal timing and with that many random ones; there the outputs are compared, and what each
read sees.

With `--results` each case is a line of that file as soon as it is done, and a seed that is
there is not run again: what was stopped goes on where it was.  Seeds that were run with other
options belong in a file of their own.

The end tells how many were equal, refused (with the reason, one line each), wrong, or ended in
another error.  Exit code 1 if there is one that is wrong or an error, or a network refused on a
machine with memtiles of 64 KB and cores of 16 KB or more.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

from varied_networks import (
    PIPELINE,
    outcome_of,
    random_arch,
    random_specs,
    tight_arch,
    varied_network,
)
from wide_networks import roomy, wide_arch, wide_network


class Case(NamedTuple):
    """A line of the results: `kind` is ok, refused, wrong or error; `roomy` says that the
    machine has memory enough for any network."""

    seed: int
    kind: str
    reason: str
    roomy: bool
    made: int
    elided: int


def main(
    first: Annotated[int, typer.Option(help="The first seed.")] = 0,
    count: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 300,
    wide: Annotated[bool, typer.Option(help="Larger networks, machines with room.")] = False,
    tight: Annotated[bool, typer.Option(help="Memories of any size.")] = False,
    options: Annotated[bool, typer.Option(help="Draw the options of the passes too.")] = False,
    timing_seeds: Annotated[int, typer.Option(help="Random timings of each.", min=0)] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes.", min=1)] = 1,
    results: Annotated[Path | None, typer.Option(help="Add each case to this file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write each model to this folder.")] = None,
) -> None:
    """Compile and simulate the networks of `count` seeds."""
    seeds = range(first, first + count)
    cases = {case.seed: case for case in _read(results) if case.seed in seeds}
    left = [seed for seed in seeds if seed not in cases]
    run = partial(
        run_case, wide=wide, tight=tight, options=options, timing_seeds=timing_seeds, save=save
    )
    for case in track(_in_processes(run, left, jobs), "networks", total=len(left)):
        cases[case.seed] = case
        if results is not None:
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(case._asdict()) + "\n")
    bad = _report([cases[seed] for seed in seeds], timing_seeds)
    raise typer.Exit(1 if bad else 0)


def run_case(
    seed: int, *, wide: bool, tight: bool, options: bool, timing_seeds: int, save: Path | None
) -> Case:
    """Compile, simulate and compare one network."""
    model = wide_network(seed) if wide else varied_network(seed)
    arch = wide_arch(seed) if wide else random_arch(seed)
    arch = tight_arch(arch, seed) if tight else arch
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        (save / f"{seed}.onnx").write_bytes(model.SerializeToString())
    specs = random_specs(seed) if options else PIPELINE
    # Each network with timings of its own.
    timings = range(seed * timing_seeds, (seed + 1) * timing_seeds)
    found = outcome_of(model, arch, specs, timings)
    reason = found.reason.split("\n")[0]
    return Case(seed, found.kind, reason, roomy(arch), found.materialised, found.elided)


def _in_processes(
    run: Callable[[int], Case], seeds: Sequence[int], jobs: int
) -> Iterator[Case]:
    """The cases as they are done; a few more are waiting than there are processes."""
    left = iter(seeds)
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(run, seed): seed for seed in islice(left, 2 * jobs)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield _case(running.pop(future), future)
            for seed in islice(left, len(done)):
                running[pool.submit(run, seed)] = seed


def _case(seed: int, future: Future[Case]) -> Case:
    """What became of a case, also if the compiler fell over."""
    error = future.exception()
    if error is None:
        return future.result()
    return Case(seed, "error", f"{type(error).__name__}: {error}", True, 0, 0)


def _read(results: Path | None) -> list[Case]:
    """The cases that are done; a last line that was cut off is taken away."""
    if results is None or not results.exists():
        return []
    text = results.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        results.write_text(whole, encoding="utf-8")
    return [Case(**json.loads(line)) for line in whole.splitlines()]


def _report(cases: Sequence[Case], timing_seeds: int) -> int:
    """Print all that is not equal, and the sums; returns how many cases must not be so."""
    kinds = Counter(case.kind for case in cases)
    for case in cases:
        if case.kind != "ok":
            print(f"seed {case.seed}: {case.kind}: {case.reason}")
    unexpected = sum(case.kind == "refused" and case.roomy for case in cases)
    print(
        f"{kinds['ok']} equal to onnxruntime's ({sum(c.made for c in cases)} tensors, "
        f"{sum(c.elided for c in cases)} more elided), {kinds['refused']} refused, "
        f"{unexpected} of them on a machine with room, {kinds['wrong']} wrong, "
        f"{kinds['error']} ended in another error"
    )
    if timing_seeds:
        runs = kinds["ok"] * timing_seeds
        print(f"{kinds['ok']} of these with nominal and {runs} runs with random timing")
    return unexpected + kinds["wrong"] + kinds["error"]


if __name__ == "__main__":
    typer.run(main)
