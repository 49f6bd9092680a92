"""How activations and weights share the channels between DDR and one memtile.

One kind alone has all channels; while both are on their way, each has one half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Job:
    """A transfer: not before `ready`, and then `set_up` by itself before it moves what
    takes `alone` seconds on one channel.  `started` and `left` change as it goes on."""

    ready: float
    set_up: float
    alone: float
    started: float = 0.0
    left: float = 0.0


def durations(queues: Sequence[Sequence[Job]], channels: int) -> list[list[float]]:
    """Seconds that each transfer of each kind moves for, without its set-up.

    Each kind takes its transfers one after another.
    """
    found: list[list[float]] = [[] for _ in queues]
    waiting = [list(reversed(queue)) for queue in queues]
    now = [0.0] * len(queues)
    running: dict[int, Job] = {}
    clock = 0.0
    while any(waiting) or running:
        for kind, queue in enumerate(waiting):
            if queue and kind not in running:
                job = queue.pop()
                job.started = max(now[kind], job.ready) + job.set_up
                job.left = job.alone
                running[kind] = job
        moving = [kind for kind, job in running.items() if job.started <= clock]
        share = channels if len(moving) <= 1 else max(1, channels // 2)
        ends = {kind: clock + running[kind].left / share for kind in moving}
        starts = [job.started for job in running.values() if job.started > clock]
        upcoming = min([*ends.values(), *starts])
        for kind in moving:
            if ends[kind] <= upcoming:
                job = running.pop(kind)
                now[kind] = upcoming
                found[kind].append(upcoming - job.started)
            else:
                running[kind].left -= (upcoming - clock) * share
        clock = upcoming
    return found
