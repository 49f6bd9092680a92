"""The values of locks in the order of the text: never below zero, never above what a lock
can count, and at the end what they were at first.

All tiles of a kind do the same, so that one value stands for a family.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bsc.asm.program import Instr, Layer, Lock
from bsc.asm.waits import Uses, Waits
from bsc.errors import BscError


class _Problem(NamedTuple):
    """An acquire or release that the value of a lock does not allow: what comes first in the
    text comes first here."""

    step: int
    acquires: bool
    lock: Lock
    value: int
    amount: int


def check_values(waits: Waits, names: list[str]) -> None:
    """Raises BscError for the first problem; `names` are the instructions as messages give
    them."""
    _check_tiles(waits)
    highest = waits.program.arch.lock_max
    problems: list[_Problem] = []
    for lock in waits.program.locks.values():
        problems += _first(lock, waits.taken[lock.name], waits.given[lock.name], highest)
    if problems:
        # Of one step the acquires come first.
        problem = min(problems, key=lambda p: (p.step, not p.acquires))
        raise BscError(_message(problem, waits, names))
    _check_balance(waits, names)


def _check_tiles(waits: Waits) -> None:
    """Computations use locks of cores."""
    for index, instr in enumerate(waits.instructions):
        for use in (*instr.acquires, *instr.releases) if instr.spec.is_compute else ():
            for name in use.names:
                if (tile := waits.program.locks[name].tile) != "core":
                    layer = _layers(waits)[index].full_name
                    raise BscError(
                        f"{layer}: {instr.mnemonic} does not reach {tile} lock {name}"
                    )


def _first(lock: Lock, taken: Uses, given: Uses, highest: int) -> list[_Problem]:
    """The first use of a family that its value does not allow, if there is one."""
    keys = np.concatenate([2 * taken.steps, 2 * given.steps + 1])
    changes = np.concatenate([-taken.amounts, given.amounts])
    order = np.argsort(keys, kind="stable")
    changes = changes[order]
    values = lock.init + np.cumsum(changes)
    wrong = np.flatnonzero((values < 0) | ((values > highest) & (changes > 0)))
    if not len(wrong):
        return []
    at = int(wrong[0])
    step, releases = divmod(int(keys[order[at]]), 2)
    return [_Problem(step, not releases, lock, int(values[at]), abs(int(changes[at])))]


def _message(problem: _Problem, waits: Waits, names: list[str]) -> str:
    index = int(waits.instrs[problem.step])
    layer, name = _layers(waits)[index].full_name, problem.lock.name
    mnemonic = waits.instructions[index].mnemonic
    if not problem.acquires:
        return (
            f"{layer}: {mnemonic} raises {name} to {problem.value}; a lock goes up to "
            f"{waits.program.arch.lock_max}"
        )
    return (
        f"{layer}: {mnemonic} acquires {name} when it is {problem.value + problem.amount}, "
        f"{problem.amount} needed: in text order this waits for ever; "
        f"{_next_release(name, index, waits, names)}"
    )


def _next_release(name: str, here: int, waits: Waits, names: list[str]) -> str:
    """Where the lock comes from that an instruction waits for in vain."""
    later = [index for index, _ in waits.given[name].ends if index >= here]
    if later:
        return f"{names[min(later)]} releases it, but not before it in the text"
    return "nothing releases it from here on"


def _check_balance(waits: Waits, names: list[str]) -> None:
    for name, lock in waits.program.locks.items():
        given, taken = (int(u.amounts.sum()) for u in (waits.given[name], waits.taken[name]))
        if given != taken:
            raise BscError(
                f"lock {name} ends at {lock.init + given - taken}, declared initial value "
                f"{lock.init}: acquires and releases do not balance; "
                f"{_ends(waits, name, names)}"
            )


def _ends(waits: Waits, name: str, names: list[str]) -> str:
    """Who acquires a lock and who releases it."""
    found: list[str] = []
    for does, uses in (("acquires", waits.taken[name]), ("releases", waits.given[name])):
        who = sorted({index for index, _ in uses.ends})
        more = f" and {len(who) - 1} more" if len(who) > 1 else ""
        found.append(f"{names[who[-1]]}{more} {does} it" if who else f"nothing {does} it")
    return ", ".join(found)


def _layers(waits: Waits) -> list[Layer]:
    """The layer of each instruction."""
    layer = Layer(waits.program.name, "", "")
    found: list[Layer] = []
    for item in waits.program.body:
        if isinstance(item, Layer):
            layer = item
        elif isinstance(item, Instr):
            found.append(layer)
    return found
