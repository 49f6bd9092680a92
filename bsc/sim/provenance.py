"""Which write a read must see and which it sees, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bsc.sim.channels import TextOrder
from bsc.sim.watch import Seen


def wrong_write(wanted: Sequence[Seen], found: Sequence[Seen], order: TextOrder) -> str:
    """Where an operation first sees another write than the one that it must see.

    Empty if it sees the right ones as far as it has read.
    """
    for must, sees in zip(wanted, found, strict=False):
        writers = dict(zip(sees.addresses.tolist(), sees.writers.tolist(), strict=True))
        for address, expected in zip(
            must.addresses.tolist(), must.writers.tolist(), strict=True
        ):
            if writers.get(address, 0) != expected:
                where = f"{must.memory} 0x{address:x}"
                return _in_words(where, expected, writers.get(address, 0), order)
    return ""


def _in_words(where: str, expected: int, writer: int, order: TextOrder) -> str:
    # Before all operations the host has written the inputs, and nobody anything else.
    must = str(order.operation(expected)) if expected else "the host"
    text = f"must see at {where} the write of {must}"
    if writer != -expected:
        text += f", and sees that of {order.operation(abs(writer)) if writer else 'nobody'}"
    return text + (", which is still under way" if writer < 0 else "")
