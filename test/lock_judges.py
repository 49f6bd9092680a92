"""What three judges, each by itself, say of a change in the locks or the lines of a program.

The static check; random timings without the static check; and the account of what depends on
what, byte by byte, which says whether the change has left the dependence graph as it was.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dependence import TimingJudge, conflicts, keeps
from lock_mutations import Mutant

from bsc.asm.packed import Bytes
from bsc.asm.program import Program
from bsc.errors import BscError
from bsc.verify import verify_program

SEEDS_UNCHANGED = 2
"""Random timings for a change that leaves the dependence graph as it was."""


class Verdict(NamedTuple):
    """Whether the graph is the same, and who finds the change."""

    same: bool
    static: bool
    timing: bool


class Judges:
    """For all changes of one program."""

    def __init__(self, program: Program, blob: Bytes, inputs: dict[str, Any]):
        self.pairs = conflicts(program, blob, inputs)
        assert keeps(program, self.pairs)
        self.timing = TimingJudge(program, self.pairs)

    def verdict(self, mutant: Mutant, seeds: int) -> Verdict:
        """What they say of a change, with up to that many timings."""
        same = self.leaves_the_graph(mutant)
        timings = range(SEEDS_UNCHANGED if same else seeds)
        found = any(self.timing.finds(mutant.program, seed) for seed in timings)
        return Verdict(same, static_check_finds(mutant), found)

    def leaves_the_graph(self, mutant: Mutant) -> bool:
        """Whether all that depends on each other is still in order.  Swapped lines are
        another text, with an order of its own."""
        return mutant.kind != "swapped lines" and keeps(mutant.program, self.pairs)


def static_check_finds(mutant: Mutant) -> bool:
    """Whether --verify-dataflow would refuse a changed program."""
    try:
        verify_program(mutant.program)
    except BscError:
        return True
    return False
