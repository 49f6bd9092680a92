"""Options of passes: what they can be is checked before anything runs, in one line."""

from __future__ import annotations

from dataclasses import fields

import pytest
from xdsl.passes import ModulePass

from bsc.errors import BscError
from bsc.options import option_of
from bsc.passes.alloc_memtile import AllocMemtilePass
from bsc.passes.select_subvolume import SelectSubvolumePass
from bsc.passes.split_width import SplitWidthPass
from bsc.pipelines import parse_specs, resolve
from bsc.universe import BSC_UNIVERSE, PASS_NAMES

CLASSES = [BSC_UNIVERSE.all_passes[name]() for name in PASS_NAMES]
OPTIONS = [(cls, f.name) for cls in CLASSES for f in fields(cls)]
COUNTS = [
    "split-width factor",
    "split-cout factor",
    "split-cin factor",
    "split-height factor",
    "select-subvolume rows",
    "select-subvolume width",
    "select-subvolume cout",
    "select-subvolume cin",
    "split-to-fit capacity",
    "alloc-memtile capacity",
]


@pytest.mark.parametrize(("cls", "name"), OPTIONS, ids=lambda v: getattr(v, "name", v))
def test_every_option_says_what_it_does_and_what_it_can_be(cls: type[ModulePass], name: str):
    known = option_of(cls, name)
    assert known is not None
    assert known.text
    assert known.values


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "true", "1,2"])
def test_counts_are_at_least_one(option: str, value: str):
    name, field = option.split()
    with pytest.raises(BscError) as e:
        resolve(parse_specs(f"{name}{{{field}={value}}}"))
    expected = f"{name}: {field} must be a whole number of at least 1, not {value}"
    assert str(e.value).lower() == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ('set-arch{arch=""}', "set-arch: arch must be a name such as paper-4x4, not ''"),
        ("set-arch{arch=4}", "set-arch: arch must be a name such as paper-4x4, not 4"),
        (
            "select-subvolume{stationary=both}",
            "select-subvolume: stationary must be weights or activations, not both",
        ),
        (
            "annotate-cost{timing=late}",
            "annotate-cost: timing must be serial or overlap, not late",
        ),
        ("alloc-memtile{strict}", "alloc-memtile: strict must be true or false, not without a"),
        ("alloc-memtile{strict=1}", "alloc-memtile: strict must be true or false, not 1"),
        *(
            (
                f'detect-block-sparsity{{block="{block}"}}',
                "detect-block-sparsity: block must be COUTxCIN, two numbers of at least 1 as "
                f"in 8x8 or 16x4, or auto, not {block}",
            )
            for block in ("8", "0x8", "8x0", "8x8x8", "-8x8", "8 x 8", "axb")
        ),
        *(
            (
                f'lower-to-dataflow{{program="{name}"}}',
                "lower-to-dataflow: program must be a name of letters, digits and _, beginning "
                f"with none of the digits, not {name}",
            )
            for name in ("4x4", "a b", "a-b", "é")
        ),
    ],
)
def test_other_options(spec: str, message: str):
    with pytest.raises(BscError) as e:
        resolve(parse_specs(spec))
    assert str(e.value).startswith(message)


def test_they_are_checked_in_python_too():
    with pytest.raises(BscError, match=r"^factor must be a whole number of at least 1, not 0$"):
        SplitWidthPass(0)
    with pytest.raises(BscError, match=r"^stationary must be weights or activations, not x$"):
        SelectSubvolumePass(stationary="x")


def test_values_that_are_allowed():
    assert SplitWidthPass().factor is None
    assert SplitWidthPass(1).factor == 1
    assert AllocMemtilePass(1, True) == AllocMemtilePass(capacity=1, strict=True)
    assert SelectSubvolumePass(stationary="activations").rows is None
