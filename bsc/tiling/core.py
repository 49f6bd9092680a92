"""What a core does with its part of a layer, and the buffers that this takes.

A subvolume (rows, width, COUT, CIN; section 4.2 of the paper) cuts the layer into passes
over COUT and chunks of CIN (`channels`), tiles of W (`pixels`) and groups of rows
(`stages`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bsc.arch import Arch
from bsc.dialects.placement import Stationary, Subvolume
from bsc.geometry import Axis, Window, round_up
from bsc.tiling.channels import ChannelSplit
from bsc.tiling.layer import LayerShape, Source
from bsc.tiling.pixels import PixelSplit
from bsc.tiling.rows import StageShape, split_rows

_ALIGN = 32
"""Core buffers start at multiples of a vector, as AIE2 loads want them."""


@dataclass(frozen=True)
class CoreBuffer:
    """A buffer of the core: the addresses of its slots, `size` bytes each."""

    addresses: tuple[int, ...]
    size: int


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

    # Memory ------------------------------------------------------------------------------

    def source_bytes(self, source: int) -> int:
        """Bytes of the buffer for one source: the largest that any iteration brings."""
        rows = max(stage.loaded[source] for stage in self.stages)
        pixels = int(self.pixels.loaded[source].max())
        element = self.layer.sources[source].element
        return rows * pixels * self.channels.loaded(source) * element

    @property
    def outputs(self) -> int:
        """Numbers that the largest iteration of a core computes."""
        rows = max(stage.rows for stage in self.stages)
        return rows * self.pixels.widest * self.channels.most

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of int32 accumulators that wait for the next chunk of CIN."""
        return self.outputs * 4 if self.channels.chunk_count > 1 else 0

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of one slot of each buffer: the least that the plan takes."""
        return {name: _aligned(size) for name, size, _ in self._streams()}

    def buffers(self, arch: Arch) -> dict[str, CoreBuffer] | None:
        """Where the buffers lie in the core, or None if they do not fit.

        Streams have a ping and a pong if they are used more than once and there is room for
        all of them; else each has one slot, and waits.  Weights that stay get a second slot
        only if there is room, to load the next pass ahead.
        """
        if self.accumulator_bytes > arch.core_scratch_bytes:
            return None
        wanted = list(self._streams())
        fitted = _lay_out(wanted, arch.core_data_bytes)
        if fitted is None:
            single = [(name, size, 1) for name, size, _ in wanted]
            fitted = _lay_out(single, arch.core_data_bytes)
        elif not self.streams_weights and self.channels.pass_count > 1:
            doubled = [(n, s, 2 if n == "weights" else k) for n, s, k in wanted]
            fitted = _lay_out(doubled, arch.core_data_bytes) or fitted
        if fitted is not None and self.accumulator_bytes:
            fitted["acc"] = CoreBuffer((arch.core_data_bytes,), self.accumulator_bytes)
        return fitted

    def _streams(self) -> Iterator[tuple[str, int, int]]:
        """(name, bytes of a slot, number of slots) of each buffer."""
        channels = self.channels
        if self.layer.weight is not None:
            yield "weights", channels.largest_weight, 2 if self.streams_weights else 1
        outer = sum(stage.iterations for stage in self.stages) * len(self.pixels.tiles)
        inner = channels.pass_count * channels.chunk_count
        for i, source in enumerate(self.layer.sources):
            used = outer if source.all_channels and self.passes_inside else outer * inner
            yield source_name(i), self.source_bytes(i), 2 if used > 1 else 1
        size = self.outputs * self.layer.out_element
        yield "out", size, 2 if outer * channels.pass_count > 1 else 1


def source_name(index: int) -> str:
    """The buffer of a layer's source: the first is `in`."""
    return "in" if index == 0 else f"in{index + 1}"


def _aligned(size: int) -> int:
    return round_up(size, _ALIGN)


def _lay_out(wanted: list[tuple[str, int, int]], limit: int) -> dict[str, CoreBuffer] | None:
    """Buffers one after another, or None beyond `limit` bytes."""
    at, out = 0, dict[str, CoreBuffer]()
    for name, size, slots in wanted:
        aligned = _aligned(size)
        out[name] = CoreBuffer(tuple(at + i * aligned for i in range(slots)), size)
        at += slots * aligned
    return out if at <= limit else None
