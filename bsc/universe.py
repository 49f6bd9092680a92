"""What bsc adds to xDSL: dialects, passes and targets, loaded only when they are used.

Any tool built on xDSL finds this through the entry point group `xdsl.universe`; stock
`xdsl-opt -p 'split-width,alloc-memtile'` works once bsc is installed.  It is the whole
of the embedding contract.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target

PASS_NAMES = (
    "set-arch",
    "drop-unread",
    "fuse-epilogue",
    "detect-block-sparsity",
    "split-window",
    "split-width",
    "split-cout",
    "split-cin",
    "schedule",
    "tile-depthwise",
    "split-height",
    "balance-rows",
    "select-subvolume",
    "split-to-fit",
    "alloc-memtile",
    "pack-weights",
    "lower-to-dataflow",
    "chain-locks",
    "annotate-cost",
    "verify-dataflow",
)
"""Our passes, in the order in which a compilation may use them."""


def get_bsw() -> Dialect:
    """Block-sparse weights."""
    from bsc.dialects.bsw import BSW

    return BSW


def get_dataflow() -> Dialect:
    """Memtiles and cores."""
    from bsc.dialects.dataflow import DATAFLOW

    return DATAFLOW


def get_qnn() -> Dialect:
    """Quantized networks on tensors."""
    from bsc.dialects.qnn import QNN

    return QNN


def get_bsc_asm() -> type[Target]:
    """The program text."""
    from bsc.codegen import BscAsmTarget

    return BscAsmTarget


def _pass_factory(name: str) -> Callable[[], type[ModulePass]]:
    """The pass `foo-bar` is the class `FooBarPass` in `bsc/passes/foo_bar.py`."""

    def factory() -> type[ModulePass]:
        module = import_module(f"bsc.passes.{name.replace('-', '_')}")
        class_name = "".join(part.title() for part in name.split("-")) + "Pass"
        return getattr(module, class_name)

    return factory


BSC_UNIVERSE = Universe(
    all_dialects={"bsw": get_bsw, "dataflow": get_dataflow, "qnn": get_qnn},
    all_passes={name: _pass_factory(name) for name in PASS_NAMES},
    all_targets={"bsc-asm": get_bsc_asm},
)
