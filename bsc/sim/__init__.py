"""The simulator: runs a program text on a modelled machine.

It knows the text (`bsc.asm`), the machine (`bsc.arch`) and the meaning of numbers
(`bsc.numerics`), and nothing of the compiler, so that a mistake in one cannot hide in the
other.  Bytes live in modelled DDR, memtiles and cores at the addresses in the text.
"""

from bsc.sim.run import Result, run_program

__all__ = ["Result", "run_program"]
