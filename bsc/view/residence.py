"""What lies where in the memtiles, and from when to when: rectangles of address x time.

Worked out from the instructions: what is written by a `LOAD` is the tensor at that address
of DDR, what is written by a `LOADW` are the weights of the layer that reads them, what is
written by a `WRITEFM` is a tensor of its layer.  A rectangle reaches from the start of the
first write to the end of the last read.  All memtiles hold their piece at the same address,
but not at the same time; a piece is drawn as large as the largest of them.  The end of one
may be covered by the next: rows that nobody reads any more are overwritten while the last
rows are still read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bsc.asm.footprint import Access, accesses
from bsc.asm.isa import Engine
from bsc.asm.program import Instr, Layer, Program, Ready, Tensor
from bsc.errors import BscError

Span = tuple[float, float]
"""From a start to an end, in seconds."""

Spans = Callable[[Instr, int], "Span | None"]
"""When an instruction touches the memtile: as its own, or as the neighbour that is so many
columns away (0, -1 or 1) from the column that reads; None if it does not."""


@dataclass
class Residence:
    """Bytes [lo, hi) of a memtile, modulo its size, from `start_s` to `end_s`."""

    label: str
    kind: str
    """`input`, `weights`, `tensor` (made in place) or `reloaded` (back from DDR)."""

    lo: int
    hi: int
    start_s: float
    end_s: float
    spilled: bool = False
    """Whether it is written to DDR without being an output."""

    growing: bool = True
    """Whether it is still being written."""

    def touches(self, lo: int, hi: int, size: int) -> bool:
        """Whether [lo, hi) overlaps it or is next to it."""
        return any(self.lo <= hi + s and lo + s <= self.hi for s in (-size, 0, size))

    def overlaps(self, lo: int, hi: int, size: int) -> bool:
        """Whether [lo, hi) overlaps it."""
        return any(self.lo < hi + s and lo + s < self.hi for s in (-size, 0, size))


def residences(program: Program, spans: Spans) -> list[Residence]:
    """All that lies in a memtile while a program runs, in the order of its arrival.

    `spans` has the times of each instruction there.
    """
    walk = _Walk(program, spans)
    for item in program.body:
        if isinstance(item, Layer):
            walk.layer = item
        elif isinstance(item, Ready):
            walk.ready(item)
        elif isinstance(item, Instr):
            walk.instruction(item)
    return walk.found


class _Walk:
    """Goes through a program in the order of its text."""

    def __init__(self, program: Program, spans: Spans):
        self.program = program
        self.spans = spans
        self.size = program.arch.memtile_bytes
        self.outputs = {port.tensor for port in program.outputs}
        self.inputs = {port.tensor for port in program.inputs}
        self.layer = Layer("", "", "")
        self.found: list[Residence] = []
        self.live: list[Residence] = []

    def instruction(self, instr: Instr) -> None:
        """Reads lengthen what is there; writes begin something, or make it grow."""
        touched = accesses(instr, self.program.arch)
        inside = [a for a in touched if a.memory == "memtile" and a.hi > a.lo]
        ddr = next((a for a in touched if a.memory == "ddr" and a.hi > a.lo), None)
        for access in inside:
            span = self.spans(instr, access.neighbour)
            if span is None:
                continue
            if access.writes:
                self._write(instr, access, ddr, span)
            else:
                self._read(instr, access, ddr, span[1])

    def _read(self, instr: Instr, access: Access, ddr: Access | None, end: float) -> None:
        target = None if ddr is None else self._tensor_at(ddr.lo)
        for there in self.live:
            if there.overlaps(access.lo, access.hi, self.size):
                there.end_s = max(there.end_s, end)
                there.growing = there.growing and there.kind == "tensor"
                if instr.spec.engine is Engine.LOADWDM and not there.label:
                    there.label = f"weights of {self.layer.name}"
                if target is not None and target.name not in self.outputs:
                    there.spilled = True

    def _write(self, instr: Instr, access: Access, ddr: Access | None, span: Span) -> None:
        label, kind = self._written(instr, ddr)
        lo = access.lo % self.size
        hi = lo + access.hi - access.lo
        for there in self.live:
            same = there.growing and (there.label, there.kind) == (label, kind)
            if same and kind != "weights" and there.touches(lo, hi, self.size):
                shift = -self.size if lo > there.hi else self.size if hi < there.lo else 0
                there.lo, there.hi = min(there.lo, lo + shift), max(there.hi, hi + shift)
                there.end_s = max(there.end_s, span[1])
                return
        self.live = [r for r in self.live if not r.overlaps(lo, hi, self.size)]
        self.live.append(Residence(label, kind, lo, hi, *span))
        self.found.append(self.live[-1])

    def _written(self, instr: Instr, ddr: Access | None) -> tuple[str, str]:
        """What an instruction writes, and its kind."""
        if instr.spec.engine is Engine.LOADW:
            return "", "weights"
        if ddr is not None:
            tensor = self._tensor_at(ddr.lo)
            kind = "input" if tensor.name in self.inputs else "reloaded"
            return tensor.onnx_name or tensor.name, kind
        return self.layer.name, "tensor"

    def ready(self, item: Ready) -> None:
        """A tensor is complete: what was written of it is one piece, under its name."""
        if item.memtile is None:
            return
        tensor = self.program.tensors[item.tensor]
        lo = item.memtile % self.size
        hi = lo + piece_bytes(tensor, item)
        pieces = [
            r
            for r in self.live
            if r.growing and r.kind == "tensor" and r.overlaps(lo, hi, self.size)
        ]
        if not pieces:
            return
        first = pieces[0]
        first.label, first.growing = tensor.onnx_name or tensor.name, False
        first.lo, first.hi = lo, hi
        for other in pieces[1:]:
            first.start_s = min(first.start_s, other.start_s)
            first.end_s = max(first.end_s, other.end_s)
            self.live.remove(other)
            self.found.remove(other)

    def _tensor_at(self, address: int) -> Tensor:
        """The tensor at an address of DDR."""
        for tensor in self.program.tensors.values():
            if tensor.ddr is not None and tensor.ddr <= address < tensor.ddr + tensor.bytes:
                return tensor
        raise BscError(f"no tensor is at 0x{address:x} in DDR")


def piece_bytes(tensor: Tensor, item: Ready) -> int:
    """Bytes of the largest piece of a tensor in one memtile."""
    height, width, _ = tensor.shape
    if item.axis not in ("w", "c"):
        return tensor.bytes
    widest = max(b - a for a, b in zip(item.bounds, item.bounds[1:], strict=False))
    return height * widest * (tensor.pixel if item.axis == "w" else width)


def cut_at_end(lo: int, hi: int, size: int) -> Iterator[tuple[int, int]]:
    """[lo, hi) modulo `size`: one range, or one at the end and one at the start."""
    yield lo, min(hi, size)
    if hi > size:
        yield 0, hi - size
