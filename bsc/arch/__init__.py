"""The machine as data: what the compiler plans for and the simulator obeys."""

from bsc.arch.arch import Arch
from bsc.arch.load import DEFAULT_ARCH, arch_from_toml, load_arch, preset, preset_names

__all__ = ["DEFAULT_ARCH", "Arch", "arch_from_toml", "load_arch", "preset", "preset_names"]
