"""Which write a read must see and which it sees, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bsc.sim.channels import TextOrder
from bsc.sim.watch import Seen


def wrong_write(wanted: Sequence[Seen], found: Sequence[Seen], order: TextOrder) -> str:
    """Where an operation first sees another write than the one that it must see.

    Empty if it sees the right ones as far as it has read.
    """
    for must, sees in zip(wanted, found, strict=False):
        places = np.flatnonzero(must.writers != sees.writers)
        if not places.size:
            continue
        at = int(places[0])
        expected, writer = int(must.writers[at]), int(sees.writers[at])
        start = f"must see at {must.memory} 0x{int(must.addresses[at]):x} the write of "
        # Before all operations the host has written the inputs, and nobody anything else.
        start += str(order.operation(expected)) if expected else "the host"
        if writer != -expected:
            other = str(order.operation(abs(writer))) if writer else "nobody"
            start += f", and sees that of {other}"
        return start + (", which is still under way" if writer < 0 else "")
    return ""
