"""An instruction with its fields as arrays, ready to be executed many times."""

from __future__ import annotations

from bsc.arch import Arch
from bsc.asm.canonical import check_canonical
from bsc.asm.instr_parser import check_fields
from bsc.asm.program import Instr, IntArray


class Resolved:
    """
    The fields of one instruction, looked up by iteration, row and column.

    `array(name)` has shape (iterations or 1, *axes); `at(name, iteration)` is one
    iteration's values.  Optional fields that are not there read as 0.
    """

    def __init__(self, instr: Instr, arch: Arch):
        self.instr = instr
        self.inner = instr.iters[1] if len(instr.iters) == 2 else 1
        self.arrays = check_fields(instr, arch)
        check_canonical(instr, self.arrays)

    def has(self, name: str) -> bool:
        """Whether an optional field is given."""
        return name in self.instr.fields

    def at(self, name: str, iteration: int) -> IntArray:
        """A field's values in one iteration, over its axes."""
        array = self.arrays[name]
        return array[iteration if len(array) > 1 else 0]

    def number(self, name: str) -> int:
        """A field without axes, the same in all iterations."""
        return int(self.arrays[name].reshape(-1)[0])

    def slot(self, name: str, iteration: int) -> int:
        """The core address of a buffer in one iteration."""
        return self.instr.slots(name).at(iteration)

    def advance(self, iteration: int, col: int) -> int:
        """How far an iteration has moved on in the memtile of column `col`, in bytes."""
        outer, inner = divmod(iteration, self.inner)
        if len(self.instr.iters) == 1:
            outer, inner = iteration, 0
        hstep, cstep = self.arrays["hstep"], self.arrays["cstep"]
        return outer * int(hstep[0, col]) + inner * int(cstep[0, col])
