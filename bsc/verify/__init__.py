"""Checking a program without running it: its memories, its limits, and its locks.

`program` checks what one instruction after another says, `clocks` what the locks imply of
the order of all operations, `order` that this is enough for the bytes that they touch.
"""

from bsc.verify.program import verify_program

__all__ = ["verify_program"]
