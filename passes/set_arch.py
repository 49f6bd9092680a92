"""
`--set-arch=NAME`: choose the machine.

    builtin.module { … }
    // bsc-opt --set-arch=paper-2x2
    builtin.module attributes {bsc.arch = #dataflow.arch<"paper-2x2">} { … }

Without it every pass takes `paper-4x4`.  A pass reads no files: `bsc-opt` reads a user's
TOML file (`--set-arch=mine.toml`) and hands its text to the pass.  Needs no other pass; comes
first, as what the other passes have decided holds for the machine that was there.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from bsc.arch import DEFAULT_ARCH, arch_from_toml, preset
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.options import check_options, option


@dataclass(frozen=True)
class SetArchPass(ModulePass):
    """Attach `bsc.arch`: a preset, or the machine that the TOML text `toml` describes."""

    name = "set-arch"

    arch: str = option(
        DEFAULT_ARCH,
        "the machine; bsc-opt takes a file too, one that ends in .toml",
        f"a name such as {DEFAULT_ARCH}",
        lambda name: name != "",
    )
    toml: str | None = option(
        None,
        "the text of such a file; then `arch` is only the machine's name",
        "TOML with the fields of an arch",
        lambda text: True,
    )

    __post_init__ = check_options

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = (
            preset(self.arch) if self.toml is None else arch_from_toml(self.toml, self.arch)
        )
        op.attributes[ARCH] = ArchAttr(machine)
