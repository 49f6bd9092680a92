"""Transfers against plain loops, over drawn boxes, grids and iterations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from asm_machine import do, instr_of, int8_data, machine_of, run_transfer, small_arch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import ArrayLike

from bsc.asm.canonical import canonical, trimmed
from bsc.asm.footprint import accesses
from bsc.asm.printer import print_instr
from bsc.asm.program import Tensor
from bsc.errors import BscError
from bsc.sim.box import Box
from bsc.sim.memory import Machine
from bsc.sim.resolved import Resolved
from bsc.sim.transfers import move

Pair = tuple[int, int]

_sizes = st.integers(1, 5)


def _text(machine: Machine, text: str) -> str:
    """The words with the numbers that nothing depends on as they must be."""
    return print_instr(trimmed(canonical(instr_of(text), machine.arch)))


def _cores(grid: Pair) -> Iterator[Pair]:
    """Row and column of each core."""
    return product(range(grid[0]), range(grid[1]))


def _fill(machine: Machine, seed: int = 0) -> None:
    """Numbers in all of DDR and of the memtiles."""
    rng = np.random.default_rng(seed)
    for memtile in machine.memtiles:
        values = rng.integers(-128, 128, (1, 1, memtile.size), np.int8)
        memtile.put(Box(0, 1, 1, memtile.size, 0, 0), int8_data(values)).do()
    size = machine.ddr.memory.size
    if size:
        values = rng.integers(-128, 128, (1, 1, size), np.int8)
        machine.ddr.put(Box(0, 1, 1, size, 0, 0), int8_data(values)).do()


@given(_sizes, _sizes, _sizes, st.integers(0, 4), st.integers(0, 9), st.integers(0, 5000))
def test_load_and_write(h: int, w: int, c: int, gap: int, skip: int, address: int) -> None:
    """A box to a memtile, and from there to another place in DDR."""
    tensor = Tensor("a", "a", (1, 1, 8192), "i8", 0, 8192, 0)
    machine = machine_of(small_arch(), (tensor,))
    _fill(machine)
    before = machine.ddr.memory.copy()
    dpix, pix = c + skip, c + gap
    drow, row = w * dpix + gap, w * pix + skip
    box = f"h={h} w={w} c={c} drow={drow} dpix={dpix} row={row} pix={pix}"
    run_transfer(machine, _text(machine, f"LOAD ddr 100 memtile {address} iter 1 {box}"))
    run_transfer(machine, _text(machine, f"WRITE ddr 4000 memtile {address} iter 1 {box}"))
    memory, memtile = machine.ddr.memory, machine.memtiles[0].memory
    for y, x, n in np.ndindex(h, w, c):
        there = 100 + y * drow + x * dpix + n
        assert memtile[(address + y * row + x * pix + n) % 4096] == before[there]
        assert memory[there + 3900] == before[there]
    assert (memory != before).sum() <= h * w * c


@st.composite
def _grids(draw: DrawFn) -> Pair:
    return draw(st.integers(1, 4)), draw(st.integers(1, 4))


@given(_grids(), st.data())
def test_weights_go_to_the_cores_of_their_rows(grid: Pair, data: st.DataObject) -> None:
    """LOADW to memtiles, LOADWDM from link to row, pieces put together."""
    rows, cols = grid
    arch = small_arch(rows, cols)
    links = max(rows, cols)
    sizes = [4 * data.draw(st.integers(1, 8)) for _ in range(links)]
    # Each memtile holds what its links carry, one behind the other.
    starts, filled = [0] * links, [0] * cols
    for i in range(links):
        starts[i], filled[i % cols] = filled[i % cols], filled[i % cols] + sizes[i]
    blob = np.random.default_rng(0).integers(0, 256, sum(filled), np.uint8)
    at = [sum(filled[:c]) for c in range(cols)]
    offsets = [sum(sizes[j] for j in range(i) if j % rows == i % rows) for i in range(links)]
    machine = machine_of(arch, blob=blob)
    run_transfer(machine, f"LOADW blob {_list(at)} memtile 64 iter 1 bytes={_list(filled)}")
    memtile = _list([64 + start for start in starts])
    run_transfer(
        machine,
        f"LOADWDM memtile {memtile} core 32 iter 1 bytes={_list(sizes)} off={_list(offsets)}",
    )
    for row, col in _cores(grid):
        mine = [i for i in range(links) if i % rows == row]
        wanted = [blob[at[i % cols] + starts[i] :][: sizes[i]] for i in mine]
        total = sum(sizes[i] for i in mine)
        found = machine.cores[row][col].read(32, total).bytes
        np.testing.assert_array_equal(found, np.concatenate(wanted))
    assert all(memtile.unused_weights() == 0 for memtile in machine.memtiles)


def _list(values: ArrayLike) -> str:
    return str(np.asarray(values).tolist()).replace(" ", "")


class _Drawn:
    """Numbers of a LOADFM or WRITEFM over a grid of cores."""

    def __init__(self, grid: Pair, seed: int):
        rng = np.random.default_rng(seed)
        self.rows, self.cols = grid
        self.iters = [int(n) for n in rng.integers(1, 4, 2)]
        self.h, self.c = (int(n) for n in rng.integers(1, 4, 2))
        self.widths = rng.integers(0, 3, (3, self.cols))
        self.widths[0, 0] = self.widths[2, -1] = 0
        self.starts = rng.integers(0, 4096, (3, self.cols))
        self.coff = rng.integers(0, 6, grid)
        self.pix = self.c + rng.integers(0, 9, self.cols)
        self.row = 5 * self.pix + rng.integers(0, 9, self.cols)
        self.hstep, self.cstep = rng.integers(1, 99, (2, self.cols))

    def common(self) -> str:
        """The fields that both have."""
        return (
            f"core 0 iter {self.iters[0]}x{self.iters[1]} h={self.h} c={self.c} "
            f"row={_list(self.row)} pix={_list(self.pix)} hstep={_list(self.hstep)} "
            f"cstep={_list(self.cstep)} w={_list(self.widths[1])}"
        )

    def bytes_of(self, iteration: int, core: Pair, sides: range) -> list[Pair]:
        """Memtile and address of each byte, in the order of the core's buffer."""
        outer, inner = divmod(iteration, self.iters[1])
        row, col = core
        found: list[Pair] = []
        for y, side in ((y, side) for y in range(self.h) for side in sides):
            m = col + side - 1
            for x, n in np.ndindex(int(self.widths[side, col]), self.c):
                moved = outer * self.hstep[m] + inner * self.cstep[m] + self.coff[row, col]
                place = self.starts[side, col] + y * self.row[m] + x * self.pix[m] + moved + n
                found.append((m, int(place) % 4096))
        return found


@given(_grids(), st.booleans(), st.integers(0, 2**32 - 1))
def test_loadfm_with_halo_and_iterations(grid: Pair, own: bool, seed: int) -> None:
    """Rows of left, own and right pixels, at addresses that move on."""
    machine, d = machine_of(small_arch(*grid)), _Drawn(grid, seed)
    _fill(machine)
    d.coff *= own
    left, memtile, right = map(_list, d.starts)
    text = f"LOADFM memtile {memtile} {d.common()} left={left} wl={_list(d.widths[0])} "
    text += f"right={right} wr={_list(d.widths[2])}" + own * f" coff={_list(d.coff)}"
    resolved = Resolved(instr_of(_text(machine, text)), machine.arch)
    for iteration in range(d.iters[0] * d.iters[1]):
        for col in range(d.cols):
            do(move(machine, resolved, iteration, col))
        for row, col in _cores(grid):
            places = d.bytes_of(iteration, (row, col), range(3))
            wanted = [int(machine.memtiles[m].memory[at]) for m, at in places]
            found = machine.cores[row][col].read(0, len(wanted))
            assert found.bytes.tolist() == wanted


@given(_grids(), st.integers(0, 2**32 - 1))
def test_writefm_with_iterations(grid: Pair, seed: int) -> None:
    """Each core's pixels, each at its place; what comes later overwrites what came before."""
    machine, d = machine_of(small_arch(*grid)), _Drawn(grid, seed)
    rng = np.random.default_rng(seed)
    text = f"WRITEFM memtile {_list(d.starts[1])} {d.common()} coff={_list(d.coff)}"
    resolved = Resolved(instr_of(_text(machine, text)), machine.arch)
    wanted: dict[Pair, int] = {}
    for iteration in range(d.iters[0] * d.iters[1]):
        for col, row in product(range(d.cols), range(d.rows)):
            places = d.bytes_of(iteration, (row, col), range(1, 2))
            values = rng.integers(-128, 128, len(places), np.int8)
            if len(places):
                machine.cores[row][col].put(0, int8_data(values, 3)).do()
            wanted |= dict(zip(places, values.view(np.uint8).tolist(), strict=True))
        for col in range(d.cols):
            do(move(machine, resolved, iteration, col))
    for col, memtile in enumerate(machine.memtiles):
        written = {int(at) for at in np.flatnonzero(memtile.tags)}
        assert written == {at for m, at in wanted if m == col}
    assert {at: int(machine.memtiles[at[0]].memory[at[1]]) for at in wanted} == wanted


@given(_grids(), st.integers(0, 2**32 - 1))
def test_footprints_cover_what_is_touched(grid: Pair, seed: int) -> None:
    """The hull that the verifier uses, against each byte."""
    arch, d = small_arch(*grid), _Drawn(grid, seed)
    text = f"WRITEFM memtile {_list(d.starts[1])} {d.common()} coff={_list(d.coff)}"
    found = [a for a in accesses(instr_of(text), arch) if a.memory == "memtile"]
    unwrapped = [
        int(d.starts[1, col]) + (at - int(d.starts[1, col])) % 4096
        for iteration in range(d.iters[0] * d.iters[1])
        for row, col in _cores(grid)
        for _, at in d.bytes_of(iteration, (row, col), range(1, 2))
    ]
    assert len(found) == bool(unwrapped)
    for access in found:
        assert access.writes
        assert (access.lo, access.hi) == (min(unwrapped), max(unwrapped) + 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "LOADW blob 12 memtile 0 iter 1 bytes=8",
            "not inside its 16 bytes",
        ),
        ("LOADFM memtile 0 core 0 iter 1 h=1 w=0 c=1 left=0 wl=1 row=0 pix=0", "on the left"),
        ("LOADFM memtile 0 core 0 iter 1 h=1 w=1 c=1 right=0 wr=1 row=0 pix=0", "on the right"),
        ("LOADFM memtile 0 core 24570 iter 1 h=1 w=1 c=8 row=0 pix=0", "is beyond 24576 bytes"),
        ("LOADFM memtile 0 core 0 iter 2 h=1 w=1 c=8 row=0 pix=0 hstep=8", "nobody has read"),
        ("WRITEFM memtile 0 core 0 iter 1 h=1 w=1 c=8 coff=0 row=0 pix=0", "only 0 bytes"),
        ("LOADWDM memtile 0 core 0 iter 1 bytes=8 off=0", "it holds i8 at position 0"),
        (
            "LOAD ddr 60 memtile 0 iter 1 h=1 w=1 c=8 drow=0 dpix=0 row=0 pix=0",
            "inside one tensor",
        ),
    ],
)
def test_what_the_machine_cannot_do(text: str, message: str) -> None:
    tensor = Tensor("a", "a", (1, 8, 8), "i8", 0, 8, 0)
    machine = machine_of(small_arch(), (tensor,), np.zeros(16, np.uint8))
    _fill(machine)
    with pytest.raises(BscError, match=message):
        run_transfer(machine, text)
