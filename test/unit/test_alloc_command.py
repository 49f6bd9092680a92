"""`bsc alloc`: CSV in, CSV out, and one line for every mistake."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import Bsc
from hypothesis import given
from hypothesis import strategies as st
from packings import perfect_packing

from bsc.allocate import Buffer, busiest, check
from bsc.allocate.table import COLUMNS, OFFSET, read_problem, write_solution
from bsc.errors import BscError

ROOT = Path(__file__).resolve().parents[2]


def saved(buffers: Sequence[Buffer], name: str = "problem.csv") -> list[Buffer]:
    """Write a problem as another tool would: columns in another order, one more."""
    lines = [f"{b.size},{b.name},{b.upper},x,{b.lower}" for b in buffers]
    Path(name).write_text("\n".join(["size,id,upper,note,lower", *lines]) + "\n")
    return list(buffers)


def solution(text: str, buffers: Sequence[Buffer]) -> list[int]:
    """The offsets, after a look at all the other columns."""
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows
    assert list(rows[0]) == [*COLUMNS, OFFSET]
    given = [
        Buffer(row["id"], int(row["lower"]), int(row["upper"]), int(row["size"]))
        for row in rows
    ]
    assert given == list(buffers)
    return [int(row["offset"]) for row in rows]


@pytest.mark.parametrize("pinwheels", [0.0, 0.3])
def test_a_perfect_packing_is_found(bsc: Bsc, pinwheels: float):
    buffers = saved(perfect_packing(5, 80, 300, 2000, pinwheels))
    code, out, err = bsc("alloc", "problem.csv", "--capacity", "2000", "-o", "solved.csv")
    assert (code, err) == (0, "")
    text = Path("solved.csv").read_text()
    check(buffers, solution(text, buffers), 2000)
    assert out.startswith("solved.csv: 8")
    assert "buffers in 2,000 bytes, lower bound 2,000, in " in out
    assert bsc("alloc", "problem.csv", "--capacity", "2000")[1] == text


def test_without_a_capacity_it_is_the_least_height(bsc: Bsc):
    buffers = saved(perfect_packing(6, 40, 300, 500, 0.2))
    code, out, err = bsc("alloc", "problem.csv")
    assert code == 0
    check(buffers, solution(out, buffers), 500)
    assert "in 500 bytes, lower bound 500, in " in err
    code, out, err = bsc("alloc", "problem.csv", "--steps", "0")
    assert code == 0
    used = re.search(r"in ([\d,]+) bytes, lower bound 500", err)
    assert used is not None
    check(buffers, solution(out, buffers), int(used[1].replace(",", "")))


def test_offsets_are_aligned(bsc: Bsc):
    buffers = saved([Buffer("a", 0, 5, 65), Buffer("b", 2, 9, 1), Buffer("c", 4, 6, 64)])
    code, out, _ = bsc("alloc", "problem.csv", "--capacity", "256", "--align", "64")
    assert code == 0
    offsets = solution(out, buffers)
    check(buffers, offsets, 256)
    assert all(offset % 64 == 0 for offset in offsets)


def test_a_problem_without_buffers(bsc: Bsc):
    saved([])
    code, out, err = bsc("alloc", "problem.csv")
    assert (code, out) == (0, "id,lower,upper,size,offset\n")
    assert err.startswith("0 buffers in 0 bytes, lower bound 0, in ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "problem.csv:1: no column id and lower and upper and size in ''"),
        ("id,lower,upper\na,0,1\n", "problem.csv:1: no column size in 'id,lower,upper'"),
        ("id,lower,upper,size\na,0,1,-5\n", "problem.csv:2: size -5 is not between 0 and"),
        ("id,lower,upper,size\na,0,1,1\nb,3,3,8\n", "problem.csv:3: lower 3 is not below"),
        ("id,lower,upper,size\na,0,1,1.5\n", "problem.csv:2: size is '1.5', not a whole"),
        ("id,lower,upper,size\na,,1,5\n", "problem.csv:2: lower is '', not a whole number"),
        ("id,lower,upper,size\na,0,1\n", "problem.csv:2: 3 fields, where the first line has 4"),
        ("id,lower,upper,size\na,0,1,2\na,0,1,2\n", "problem.csv:3: id 'a' is that of line 2"),
        ('id,lower,upper,size\n"a,0,1,2\n', "problem.csv:2: no CSV: "),
    ],
)
def test_bad_files(bsc: Bsc, text: str, message: str):
    Path("problem.csv").write_text(text)
    code, out, err = bsc("alloc", "problem.csv", "--capacity", "9", "-o", "solved.csv")
    assert (code, out) == (1, "")
    assert err.startswith(f"bsc: error: {message}")
    assert err.count("\n") == 1
    assert not Path("solved.csv").exists()


def test_an_impossible_capacity_names_the_section(bsc: Bsc):
    saved([Buffer("a", 0, 5, 30), Buffer("b", 3, 9, 40), Buffer("c", 4, 7, 50)])
    code, _, err = bsc("alloc", "problem.csv", "--capacity", "100")
    assert code == 1
    expected = "impossible in 100 bytes: 120 bytes meet from time 4 to 5: give --capacity 120"
    assert expected in err
    assert bsc("alloc", "problem.csv", "--capacity", "120")[0] == 0


GAP = [
    Buffer(name, lower, upper, size)
    for name, lower, upper, size in [
        ("a", 7, 10, 4), ("b", 8, 10, 3), ("c", 1, 3, 4), ("d", 2, 7, 3), ("e", 1, 2, 5),
        ("f", 6, 8, 2), ("g", 7, 10, 2), ("h", 0, 1, 4), ("i", 4, 7, 3), ("j", 4, 8, 1),
        ("k", 2, 5, 2),
    ]
]  # fmt: skip
"""No more than 9 bytes are live at once, and 9 bytes are not enough."""


def test_a_capacity_without_a_packing_is_refused(bsc: Bsc):
    saved(GAP)
    assert busiest(GAP).load == 9
    code, _, err = bsc("alloc", "problem.csv", "--capacity", "9")
    assert code == 1
    assert "impossible in 9 bytes, although no more than 9 bytes meet (from time 1 to 2)" in err
    assert "all packings were tried: give more --capacity" in err
    code, out, err = bsc("alloc", "problem.csv")
    assert code == 0
    assert "in 10 bytes, lower bound 9, in " in err
    check(GAP, solution(out, GAP), 10)


def test_too_few_steps_are_told(bsc: Bsc):
    saved(perfect_packing(7, 150, 300, 2000, 0.2))
    code, _, err = bsc("alloc", "problem.csv", "--capacity", "2000", "--steps", "50")
    assert code == 1
    assert re.search(r"no packing found in 2000 bytes; 2000 bytes meet from time \d+ to", err)
    assert err.count("\n") == 1


def test_circular_needs_a_capacity(bsc: Bsc):
    saved(GAP)
    code, _, err = bsc("alloc", "problem.csv", "--circular")
    assert (code, err.count("\n")) == (1, 1)
    assert "--circular needs --capacity" in err
    code, out, err = bsc("alloc", "problem.csv", "--circular", "--capacity", "20")
    assert code == 0
    check(GAP, solution(out, GAP), 20, circular=True)
    assert "in 20 bytes" in err


NAMES = st.text(alphabet='ab,;"\n é', max_size=5)


@given(st.lists(st.tuples(NAMES, st.integers(-99, 99), st.integers(1, 99), st.integers(0, 99))))
def test_what_is_written_is_read_again(rows: list[tuple[str, int, int, int]]):
    buffers = [
        Buffer(f"b{name}{index}", lower, lower + long, size)
        for index, (name, lower, long, size) in enumerate(rows)
    ]
    assert read_problem(write_solution(buffers, [0] * len(buffers)), "x") == buffers


@given(st.text(alphabet='id,lowerupz\n019"-'))
def test_any_text_is_refused_in_one_line(text: str):
    with pytest.raises(BscError) as caught:
        read_problem(f"{text},", "x.csv")
    assert "\n" not in str(caught.value)


def test_the_columns_are_described():
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    part = page.split("## Allocation problems: CSV")[1].split("\n## ")[0]
    names = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert names == [*COLUMNS, OFFSET]
