"""The program text: instruction set, printer, parser, and the packed weights.

Everything here knows the machine (`bsc.arch`) and nothing of the compiler, so that the
simulator can be built on it alone.  `docs/asm.md` is the definition in prose.
"""
