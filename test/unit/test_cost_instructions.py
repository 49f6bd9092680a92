"""What single instructions and stages take, counted by hand after the paper's rules.

The rules are those of section 4.5: every link carries 2^32 bytes a second, a column's
cores write over one link together, a matrix operation does 4 pixels x 8 CIN x 8 COUT.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exact_times import BYTE, CYCLE, exact_arch

from bsc.arch import Arch, preset
from bsc.asm.program import FieldValue, Instr, LockUse, Slots
from bsc.cost.rates import matrix_cycles, transfer_s, vector_cycles
from bsc.cost.serial import time_loads, time_stage, time_write
from bsc.cost.work import work_of

PAPER = preset("paper-4x4")
EXACT = exact_arch()
BUFFER = Slots((0, 4096))


def instr(mnemonic: str, iters: tuple[int, ...] = (1,), **fields: FieldValue) -> Instr:
    """An instruction; addresses and strides do not matter for its time."""
    blank: dict[str, FieldValue] = {"memtile": 0, "row": 0, "pix": 0}
    return Instr(mnemonic, iters, {**blank, **fields})


def load(h: int, w: FieldValue, c: FieldValue) -> Instr:
    return instr("LOAD", ddr=0, h=h, w=w, c=c, drow=0, dpix=0)


def loadfm(iters: tuple[int, ...] = (1,), **fields: FieldValue) -> Instr:
    return instr("LOADFM", iters, core=BUFFER, **fields)


def writefm(iters: tuple[int, ...] = (1,), **fields: FieldValue) -> Instr:
    return instr("WRITEFM", iters, core=BUFFER, coff=0, **fields)


def loadwdm(count: FieldValue, iters: tuple[int, ...] = (1,)) -> Instr:
    return instr("LOADWDM", iters, core=BUFFER, bytes=count, off=0)


def conv(iters: tuple[int, ...] = (1,), **fields: FieldValue) -> Instr:
    same: dict[str, FieldValue] = {"k": (3, 3), "blk": (8, 8), "cin": 64, "cout": 64}
    return instr("CONV", iters, **{**same, **fields})


def seconds(made: Instr, arch: Arch = EXACT) -> list[list[float]]:
    """Seconds of each iteration in each column."""
    return work_of(made, arch).seconds.tolist()


# Rates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "blocks", "block", "taps", "cycles"),
    [
        (4, 1, (8, 8), 1, 1),
        (5, 1, (8, 8), 1, 2),
        (1, 64, (8, 8), 9, 576),
        (14 * 5, 16, (8, 8), 9, 18 * 16 * 9),
        (4, 3, (16, 4), 1, 6),
        (4, 3, (4, 16), 1, 6),
        (4, 3, (1, 1), 1, 3),
        (4, 1, (16, 16), 2, 8),
        (0, 7, (8, 8), 9, 0),
        (100, 0, (8, 8), 9, 0),
    ],
)
def test_matrix_cycles(
    pixels: int, blocks: int, block: tuple[int, int], taps: int, cycles: int
):
    assert matrix_cycles(PAPER, pixels, blocks, block, taps) == cycles


def test_vector_cycles():
    assert [vector_cycles(PAPER, n) for n in (0, 1, 256, 257)] == [0, 1, 1, 2]
    assert vector_cycles(PAPER, 100, 9) == 4


def test_transfer_s():
    assert transfer_s(PAPER, 2**32) == 1.0
    assert transfer_s(PAPER, 2**32, links=4) == 0.25
    slow = exact_arch(descriptor_cycles=16)
    assert transfer_s(slow, 2**20, iterations=3) == 2**20 * BYTE + 48 * CYCLE


# Transfers -----------------------------------------------------------------------------


def test_load_moves_rows_of_pixels_over_the_channel_of_each_memtile():
    made = work_of(load(5, (14, 14, 14, 7), 64), EXACT)
    assert made.seconds.tolist() == [[n * 5 * 64 * BYTE for n in (14, 14, 14, 7)]]
    assert made.bytes == 5 * 49 * 64


def test_loads_of_one_kind_have_both_channels_of_a_memtile():
    loads = [load(2, 8, 64), load(2, (8, 8, 8, 24), 64)]
    spans, end = time_loads(loads, [work_of(i, EXACT) for i in loads], EXACT, 1.0)
    assert end == 1.0 + (2 * 8 + 2 * 24) * 64 * BYTE / 2
    assert [span.duration for span in spans] == [2 * n * 64 * BYTE / 2 for n in (8, 24)]
    assert {span.start for span in spans} == {1.0}


def test_load_and_loadw_run_beside_each_other_with_a_channel_each():
    both = [load(2, 8, 64), instr("LOADW", blob=0, bytes=(4672, 0, 0, 0))]
    works = [work_of(i, EXACT) for i in both]
    assert time_loads(both, works, EXACT, 0.0)[1] == 4672 * BYTE
    both[1] = instr("LOADW", blob=0, bytes=(512, 0, 0, 0))
    works = [work_of(i, EXACT) for i in both]
    # Memtile 0 shares its channels; the others have activations only.
    assert time_loads(both, works, EXACT, 0.0)[1] == 1024 * BYTE


def test_write_has_one_channel_a_memtile():
    write = instr("WRITE", ddr=0, h=3, w=(4, 4, 4, 2), c=16, drow=0, dpix=0)
    span, end = time_write(work_of(write, EXACT), EXACT, 2.0)
    assert end == 2.0 + 3 * 4 * 16 * BYTE
    assert span.duration == 3 * 4 * 16 * BYTE


def test_loadfm_counts_own_pixels_and_halo_once_for_all_rows():
    made = loadfm(h=5, w=(14, 14, 14, 14), c=64, wl=(0, 1, 1, 1), wr=(1, 1, 1, 0))
    assert seconds(made) == [[5 * n * 64 * BYTE for n in (15, 16, 16, 15)]]


def test_loadfm_of_own_channels_counts_each_row():
    made = loadfm(h=2, w=4, c=(16, 16, 8, 0), coff=(0, 16, 32, 0))
    assert seconds(made) == [[2 * 4 * 40 * BYTE] * 4]


def test_loadfm_differs_from_iteration_to_iteration():
    grid = tuple(((c,) * 4,) * 4 for c in (32, 8))
    assert seconds(loadfm((1, 2), h=1, w=2, c=grid)) == [[64 * BYTE] * 4, [16 * BYTE] * 4]


@pytest.mark.parametrize("links", [1, 2, 4])
def test_writefm_is_one_link_for_all_rows_of_a_column(links: int):
    made = writefm(h=3, w=(7, 7, 7, 6), c=(16, 16, 16, 8))
    arch = exact_arch(writefm_links=links)
    assert seconds(made, arch) == [[3 * n * 56 * BYTE / links for n in (7, 7, 7, 6)]]


def test_loadwdm_takes_the_slowest_memtile():
    made = loadwdm((4672, 2624, 16, 0))
    assert seconds(made) == [[n * BYTE for n in (4672, 2624, 16, 0)]]
    stage = time_stage([made], [work_of(made, EXACT)], 0.0)
    assert (stage.end, stage.halted) == (4672 * BYTE, 4672 * BYTE)


def test_rows_beyond_the_memtiles_share_a_row_channel():
    # Three rows, two memtiles: memtile 0 serves rows 0 and 2.
    assert seconds(loadwdm((100, 30, 50)), exact_arch(3, 2)) == [[150 * BYTE, 30 * BYTE]]


# Computations --------------------------------------------------------------------------


def test_conv_takes_the_fullest_core_of_each_column():
    made = work_of(conv(h=5, w=(14, 14, 14, 13), blocks=(32, 30, 16, 0)), EXACT)
    cycles = [-(-5 * n // 4) * 32 * 9 for n in (14, 14, 14, 13)]
    assert made.seconds.tolist() == [[n * CYCLE for n in cycles]]
    assert made.macs == 5 * 55 * 9 * 64 * (32 + 30 + 16)
    assert made.macs_dense == 5 * 55 * 9 * 64 * 4 * 64


def test_pixels_fill_matrix_operations_across_rows():
    # 3 rows x 3 pixels are 9, three operations and not 3 x 1.
    assert seconds(conv(h=3, w=3, blocks=1, k=(1, 1))) == [[3 * CYCLE] * 4]


def test_rows_without_channels_compute_nothing():
    made = work_of(conv(h=1, w=4, blocks=6, cout=(16, 8, 0, 0), k=(1, 1)), EXACT)
    assert made.macs == 16 * 64 * (6 + 6)
    assert made.macs_dense == 16 * 64 * (16 + 8)
    assert made.seconds.tolist() == [[6 * CYCLE] * 4]


def test_conv_differs_from_pass_to_pass():
    made = conv((2, 2), h=1, w=4, blocks=((4,) * 4, (2,) * 4) * 2, k=(1, 1))
    assert seconds(made) == [[n * CYCLE] * 4 for n in (4, 2, 4, 2)]


@pytest.mark.parametrize(
    ("mnemonic", "fields", "cycles"),
    [
        ("ADD", {"c": 64}, 4),
        ("MUL", {"c": 65}, 5),
        ("COPY", {"c": (64, 16, 0, 0)}, 4),
        ("MAXPOOL", {"c": 64, "k": (3, 3)}, 36),
        ("AVGPOOL", {"c": 8, "k": (7, 7)}, 25),
    ],
)
def test_vector_work(mnemonic: str, fields: dict[str, FieldValue], cycles: int):
    made = instr(mnemonic, (1,), h=4, w=(4, 4, 4, 0), **fields)
    assert seconds(made) == [[n * CYCLE for n in (cycles, cycles, cycles, 0)]]


def test_the_paper_machine():
    """One subvolume on paper-4x4: 4 rows of 56 pixels, 64 to 64 channels, 1 x 1;
    3584 bytes a column; a core has 16 of the output channels: 14 x 16 matrix operations."""
    assert seconds(loadfm(h=4, w=14, c=64), PAPER) == [[3584 / 2**32] * 4]
    made = work_of(conv(h=4, w=14, blocks=16, k=(1, 1), cout=16), PAPER)
    assert made.seconds.tolist() == [[224 / 1e9] * 4]
    assert made.macs == 4 * 56 * 64 * 64


# Overheads -----------------------------------------------------------------------------


def test_overheads_of_the_machine():
    arch = exact_arch(
        descriptor_cycles=3, lock_cycles=5, load_task_cycles=100, write_task_cycles=200
    )
    use = LockUse(("k_0",))
    made = loadfm(h=1, w=4, c=16)
    locked = Instr(made.mnemonic, made.iters, made.fields, lock=use, acquire=(use, use))
    assert seconds(locked, arch) == [[64 * BYTE + (3 + 15) * CYCLE] * 4]
    assert seconds(load(1, 4, 16), arch) == [[64 * BYTE + 103 * CYCLE] * 4]
    write = instr("WRITE", ddr=0, h=1, w=4, c=16, drow=0, dpix=0)
    assert seconds(write, arch) == [[64 * BYTE + 203 * CYCLE] * 4]
    busy = conv(h=1, w=(4, 4, 4, 0), blocks=2, k=(1, 1))
    busy = Instr("CONV", busy.iters, busy.fields, acquire=(use,), release=(use,))
    assert seconds(busy, arch) == [[12 * CYCLE] * 3 + [0.0]]


# Stages --------------------------------------------------------------------------------

LOADED, COMPUTED, WRITTEN = 256 * BYTE, 9 * CYCLE, 128 * BYTE


def stage_of(n: int, *extra: Instr) -> list[Instr]:
    """Load, compute and write with a ping and a pong; each iteration takes the three times
    above."""
    return [
        *extra,
        loadfm((n,), h=1, w=4, c=64),
        conv((n,), h=1, w=4, blocks=1),
        writefm((n,), h=1, w=4, c=8),
    ]


def timed(instrs: list[Instr], arch: Arch = EXACT) -> tuple[float, float, str]:
    """Duration, halts and bound of a stage."""
    stage = time_stage(instrs, [work_of(i, arch) for i in instrs], 0.0)
    return stage.end, stage.halted, stage.bound


def test_one_iteration_is_load_then_compute_then_write():
    assert timed(stage_of(1)) == (LOADED + COMPUTED + WRITTEN, 0.0, "load")


@pytest.mark.parametrize("n", [2, 9, 100])
def test_iterations_overlap_and_the_largest_sum_counts(n: int):
    assert timed(stage_of(n)) == (n * LOADED, 0.0, "load")
    busy = [*stage_of(n)[:1], conv((n,), h=1, w=4, blocks=100), *stage_of(n)[2:]]
    assert timed(busy) == (n * 100 * COMPUTED, 0.0, "compute")


@pytest.mark.parametrize("n", [2, 9])
def test_without_a_pong_loads_and_writes_take_turns_with_the_computation(n: int):
    load, compute, write = stage_of(n)
    single = {**load.fields, "core": Slots((0,))}
    one_load = replace(load, fields=single)
    one_write = replace(write, fields={**write.fields, "core": Slots((0,))})
    assert timed([one_load, compute, write])[0] == n * (LOADED + COMPUTED)
    longest = max(LOADED, COMPUTED + WRITTEN)
    assert timed([load, compute, one_write])[0] == n * longest
    assert timed([one_load, compute, one_write])[0] == n * (COMPUTED + max(LOADED, WRITTEN))


def test_what_happens_once_adds_to_what_iterates():
    inner = [
        loadfm((1,), h=1, w=4, c=64),
        loadwdm((64, 0, 0, 0), (1, 6)),
        conv((1, 6), h=1, w=4, blocks=1),
        writefm((1, 6), h=1, w=4, c=8),
    ]
    end, halted, bound = timed(inner)
    assert halted == 6 * 64 * BYTE
    assert end == LOADED + 6 * max(COMPUTED, WRITTEN) + halted
    assert bound == "write"


def test_weights_halt_everything_else():
    with_weights = stage_of(4, loadwdm((512, 0, 0, 256), (4,)))
    assert timed(with_weights) == (4 * LOADED + 4 * 512 * BYTE, 4 * 512 * BYTE, "load")


def test_the_slowest_column_counts_and_not_the_slowest_parts():
    uneven = [
        loadfm(h=1, w=(1, 8, 1, 1), c=64),
        conv(h=1, w=(64, 4, 4, 4), blocks=1, k=(1, 1)),
        writefm(h=1, w=4, c=0),
    ]
    columns = [64 * BYTE + 16 * CYCLE, 512 * BYTE + 1 * CYCLE]
    assert timed(uneven) == (max(columns), 0.0, "load")


def test_spans_of_a_stage_lie_within_it():
    instrs = stage_of(3, loadwdm((512, 0, 0, 0), (3,)))
    works = [work_of(i, EXACT) for i in instrs]
    stage = time_stage(instrs, works, 5.0)
    for span in stage.spans:
        assert 5.0 <= span.start <= span.start + span.duration <= stage.end
    assert np.array([span.duration for span in stage.spans]).min() > 0
