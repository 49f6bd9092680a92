"""The plan of what stays in the memtiles, held against a count of its own."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsc.dialects.placement import Spread, SpreadAxis
from bsc.residency import Item, Use, plan

STEPS = 6
EVERYWHERE = Spread(SpreadAxis.ALL)
patient = settings(suppress_health_check=[HealthCheck.too_slow])
"""How long a busy machine takes is not what is tested."""


@st.composite
def items(draw: st.DrawFn) -> Item:
    """A tensor that is written at one or two steps, or by the host, then read at some; an
    operation may read it twice."""

    def use(step: int, whole: bool = False) -> Use:
        # What is written at once has the spread of the whole.
        accepted = whole or draw(st.integers(0, 4)) > 0
        staged = draw(st.integers(1, 30))
        return Use(step, staged, staged, EVERYWHERE, lambda spread: accepted)

    writes = sorted(draw(st.sets(st.integers(0, STEPS - 2), max_size=2)))
    after = writes[-1] + 1 if writes else 0
    reads = sorted(draw(st.lists(st.integers(after, STEPS - 1), max_size=4)))
    whole = draw(st.integers(1, 60))
    item = Item(
        "tensor",
        lambda spread: whole,
        whole,
        tuple(use(step, len(writes) == 1) for step in writes),
        tuple(use(step) for step in reads),
        draw(st.booleans()),
    )
    item.keep_all()
    return item


def segments(item: Item, resident: Sequence[bool]) -> list[list[list[Use]]]:
    """The events of a tensor, in runs between which it goes to DDR."""
    events = [list(item.writes)] if item.writes else []
    events += [[use] for use in item.reads]
    runs: list[list[list[Use]]] = []
    for index, event in enumerate(events):
        if index and resident[index - 1]:
            runs[-1].append(event)
        else:
            runs.append([event])
    return runs


def load(item: Item, resident: Sequence[bool], assembled: bool, step: int) -> int:
    """Bytes of a tensor in a memtile at a step."""
    total = 0
    for index, run in enumerate(segments(item, resident)):
        uses = [use for event in run for use in event]
        written = index == 0 and bool(item.writes)
        if len(run) > 1 or (written and assembled):
            lower, upper = uses[0].step, uses[-1].step
            total += item.total if lower <= step <= upper else 0
        else:
            total += sum(use.staged for use in uses if use.step == step)
    return total


def staged(item: Item, step: int) -> int:
    """Bytes of a tensor at a step if nothing of it stays."""
    return load(item, [False] * len(item.resident), len(item.writes) == 1, step)


@patient
@given(
    st.lists(items(), min_size=1, max_size=5),
    st.dictionaries(st.integers(0, STEPS - 1), st.integers(1, 40)),
    st.integers(10, 200),
)
def test_every_step_fits_or_cannot(tensors: list[Item], fixed: dict[int, int], capacity: int):
    shortages = plan(tensors, fixed, dict.fromkeys(range(STEPS), capacity))
    short = {shortage.step: shortage for shortage in shortages}
    for step in range(STEPS):
        loads = [load(i, i.resident, i.assembled, step) for i in tensors]
        needed = fixed.get(step, 0) + sum(loads)
        if step in short:
            assert short[step].needed == needed > capacity
            assert fixed.get(step, 0) + sum(staged(i, step) for i in tensors) > capacity
        else:
            assert needed <= capacity


@patient
@given(st.lists(items(), min_size=1, max_size=5))
def test_nothing_moves_where_all_fits(tensors: list[Item]):
    before = [(item.assembled, list(item.resident)) for item in tensors]
    assert plan(tensors, {}, dict.fromkeys(range(STEPS), 10**6)) == []
    assert [(item.assembled, item.resident) for item in tensors] == before


@patient
@given(items())
def test_the_profile_is_the_load_of_each_step(item: Item):
    loads = [load(item, item.resident, item.assembled, step) for step in range(STEPS)]
    assert item.profile(STEPS).tolist() == loads


@st.composite
def choosy_items(draw: st.DrawFn) -> Item:
    """A tensor whose readers each have a spread of their own, and can work on some others."""
    spreads = [Spread(SpreadAxis.W, (0, n, 8)) for n in range(3)]

    def use(step: int) -> Use:
        own = draw(st.integers(0, 2))
        others = draw(st.sets(st.integers(0, 2))) | {own}
        good = [spreads[n] for n in others]
        return Use(
            step, draw(st.integers(1, 9)), 9, spreads[own], lambda spread: spread in good
        )

    writes = (use(0),) if draw(st.booleans()) else ()
    reads = tuple(use(step) for step in sorted(draw(st.lists(st.integers(1, STEPS - 1)))))
    item = Item("tensor", lambda spread: 20, 20, writes, reads, draw(st.booleans()))
    item.keep_all()
    return item


ROOM = st.lists(st.integers(1, 60), min_size=STEPS, max_size=STEPS)


@given(st.lists(choosy_items(), min_size=1, max_size=3), ROOM)
@settings(patient, max_examples=200)
def test_everybody_can_work_on_what_stays(tensors: list[Item], room: list[int]):
    """Whatever is given up: the spread of a stay is that of its first use."""
    plan(tensors, {}, dict(enumerate(room)))
    for item in tensors:
        events = item.events()
        for stay in item.stays():
            for event in events[stay.first : stay.last + 1]:
                assert all(use.accepts(stay.spread) for use in event.uses)


def between(name: str, first: int, last: int, whole: int, staged: int) -> Item:
    """A tensor that is written at one step and read at another; `staged` are the bytes of
    the buffer for either if it goes to DDR."""
    uses = [Use(step, staged, whole, EVERYWHERE, lambda spread: True) for step in (first, last)]
    item = Item(name, lambda spread: whole, whole, (uses[0],), (uses[1],))
    item.keep_all()
    return item


@patient
@given(st.data())
def test_one_tensor_that_helps_many_steps_goes_first(data: st.DataObject):
    """Four steps lack room.  A tensor that is there at all of them goes to DDR rather than the
    four that each of them reads, as long as its traffic is less than that of those."""
    lacking = data.draw(st.integers(1, 50))
    staged = data.draw(st.integers(1, 20))
    short = data.draw(st.integers(lacking + staged, 200))
    long = data.draw(st.integers(lacking, 4 * short - 1))
    brief = [between("brief", step - 1, step, short, staged) for step in range(1, 5)]
    tensors = [*brief, between("long", 0, 5, long, staged)]
    capacity = 2000
    used = [sum(int(item.profile(STEPS)[step]) for item in tensors) for step in range(STEPS)]
    fixed = {step: capacity + lacking - used[step] for step in range(1, 5)}
    assert plan(tensors, fixed, dict.fromkeys(range(STEPS), capacity)) == []
    assert [item.resident for item in tensors] == [[True]] * 4 + [[False]]
    assert [item.traffic() for item in tensors] == [0] * 4 + [2 * long]
