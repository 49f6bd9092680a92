"""The instructions of one layer, between memtiles and cores.

Passes over COUT are written out; groups of rows, equal tiles of W, chunks of CIN and streamed
passes are iterations with strides (section 4.4 of the paper).  A stage is

    weights stay          LOADFM n x T, computation n x T, WRITEFM n x T
    CIN comes in chunks   LOADFM n x K, LOADWDM n x K, computation n x K, WRITEFM n
    activations stay      LOADFM n, then LOADWDM n x P, computation n x P, WRITEFM n x P

for n groups of rows, T tiles, K chunks and P passes.  Buffers are used in turn: the ping, the
pong, and on, from stage to stage and pass to pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bsc.arch import Arch
from bsc.asm.program import (
    FieldValue,
    Instr,
    IntArray,
    Slots,
    Value,
    compact,
    compact_iterations,
)
from bsc.geometry import lengths
from bsc.lowering.located import Located
from bsc.tiling.core import CoreBuffer, CorePlan, compute_window, source_name
from bsc.tiling.layer import Source
from bsc.tiling.pixels import Run
from bsc.tiling.rows import StageShape

_NEIGHBOURS = (("memtile", "w", 0), ("left", "wl", -1), ("right", "wr", 1))
"""The fields of the address and width of each piece of a LOADFM."""


@dataclass(frozen=True)
class LayerPlaces:
    """Where a layer's data is: its sources, its output, and its weights in every memtile."""

    sources: tuple[Located, ...]
    out: Located
    weights: int = 0


@dataclass
class LayerCode:
    """Makes the instructions of a layer; `kernel` are the fields that do not change."""

    plan: CorePlan
    arch: Arch
    places: LayerPlaces
    buffers: dict[str, CoreBuffer]
    kernel: dict[str, FieldValue]
    operands: tuple[str, ...]
    """The fields of the computation that name the buffers of the sources."""
    used: dict[str, int] = field(default_factory=dict[str, int])
    """How often each buffer has been used, to tell whose turn it is."""

    def stages(self) -> Iterator[tuple[str, list[Instr]]]:
        """(label, instructions) of each stage; weights that stay have one of their own."""
        plan = self.plan
        if plan.passes_inside:
            for run in plan.runs:
                for stage in plan.stages:
                    yield stage.label, self._stage_of_passes(stage, run)
            return
        for index in range(plan.channels.pass_count):
            if plan.layer.weight is not None and not plan.streams_weights:
                yield "weights", [self._weights([(index, 0)], (1,))]
            for run in plan.runs:
                for stage in plan.stages:
                    yield stage.label, self._stage(stage, run, index)
            if plan.layer.weight is not None and not plan.streams_weights:
                self._advance("weights", 1)

    # Stages ------------------------------------------------------------------------------

    def _stage(self, stage: StageShape, run: Run, index: int) -> list[Instr]:
        """A stage of one pass; its inner iterations, if any, are chunks of CIN or tiles."""
        plan, tile = self.plan, run.first
        chunks = plan.channels.chunk_count
        each = (stage.iterations,) if run.tiles == 1 else (stage.iterations, run.tiles)
        iters = each if chunks == 1 else (stage.iterations, chunks)
        n = math.prod(each)
        further = range(1, len(plan.layer.sources))
        parts = [(index, k) for k in range(chunks)] * n
        code = [self._load(0, stage, tile, parts, iters)]
        others = [self._load(s, stage, tile, [(index, 0)] * n, each) for s in further]
        code = [*others, *code] if chunks > 1 else [*code, *others]
        if plan.streams_weights:
            code.append(self._weights(parts, iters))
        code.append(self._compute(stage, tile, parts, iters))
        code.append(self._write(stage, tile, [(index, 0)] * n, each))
        self._advance("in", n * chunks)
        for s in further:
            self._advance(source_name(s), n)
        if plan.streams_weights:
            self._advance("weights", n * chunks)
        self._advance("out", n)
        return code

    def _stage_of_passes(self, stage: StageShape, run: Run) -> list[Instr]:
        """A stage that loads its input once and runs all passes over it."""
        plan, n, tile = self.plan, stage.iterations, run.first
        iters = (n, plan.channels.pass_count)
        further = range(1, len(plan.layer.sources))
        parts = [(p, 0) for p in range(plan.channels.pass_count)] * n
        code = [
            self._load(0, stage, tile, [(0, 0)] * n, (n,)),
            self._weights(parts, iters),
            *(self._load(s, stage, tile, parts, iters) for s in further),
            self._compute(stage, tile, parts, iters),
            self._write(stage, tile, parts, iters),
        ]
        self._advance("in", n)
        for name in ("weights", "out", *(source_name(s) for s in further)):
            self._advance(name, n * plan.channels.pass_count)
        return code

    def _slots(self, name: str, period: int = 1) -> Slots:
        """A buffer's addresses, beginning with the one whose turn it is."""
        addresses = self.buffers[name].addresses
        turn = self.used.get(name, 0) % len(addresses)
        return Slots(addresses[turn:] + addresses[:turn], period)

    def _advance(self, name: str, times: int) -> None:
        self.used[name] = self.used.get(name, 0) + times

    # Transfers ---------------------------------------------------------------------------

    def _load(
        self,
        index: int,
        stage: StageShape,
        tile: int,
        parts: Sequence[tuple[int, int]],
        iters: tuple[int, ...],
    ) -> Instr:
        """LOADFM of one source; `parts` are the (pass, chunk) of each iteration."""
        plan, located = self.plan, self.places.sources[index]
        source = plan.layer.sources[index]
        columns = range(self.arch.cols)
        fields: dict[str, FieldValue] = {}
        row_step = source.window.h.stride if source.skips_rows else 1
        pixel_step = source.window.w.stride if source.skips_pixels else 1
        first = stage.spans[index].lo
        for key, width, neighbour in _NEIGHBOURS:
            addresses, widths = self._pieces(source, located, tile, first, neighbour)
            if neighbour == 0 or any(widths):
                fields[key], fields[width] = compact(addresses), compact(widths)
        fields["core"] = self._slots(source_name(index))
        fields["h"] = stage.loaded[index]
        fields["c"] = self._channel_bytes(index, parts)
        if not source.all_channels:
            fields["coff"] = self._channel_offsets(source, parts[0][0])
        fields["row"] = compact([located.row_bytes(c) * row_step for c in columns])
        fields["pix"] = compact([located.pixel_bytes(c) * pixel_step for c in columns])
        stride = stage.rows * source.window.h.stride // source.window.h.repeat
        inner = self._channel_step(index)
        self._add_steps(fields, located, (stride, plan.pixels.step(source)), inner, iters)
        return Instr("LOADFM", iters, fields)

    def _pieces(
        self, source: Source, located: Located, tile: int, row: int, neighbour: int
    ) -> tuple[list[int], list[int]]:
        """Address and pixels of the piece that each column reads from one neighbour."""
        addresses, widths = [0] * self.arch.cols, [0] * self.arch.cols
        for column, (lo, hi) in enumerate(self.plan.pixels.tiles[tile]):
            found = source.pieces(column, self.arch.cols, lo, hi) or ()
            for piece in found:
                if piece.memtile == column + neighbour:
                    pixel = located.pixel_bytes(piece.memtile)
                    start = located.address(piece.memtile, row)
                    addresses[column] = start + piece.start * pixel
                    widths[column] = piece.pixels
        return addresses, widths

    def _channel_bytes(self, index: int, parts: Sequence[tuple[int, int]]) -> Value:
        """Bytes of a pixel of a source on each core, for each iteration."""
        plan, source = self.plan, self.plan.layer.sources[index]
        if source.all_channels:
            sizes = np.array(lengths(plan.channels.chunk_bounds)) * source.element
            per_part = np.broadcast_to(
                sizes[[k for _, k in parts], None, None],
                (len(parts), self.arch.rows, self.arch.cols),
            )
        else:
            own = plan.channels.own(index) * source.element
            per_part = own[[p for p, _ in parts]]
        return compact_iterations(per_part)

    def _channel_offsets(self, source: Source, index: int) -> Value:
        """Where a core's own channels begin in a pixel, in bytes."""
        lo, _ = self.plan.channels.cout_ranges
        return compact(lo[index] * source.element)

    def _channel_step(self, index: int) -> int:
        """Bytes from the channels of one inner iteration to those of the next; 0 if they are
        the same."""
        plan, source = self.plan, self.plan.layer.sources[index]
        if source.all_channels:
            chunks = plan.channels.chunk_count
            return plan.channels.chunk_bounds[1] * source.element if chunks > 1 else 0
        return plan.channels.cout * source.element if plan.passes_inside else 0

    def _add_steps(
        self,
        fields: dict[str, FieldValue],
        located: Located,
        moved: tuple[int, int],
        channels: int,
        iters: tuple[int, ...],
    ) -> None:
        """The strides of the iterations, where there are any: rows and pixels that a tensor
        has moved on, or bytes along its channels."""
        columns, (rows, pixels) = range(self.arch.cols), moved
        if iters[0] > 1:
            fields["hstep"] = compact([located.row_bytes(c) * rows for c in columns])
        if len(iters) == 2 and channels:
            fields["cstep"] = channels
        elif len(iters) == 2 and not self.plan.passes_inside:
            fields["cstep"] = compact([located.pixel_bytes(c) * pixels for c in columns])

    def _weights(self, parts: Sequence[tuple[int, int]], iters: tuple[int, ...]) -> Instr:
        """LOADWDM of the subvolumes `parts`, one an iteration."""
        offsets, sizes = self.plan.channels.weight_pieces(self.arch)
        passes, chunks = [p for p, _ in parts], [k for _, k in parts]
        core = np.zeros_like(sizes)
        for row in range(self.arch.rows):
            links = list(self.arch.links_of_row(row))
            own = sizes[:, :, links]
            core[:, :, links] = np.cumsum(own, axis=2) - own
        picked = [a[passes, chunks] for a in (offsets + self.places.weights, sizes, core)]
        memtile, count, start = (compact_iterations(a) for a in picked)
        fields: dict[str, FieldValue] = {"memtile": memtile, "bytes": count, "off": start}
        fields["core"] = self._weight_slots()
        return Instr("LOADWDM", iters, fields)

    def _weight_slots(self, period: int = 1) -> Slots:
        slots = self._slots("weights", period)
        return slots if self.plan.streams_weights else Slots(slots.addresses[:1])

    def _write(
        self,
        stage: StageShape,
        tile: int,
        parts: Sequence[tuple[int, int]],
        iters: tuple[int, ...],
    ) -> Instr:
        """WRITEFM of one stage."""
        layer, out = self.plan.layer, self.places.out
        columns = range(self.arch.cols)
        addresses = [
            out.address(c, stage.first) + (lo - layer.pixels(c)[0]) * out.pixel_bytes(c)
            for c, (lo, _) in enumerate(self.plan.pixels.tiles[tile])
        ]
        lo, hi = self.plan.channels.cout_ranges
        count = ((hi - lo) * layer.out_element)[[p for p, _ in parts]]
        fields: dict[str, FieldValue] = {
            "memtile": compact(addresses),
            "core": self._slots("out"),
            "h": stage.rows,
            "w": self._tile_widths(tile),
            "c": compact_iterations(count),
            "coff": compact(lo[parts[0][0]] * layer.out_element),
            "row": compact([out.row_bytes(c) for c in columns]),
            "pix": compact([out.pixel_bytes(c) for c in columns]),
        }
        channels = layer.out_element * self.plan.channels.cout if self.plan.passes_inside else 0
        self._add_steps(fields, out, (stage.rows, self.plan.pixels.width), channels, iters)
        return Instr("WRITEFM", iters, fields)

    def _tile_widths(self, tile: int) -> Value:
        return compact([hi - lo for lo, hi in self.plan.pixels.tiles[tile]])

    # Computation -------------------------------------------------------------------------

    def _compute(
        self,
        stage: StageShape,
        tile: int,
        parts: Sequence[tuple[int, int]],
        iters: tuple[int, ...],
    ) -> Instr:
        """The computation of one stage."""
        plan, layer = self.plan, self.plan.layer
        inner = iters[1] if len(iters) == 2 else 1
        # What comes or goes once in an outer iteration is used for all inner ones.
        once_in = inner if plan.passes_inside else 1
        once_out = plan.channels.chunk_count
        fields: dict[str, FieldValue] = dict(self.kernel)
        fields["in"] = self._slots("in", once_in)
        fields["out"] = self._slots("out", once_out)
        fields["h"], fields["w"] = stage.rows, self._tile_widths(tile)
        for index in range(1, len(layer.sources)):
            fields[self.operands[index]] = self._slots(source_name(index), once_out)
        lo, hi = plan.channels.cout_ranges
        channels = (hi - lo)[[p for p, _ in parts]]
        if layer.mnemonic in ("CONV", "DENSE"):
            fields["weights"] = self._weight_slots()
            fields["cout"] = compact_iterations(channels[:, :, 0])
            fields["cin"] = self._input_channels(parts)
            blocks = plan.channels.stored_blocks[[p for p, _ in parts], [k for _, k in parts]]
            fields["blocks"] = compact_iterations(blocks)
            self._add_fewer(fields, "cres", range(1, len(layer.sources)), parts)
            if plan.channels.chunk_count > 1:
                fields["chunks"] = plan.channels.chunk_count
                fields["acc"] = self.buffers["acc"].addresses[0]
        else:
            fields["c"] = compact_iterations(channels)
            self._add_fewer(fields, "cin", range(len(layer.sources)), parts)
        if layer.mnemonic in ("CONV", "DENSE", "MAXPOOL", "AVGPOOL"):
            self._add_window(fields, stage, tile)
        elif layer.mnemonic == "RESIZE":
            self._add_repeats(fields, stage, tile)
        return Instr(layer.mnemonic, iters, fields)

    def _add_fewer(
        self,
        fields: dict[str, FieldValue],
        name: str,
        sources: range,
        parts: Sequence[tuple[int, int]],
    ) -> None:
        """The channels that sources have, where that is fewer than the outputs."""
        lo, hi = self.plan.channels.cout_ranges
        for index in sources:
            own = self.plan.channels.own(index)
            if (own < hi - lo).any():
                picked = own[[p for p, _ in parts]]
                rows_only = name == "cres"
                fields[name] = compact_iterations(picked[:, :, 0] if rows_only else picked)

    def _input_channels(self, parts: Sequence[tuple[int, int]]) -> Value:
        sizes: IntArray = np.array(lengths(self.plan.channels.chunk_bounds))
        per_part = np.repeat(sizes[[k for _, k in parts], None], self.arch.rows, axis=1)
        return compact_iterations(per_part)

    def _add_repeats(self, fields: dict[str, FieldValue], stage: StageShape, tile: int) -> None:
        """How the pixels of the input lie under the rows and columns of the output."""
        h, w = self.plan.layer.sources[0].window.h, self.plan.layer.sources[0].window.w
        tiles = self.plan.pixels.tiles[tile]
        fields["hin"] = stage.loaded[0]
        fields["win"] = compact(self.plan.pixels.loaded[0, tile])
        fields["up"] = (h.repeat, w.repeat)
        fields["ph"] = (stage.first + h.phase) % h.repeat
        fields["pw"] = compact([(lo + w.phase) % w.repeat for lo, _ in tiles])

    def _add_window(self, fields: dict[str, FieldValue], stage: StageShape, tile: int) -> None:
        plan, source = self.plan, self.plan.layer.sources[0]
        window = compute_window(source)
        spans = [source.columns_read(lo, hi) for lo, hi in plan.pixels.tiles[tile]]
        pads = [(0, 0) if source.skips_pixels else (s.pad_lo, s.pad_hi) for s in spans]
        rows = stage.spans[0]
        fields["hin"] = stage.loaded[0]
        fields["win"] = compact(plan.pixels.loaded[0, tile])
        fields["k"] = (window.h.kernel, window.w.kernel)
        fields["s"] = (window.h.stride, window.w.stride)
        fields["d"] = (window.h.dilation, window.w.dilation)
        fields["pt"] = 0 if source.skips_rows else rows.pad_lo
        fields["pb"] = 0 if source.skips_rows else rows.pad_hi
        fields["pl"] = compact([left for left, _ in pads])
        fields["pr"] = compact([right for _, right in pads])
