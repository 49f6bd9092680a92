"""Why nothing moves any more: the cycle of waits, by line and lock."""

from __future__ import annotations

from collections.abc import Mapping

from bsc.sim.channels import Channel, Operation, TextOrder
from bsc.sim.semaphores import Semaphores, Wait

Blocked = Mapping[Channel, tuple[Operation, Wait]]


def explain(blocked: Blocked, order: TextOrder, semaphores: Semaphores) -> str:
    """One line for the user: who waits for whom, until somebody waits again."""
    channel = min(blocked, key=lambda c: blocked[c][0].number)
    seen: dict[Channel, int] = {}
    chain: list[str] = []
    while channel not in seen:
        seen[channel] = len(chain)
        op, wait = blocked[channel]
        chain.append(f"{op} waits for {wait.amount} of lock {wait.family} of tile {wait.tile}")
        giver = _giver(wait, blocked, order, semaphores)
        if giver is None:
            return "deadlock: " + ", ".join(chain) + ", which nobody releases any more"
        channel = giver
    return "deadlock: " + ", for which ".join(chain[seen[channel] :]) + ", and so on"


def _giver(
    wait: Wait, blocked: Blocked, order: TextOrder, semaphores: Semaphores
) -> Channel | None:
    """The blocked channel that would release a semaphore next."""
    for channel, (stuck, _) in blocked.items():
        for step in order.by_engine[channel.engine]:
            op = step.operation(channel.part)
            if op.number < stuck.number:
                continue
            for use in op.instr.releases:
                if not use.releases_at(op.iteration) or use.at(op.iteration) != wait.family:
                    continue
                if wait.tile in semaphores.tiles(op.instr, use, wait.family, op.part):
                    return channel
    return None
