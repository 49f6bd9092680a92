"""From tokens to locks (section 4.4 of the paper: "combine them into chains").

Every family of locks joins one kind of engine that gives with one that takes, so that on
each tile it is a first-in first-out line between two of them: the n-th acquire belongs to
the n-th release.  There are two sorts.

*Streams*, within the stages, use the buffers of a core in turn:

    k_0, k_2, k_4   the input of a head, body or tail is in the core (k_2p: in the pong)
    k_1, k_3, k_5   its output is
    w_0             its weights are
    r_0             its second input (residual, partial sum) is, if that has its own pace
    f_in, f_out, f_w, f_r   free slots of these buffers: 2 at first; an operand with a
                            single slot takes both

*Edges*, for all other tokens: released once when the earlier instruction is done, acquired
once before the later one starts.  An edge that other locks already imply is left out.  Where
more units would wait to be taken than a lock can count, a second family takes over.
Where a layer takes over core memory from an earlier one, its first LOADFM or its LOADWDM
waits for the last WRITEFM of that layer, behind which everything else of it is done: one
family each instead of one for every pair of engines, of which a core has too few.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bsc.asm.isa import Engine
from bsc.asm.program import Instr, Lock, LockUse
from bsc.errors import BscError

_ROLES = {"head": (0, 1), "whole": (0, 1), "body": (2, 3), "tail": (4, 5)}
"""The numbers of the locks k_i for the input and the output of a stage, by its label."""

_SLOTS = 2
"""Free slots of a buffer at first: the ping and the pong."""


@dataclass
class Step:
    """An instruction, the indices of those that it waits for, and the locks it gets."""

    index: int
    instr: Instr
    waits: list[int]
    known: list[int] = field(default_factory=list[int])
    """Instructions that are done when its free slots are granted."""
    lock: LockUse | None = None
    acquire: list[LockUse] = field(default_factory=list[LockUse])
    release: list[LockUse] = field(default_factory=list[LockUse])

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs it."""
        return self.instr.spec.engine

    def chained(self) -> Instr:
        """The instruction with its locks."""
        return Instr(
            self.instr.mnemonic,
            self.instr.iters,
            self.instr.fields,
            self.lock,
            tuple(self.acquire),
            tuple(self.release),
        ).like(self.instr)


@dataclass(frozen=True)
class StageSteps:
    """The indices of the steps of one stage, its label, and the number of its layer.

    A transfer from or to DDR is a stage of its own, without a label.
    """

    label: str
    layer: int
    steps: tuple[int, ...]


class LockChains:
    """Gives locks to steps; `locks` are the families that were needed."""

    def __init__(self, steps: Sequence[Step], stages: Sequence[StageSteps], most: int):
        """`most` is the largest value of a lock."""
        self.steps = steps
        self.most = most
        self.stages = stages
        self.by_layer: dict[int, list[StageSteps]] = {}
        for stage in stages:
            self.by_layer.setdefault(stage.layer, []).append(stage)
        self.locks: dict[str, Lock] = {}

    def chain(self) -> None:
        """Lock everything."""
        for stage in self.stages:
            if stage.label in _ROLES:
                self._stream(stage)
        self._resident_weights()
        self._learn_from_slots()
        _Edges(self).add()

    def family(self, name: str, tile: str, init: int = 0) -> str:
        """The name of a family, declared if it is new."""
        self.locks.setdefault(name, Lock(name, tile, init))
        return name

    # Streams -----------------------------------------------------------------------------

    def _stream(self, stage: StageSteps) -> None:
        """The pings and pongs of one stage."""
        steps = [self.steps[i] for i in stage.steps]
        if not {Engine.LOADFM, Engine.COMP, Engine.WRITEFM} <= {s.engine for s in steps}:
            raise BscError(f"a stage {stage.label} loads, computes and writes")
        compute = next(s for s in steps if s.engine is Engine.COMP)
        write = next(s for s in steps if s.engine is Engine.WRITEFM)
        loads = [s for s in steps if s.engine is Engine.LOADFM]
        source, sink = _ROLES[stage.label]
        in_names = self._names(source, stage.label, loads[0].instr.count)
        out_names = self._names(sink, stage.label, write.instr.count)
        pace = {s.instr.count for s in loads}
        # Inputs that come at one pace come under one lock: the first takes the free slots,
        # the last tells that all are there.
        groups = [loads] if len(pace) == 1 else _by_pace(loads, compute)
        self._input(groups[0], compute, "f_in", in_names)
        for group in groups[1:]:
            self._input(group, compute, "f_r", (self.family("r_0", "core"),))
        self._output(compute, write, out_names)
        for weights in (s for s in steps if s.engine is Engine.LOADWDM):
            names = (self.family("w_0", "core"),)
            self._input([weights], compute, "f_w", names)

    def _names(self, number: int, label: str, count: int) -> tuple[str, ...]:
        """A lock k_i; the pong of a body has its own."""
        names = [f"k_{number}"]
        if label == "body" and count > 1:
            names.append(f"k_{number}p")
        return tuple(self.family(name, "core") for name in names)

    def _input(
        self, loads: list[Step], compute: Step, free: str, names: tuple[str, ...]
    ) -> None:
        """Buffers that are filled by transfers and emptied by a computation."""
        slots = min(len(s.instr.slots("core").addresses) for s in loads)
        credit = LockUse((self.family(free, "core", _SLOTS),), _SLOTS // slots)
        period = compute.instr.count // loads[0].instr.count
        loads[0].acquire.append(credit)
        loads[-1].lock = LockUse(names)
        compute.acquire.append(LockUse(names, 1, period))
        compute.release.append(credit._replace(period=period))

    def _output(self, compute: Step, write: Step, names: tuple[str, ...]) -> None:
        """Buffers that are filled by a computation and emptied by a transfer."""
        slots = len(write.instr.slots("core").addresses)
        credit = LockUse((self.family("f_out", "core", _SLOTS),), _SLOTS // slots)
        period = compute.instr.count // write.instr.count
        compute.acquire.append(credit._replace(period=period))
        compute.release.append(LockUse(names, 1, period))
        write.lock = LockUse(names)
        write.release.append(credit)

    def _resident_weights(self) -> None:
        """Weights that stay for a pass: taken by its first computation, freed by its last."""
        for stages in self.by_layer.values():
            passes: list[tuple[Step, list[Step]]] = []
            for stage in stages:
                steps = [self.steps[i] for i in stage.steps]
                if stage.label == "weights":
                    passes.append((steps[0], []))
                elif passes:
                    passes[-1][1].extend(s for s in steps if s.engine is Engine.COMP)
            slots = len({s.instr.slots("core").addresses for s, _ in passes})
            for load, users in passes:
                self._resident(load, users, 1 if slots > 1 else _SLOTS)

    def _resident(self, load: Step, users: list[Step], amount: int) -> None:
        free = self.family("f_w", "core", _SLOTS)
        ready = (self.family("w_0", "core"),)
        load.acquire.append(LockUse((free,), amount))
        load.lock = LockUse(ready)
        users[0].waits.append(load.index)
        users[0].acquire.append(LockUse(ready, 1, users[0].instr.count))
        users[-1].release.append(LockUse((free,), amount, users[-1].instr.count))

    def _learn_from_slots(self) -> None:
        """A LOADWDM that takes both free slots knows that all weights before are used up."""
        user: int | None = None
        for step in self.steps:
            takes = [use for use in step.acquire if use.names == ("f_w",)]
            if takes and takes[0].amount == _SLOTS and user is not None:
                step.known.append(user)
            if any(use.names == ("f_w",) for use in step.release):
                user = step.index


def _by_pace(loads: list[Step], compute: Step) -> list[list[Step]]:
    """The loads of the first input, and those of the others."""
    first = compute.instr.slots("in").addresses
    main = [s for s in loads if s.instr.slots("core").addresses == first]
    return [main, [s for s in loads if s not in main]]


# Edges -----------------------------------------------------------------------------------

_STREAMED = {
    (Engine.LOADFM, Engine.COMP),
    (Engine.LOADWDM, Engine.COMP),
    (Engine.COMP, Engine.WRITEFM),
}
"""What waits for what within a layer; streams take care of it."""

_ON_CORES = (Engine.COMP, Engine.LOADFM, Engine.LOADWDM)

_MEMTILE_ONLY = {
    (Engine.LOADW, Engine.LOADWDM),
    (Engine.LOADWDM, Engine.LOADW),
    (Engine.LOADWDM, Engine.LOAD),
    (Engine.LOADWDM, Engine.WRITEFM),
}
"""Where a row of cores and a memtile meet, one tells the other of that memtile only."""

_ACROSS_COLUMNS = (Engine.WRITE, Engine.LOAD)
"""A column may read from DDR what any other has written: to know that the WRITE of its own
is done is not enough."""

_Known = dict[Engine, int]


class _Edges:
    """Adds the locks between stages.

    For every step it keeps, by engine, the last instruction that is known to be done
    before it starts (`start`) and before it ends (`end`), in the same column.  What is
    known needs no lock.
    """

    def __init__(self, chains: LockChains):
        self.chains = chains
        self.steps = chains.steps
        self.start: list[_Known] = []
        self.end: list[_Known] = []
        self.last: _Known = {}
        self.layer_of: dict[int, int] = {}
        self.last_write: dict[int, int] = {}
        self.synced: dict[tuple[Engine, Engine, str], int] = {}
        self.names: dict[tuple[Engine, Engine, str], list[str]] = {}
        self.takers: dict[str, list[int]] = {}
        self.numbers: dict[str, int] = {}

    def add(self) -> None:
        """Go through the program once."""
        for stage in self.chains.stages:
            self._move_waits(stage)
            for index in stage.steps:
                self.layer_of[index] = stage.layer
                self._step(self.steps[index], stage)
                self.last[self.steps[index].engine] = index
                if self.steps[index].engine is Engine.WRITEFM:
                    self.last_write[stage.layer] = index

    def _move_waits(self, stage: StageSteps) -> None:
        """What a computation waits for from earlier layers, its first input waits for."""
        steps = [self.steps[i] for i in stage.steps]
        loads = [s for s in steps if s.engine is Engine.LOADFM]
        for step in steps:
            if step.engine is Engine.COMP and loads:
                moved = [
                    i for i in step.waits if self.layer_of.get(i, stage.layer) != stage.layer
                ]
                step.waits = [i for i in step.waits if i not in moved]
                loads[0].waits += moved

    def _step(self, step: Step, stage: StageSteps) -> None:
        start: _Known = {}
        if step.engine in self.last:
            before = self.last[step.engine]
            start = {**self.end[before], step.engine: before}
        for i in step.known:
            _learn(start, self.end[i], self.steps[i].engine, i)
        within = [i for i in step.waits if self._is_streamed(i, step, stage)]
        for i in within:
            if i in stage.steps:
                _learn(start, self.start[i])
            else:
                _learn(start, self.end[i], self.steps[i].engine, i)
        # The latest first: it often implies the others.
        for i in sorted(step.waits, reverse=True):
            if i not in within and self.steps[i].engine is not step.engine:
                self._edge(i, step, start)
        end = dict(start)
        for i in within:
            _learn(end, self.end[i], self.steps[i].engine, i)
        self.start.append(start)
        self.end.append(end)

    def _is_streamed(self, i: int, step: Step, stage: StageSteps) -> bool:
        """Whether a stream keeps the order: in a stage, or for the weights of a pass."""
        pair = (self.steps[i].engine, step.engine)
        return pair in _STREAMED and self.layer_of.get(i) == stage.layer

    def _edge(self, i: int, step: Step, start: _Known) -> None:
        """One instruction waits for another of a different stage."""
        giver = self.steps[i]
        if (giver.engine, step.engine) == _ACROSS_COLUMNS:
            self._sync(giver, step, "all", "")
            _learn(start, self.end[i], giver.engine, i)
            return
        takes_over = _takes_over(giver.engine, step.engine)
        if start.get(giver.engine, -1) < i:
            if takes_over:
                giver = self.steps[self.last_write[self.layer_of[i]]]
            if (giver.engine, step.engine) in _MEMTILE_ONLY:
                self._sync(giver, step, "", "")
            else:
                self._lock(giver, step, "", "")
                _learn(start, self.end[giver.index], giver.engine, giver.index)
        if takes_over or Engine.LOADFM not in (giver.engine, step.engine):
            return
        for side, other in (("l", "r"), ("r", "l")):
            # A reader sees its neighbour on one side, the neighbour sees it on the other.
            reads = step.engine is Engine.LOADFM
            if _reads((step if reads else giver).instr, side):
                self._sync(giver, step, *((other, side) if reads else (side, other)))

    def _sync(self, giver: Step, taker: Step, give_to: str, take_from: str) -> None:
        """A lock that tells its taker nothing of other columns or rows, unless an earlier
        one has told the same."""
        key = (giver.engine, taker.engine, take_from)
        if self.synced.get(key, -1) < giver.index:
            self.synced[key] = giver.index
            self._lock(giver, taker, give_to, take_from)

    def _lock(self, giver: Step, taker: Step, give_to: str, take_from: str) -> None:
        key = (giver.engine, taker.engine, take_from)
        tile, letter = _tile(giver.engine, taker.engine)
        known = self.names.setdefault(key, [])
        # Units that are given and not yet taken when this one is given.
        free = [n for n in known if self._pending(n, giver) < self.chains.most]
        if not free:
            number = self.numbers.get(letter, 0)
            self.numbers[letter] = number + 1
            free = [self.chains.family(f"{letter}_{number}", tile)]
            known += free
        names = (free[0],)
        self.takers.setdefault(free[0], []).append(taker.index)
        giver.release.append(LockUse(names, 1, giver.instr.count, give_to))
        taker.acquire.append(LockUse(names, 1, taker.instr.count, take_from))

    def _pending(self, name: str, giver: Step) -> int:
        """How many instructions after `giver` take a lock, as far as is known."""
        takers = self.takers[name]
        return len(takers) - bisect_right(takers, giver.index)


def _learn(known: _Known, more: _Known, engine: Engine | None = None, index: int = -1) -> None:
    """Add what another instruction knows, and perhaps that it is done itself."""
    for other, value in more.items():
        known[other] = max(known.get(other, -1), value)
    if engine is not None:
        known[engine] = max(known.get(engine, -1), index)


def _takes_over(giver: Engine, taker: Engine) -> bool:
    """Whether one waits for the other because of core memory, rather than a memtile."""
    if taker is Engine.LOADFM:
        return giver in _ON_CORES
    return taker is Engine.LOADWDM and giver in (*_ON_CORES, Engine.WRITEFM)


def _reads(instr: Instr, side: str) -> bool:
    """Whether a LOADFM reads from its neighbours on one side."""
    return ("left" if side == "l" else "right") in instr.fields


def _tile(giver: Engine, taker: Engine) -> tuple[str, str]:
    """The kind of tile on which two engines meet, and the letter of their locks."""
    if (giver, taker) == _ACROSS_COLUMNS:
        return "ddr", "d"
    if (giver, taker) == (Engine.WRITEFM, Engine.LOADWDM):
        return "core", "x"
    return "memtile", "m"
