"""What a core does with its part of a layer, and the buffers that this takes.

A subvolume (rows, width, COUT, CIN; section 4.2 of the paper) cuts the layer into passes
over COUT and chunks of CIN (`channels`), tiles of W (`pixels`) and groups of rows
(`stages`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from bsc.arch import Arch
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import Axis, Window, round_up
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.layer import LayerShape, Source
from bsc.tiling.pixels import PixelSplit, Run
from bsc.tiling.rows import StageShape, split_rows

_ALIGN = 32
"""Core buffers start at multiples of a vector, as AIE2 loads want them."""


@dataclass(frozen=True)
class CoreBuffer:
    """A buffer of the core: the addresses of its slots, `size` bytes each."""

    addresses: tuple[int, ...]
    size: int


Buffers: TypeAlias = dict[str, CoreBuffer]
"""The buffers of a core by name."""


def compute_window(source: Source) -> Window:
    """The window that the core sees: rows and pixels that the transfer skips are gone."""
    h = Axis() if source.skips_rows else source.window.h
    w = Axis() if source.skips_pixels else source.window.w
    return Window(h, w)


@dataclass(frozen=True)
class CorePlan:
    """A layer cut by a subvolume: everything that the cores do, in order."""

    layer: LayerShape
    stationary: Stationary
    channels: ChannelSplit
    pixels: PixelSplit
    stages: tuple[StageShape, ...]

    @staticmethod
    def of(layer: LayerShape, sub: Subvolume) -> CorePlan:
        """The plan that a subvolume stands for."""
        return CorePlan(
            layer,
            sub.stationary,
            ChannelSplit(layer, sub.cout, sub.cin),
            PixelSplit(layer, sub.width),
            split_rows(layer, sub.rows),
        )

    @property
    def streams_weights(self) -> bool:
        """Whether weights come in iteration by iteration instead of once a pass."""
        return self.layer.weight is not None and (
            self.passes_inside or self.channels.chunk_count > 1
        )

    @property
    def passes_inside(self) -> bool:
        """Whether the passes over COUT are the inner iterations of a stage."""
        return self.stationary is Stationary.ACTIVATIONS

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The tiles of W that a stage computes: its inner iterations, unless these are passes
        or chunks."""
        taken = self.passes_inside or self.channels.chunk_count > 1
        return self.pixels.alone if taken else self.pixels.runs

    @property
    def tasks(self) -> tuple[int, int]:
        """Stages of the program, those of the weights not counted, and their iterations."""
        passes, runs = self.channels.pass_count, len(self.runs)
        stages = runs * len(self.stages) * (1 if self.passes_inside else passes)
        return stages, self._groups * passes * self.channels.chunk_count

    @property
    def _groups(self) -> int:
        """Groups of rows of all tiles."""
        return sum(stage.iterations for stage in self.stages) * len(self.pixels.tiles)

    # Memory ------------------------------------------------------------------------------

    def source_bytes(self, source: int) -> int:
        """Bytes of the buffer for one source: the largest that any iteration brings."""
        rows = max(stage.loaded[source] for stage in self.stages)
        pixels = int(self.pixels.loaded[source].max())
        element = self.layer.sources[source].element
        return rows * pixels * self.channels.loaded(source) * element

    @cached_property
    def outputs(self) -> int:
        """Numbers that the largest iteration of a core computes."""
        rows = max(stage.rows for stage in self.stages)
        return rows * self.pixels.widest * self.channels.most

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of int32 accumulators that wait for the next chunk of CIN."""
        return self.outputs * 4 if self.channels.chunk_count > 1 else 0

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The bytes of one slot of each buffer: the least that the plan takes."""
        return {name: _aligned(size) for name, size, _ in self._streams}

    def buffers(self, arch: Arch) -> Buffers | None:
        """Where the buffers lie in the core, or None if they do not fit.

        A stream that is used more than once has a ping and a pong where there is room, the
        input first of all; with a single slot it waits.  Weights that stay get a second slot
        only if there is room when all else has, to load the next pass ahead.
        """
        if self.accumulator_bytes > arch.core_scratch_bytes:
            return None
        sizes = self.sizes
        room = arch.core_data_bytes - sum(sizes.values())
        for doubled in self._doubled(self._streams) if room >= 0 else ():
            if sum(sizes[name] for name in doubled) <= room:
                break
        else:
            return None
        fitted = self._lay_out(doubled)
        if self.accumulator_bytes:
            fitted["acc"] = CoreBuffer((arch.core_data_bytes,), self.accumulator_bytes)
        return fitted

    def _doubled(self, wanted: list[tuple[str, int, int]]) -> Iterator[set[str]]:
        """Which buffers get a second slot, the best choice first."""
        often = {name for name, _, uses in wanted if uses > 1}
        inputs = {name for name in often if name.startswith("in")}
        yield often
        yield often - {"weights"}
        yield inputs
        yield often & {"out"}
        yield set()

    def _lay_out(self, doubled: set[str]) -> Buffers:
        """The buffers one after another."""
        at, out = 0, Buffers()
        for name, size, _ in self._streams:
            slots = 2 if name in doubled else 1
            aligned = self.sizes[name]
            out[name] = CoreBuffer(tuple(at + i * aligned for i in range(slots)), size)
            at += slots * aligned
        return out

    @cached_property
    def _streams(self) -> list[tuple[str, int, int]]:
        """(name, bytes of a slot, how often it is filled) of each buffer."""
        channels, found = self.channels, list[tuple[str, int, int]]()
        outer = self._groups
        inner = channels.pass_count * channels.chunk_count
        if self.layer.weight is not None:
            often = outer * inner if self.streams_weights else channels.pass_count
            found.append(("weights", channels.largest_weight, often))
        for i, source in enumerate(self.layer.sources):
            used = outer if source.all_channels and self.passes_inside else outer * inner
            found.append((source_name(i), self.source_bytes(i), used))
        size = self.outputs * self.layer.out_element
        return [*found, ("out", size, outer * channels.pass_count)]


def source_name(index: int) -> str:
    """The buffer of a layer's source: the first is `in`."""
    return "in" if index == 0 else f"in{index + 1}"


def _aligned(size: int) -> int:
    return round_up(size, _ALIGN)
