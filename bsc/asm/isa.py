"""The instruction set, as a table.

An instruction is written from the point of view of one core and drives the whole array
(section 4.4 of the paper).  Its fields are numbers, or lists of numbers along the columns
(`col`), the rows (`row`), both (`row` then `col`), or the weight links (`link`) of the
grid; where a field varies, a list of one more dimension gives a value for each iteration.
Printer, parser, the
dialect's verifier, the simulator and `docs/asm.md` all read this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

VERSION = 1


class Kind(StrEnum):
    """What a field holds."""

    NUMBER = "number"
    ADDRESS = "address"
    POSITION = "position"
    SLOTS = "slots"
    POST = "post"
    WORD = "word"
    TABLE = "table"


class Engine(StrEnum):
    """The resources of the machine.  Each takes its own instructions in text order."""

    LOAD = "load"
    LOADW = "loadw"
    WRITE = "write"
    LOADFM = "loadfm"
    LOADWDM = "loadwdm"
    COMP = "comp"
    WRITEFM = "writefm"


DDR_ENGINES = (Engine.LOAD, Engine.LOADW, Engine.WRITE)
"""The channels between DDR and memtiles; their transfers belong to no stage."""


@dataclass(frozen=True)
class Field:
    """One field: its axes, whether it must be there, whether it may have another value in
    each iteration, and what it means.  Only positions may be negative."""

    name: str
    text: str
    kind: Kind = Kind.NUMBER
    axes: tuple[str, ...] = ()
    optional: bool = False
    varies: bool = False


@dataclass(frozen=True)
class Spec:
    """One mnemonic.  `bare` fields are written as a word and a value, as in the paper."""

    mnemonic: str
    engine: Engine
    text: str
    fields: tuple[Field, ...]

    @property
    def is_compute(self) -> bool:
        """Whether it runs on the cores."""
        return self.engine is Engine.COMP

    @property
    def is_transfer(self) -> bool:
        """Whether it moves bytes."""
        return not self.is_compute


BARE = ("blob", "ddr", "memtile", "core")
"""Fields written as `memtile 0x1c00`; all others are written as `h=7`."""

_A, _S, _P = Kind.ADDRESS, Kind.SLOTS, Kind.POSITION
_COL, _ROW, _GRID, _LINK, _PAIR = ("col",), ("row",), ("row", "col"), ("link",), ("pair",)

_DDR_BOX = (
    Field("ddr", "address in DDR", _A, _COL),
    Field("memtile", "address in the column's memtile", _A, _COL),
    Field("h", "rows"),
    Field("w", "pixels of a row", axes=_COL),
    Field("c", "bytes of a pixel", axes=_COL),
    Field("drow", "bytes from row to row in DDR"),
    Field("dpix", "bytes from pixel to pixel in DDR"),
    Field("row", "bytes from row to row in the memtile", axes=_COL),
    Field("pix", "bytes from pixel to pixel in the memtile", axes=_COL),
)

_STEPS = (
    Field(
        "hstep",
        "bytes in the memtile from one outer iteration to the next",
        axes=_COL,
        optional=True,
    ),
    Field(
        "cstep",
        "bytes in the memtile from one inner iteration to the next",
        axes=_COL,
        optional=True,
    ),
)

_OUT_BOX = (
    Field("h", "rows of the output"),
    Field("w", "columns of the output", axes=_COL),
)
_WINDOW = (
    Field("hin", "rows of the input buffer"),
    Field("win", "columns of the input buffer", axes=_COL),
    Field("k", "kernel: rows, columns", axes=_PAIR),
    Field("s", "strides", axes=_PAIR),
    Field("d", "dilations", axes=_PAIR),
    Field("pt", "rows of padding above"),
    Field("pb", "rows of padding below"),
    Field("pl", "columns of padding on the left", axes=_COL),
    Field("pr", "columns of padding on the right", axes=_COL),
)
_FEWER = Field(
    "cin",
    "channels in the input buffers, if fewer than c; the others read as 0",
    axes=_GRID,
    optional=True,
    varies=True,
)
_MAP = (
    Field("in", "input buffer", _S),
    Field("out", "output buffer", _S),
    *_OUT_BOX,
    Field("c", "channels", axes=_GRID, varies=True),
    _FEWER,
)
"""What works on each pixel and channel by itself."""
_ROUNDING = Field("rounding", "rounding mode, if not half_even", Kind.WORD, optional=True)
_POST = (
    Field("post", "steps from the exact value to the stored one", Kind.POST),
    _ROUNDING,
)
_POST_OR_SUM = (
    Field(
        "post",
        "steps from the exact value to the stored one; without, int32 is stored",
        Kind.POST,
        optional=True,
    ),
    _ROUNDING,
)
_MATRIX = (
    Field("in", "input buffer", _S),
    Field("weights", "packed weights", _S),
    Field("out", "output buffer", _S),
    Field("part", "int32 partial sums to add", _S, optional=True),
    Field("res", "int8 residual for the `add` step of post", _S, optional=True),
    Field(
        "cres",
        "channels of the partial sums and the residual, if fewer than cout; the "
        "others read as 0",
        axes=_ROW,
        optional=True,
        varies=True,
    ),
    Field("acc", "int32 accumulators in the scratch banks", _A, optional=True),
    *_OUT_BOX,
    Field("cin", "input channels in the buffer", axes=_ROW, varies=True),
    Field("cout", "output channels", axes=_ROW, varies=True),
    *_WINDOW,
    Field("blk", "block shape: COUT, CIN", axes=_PAIR),
    Field("blocks", "stored blocks, checked against Γ", axes=_ROW, varies=True),
    Field("chunks", "inner iterations that add up to one output", optional=True),
    Field("xpos", "position of the input", _P),
    Field("wpos", "position of the weights", _P),
    Field("bpos", "position of the bias", _P),
    Field("ppos", "position of the partial sums", _P, optional=True),
    Field("opos", "position of the int32 output, if there is no post", _P, optional=True),
    *_POST_OR_SUM,
)
_POOL = (
    Field("in", "input buffer", _S),
    Field("out", "output buffer", _S),
    *_OUT_BOX,
    Field("c", "channels", axes=_GRID, varies=True),
    _FEWER,
    *_WINDOW,
    Field("xpos", "position of the input", _P),
)
_PAIRWISE = (
    Field("in", "first operand", _S),
    Field("in2", "second operand", _S),
    Field("out", "output buffer", _S),
    *_OUT_BOX,
    Field("c", "channels", axes=_GRID, varies=True),
    _FEWER,
    Field(
        "s2",
        "strides of the second operand, 1 or 0: with 0 one row, or one column, stands for all",
        axes=_PAIR,
        optional=True,
    ),
    Field("xpos", "position of the first operand", _P),
    Field("ypos", "position of the second operand", _P),
    *_POST,
)

_SPECS = (
    Spec("LOAD", Engine.LOAD, "activations from DDR into each memtile", _DDR_BOX),
    Spec("WRITE", Engine.WRITE, "activations from each memtile into DDR", _DDR_BOX),
    Spec(
        "LOADW",
        Engine.LOADW,
        "packed weights from the blob into each memtile",
        (
            Field("blob", "address in the blob", _A, _COL),
            Field("memtile", "address in the memtile", _A, _COL),
            Field("bytes", "bytes to move", axes=_COL),
        ),
    ),
    Spec(
        "LOADFM",
        Engine.LOADFM,
        "activations from memtiles to the cores of each column, with the halo from the "
        "direct neighbours' memtiles; with `coff` each row gets its own channels, without it "
        "all rows get the same bytes in one multicast",
        (
            Field("memtile", "address of the own piece in the column's memtile", _A, _COL),
            Field("core", "input buffer: rows of left, own and right pixels, contiguous", _S),
            Field("h", "rows"),
            Field("w", "pixels from the own memtile", axes=_COL),
            Field("c", "bytes of a pixel", axes=_GRID, varies=True),
            Field("coff", "offset of a row's channels in a pixel", axes=_GRID, optional=True),
            Field("left", "address of the piece in the left neighbour", _A, _COL, True),
            Field("wl", "pixels from the left neighbour", axes=_COL, optional=True),
            Field("right", "address of the piece in the right neighbour", _A, _COL, True),
            Field("wr", "pixels from the right neighbour", axes=_COL, optional=True),
            Field("row", "bytes from row to row in each memtile", axes=_COL),
            Field("pix", "bytes from pixel to pixel in each memtile", axes=_COL),
            *_STEPS,
        ),
    ),
    Spec(
        "LOADWDM",
        Engine.LOADWDM,
        "packed weights from memtiles to the cores of each row, multicast; the links that "
        "end in one row carry a piece each",
        (
            Field("memtile", "address in the link's memtile", _A, _LINK, varies=True),
            Field("core", "weight buffer", _S),
            Field("bytes", "bytes to move", axes=_LINK, varies=True),
            Field("off", "offset of the piece in the weight buffer", axes=_LINK, varies=True),
        ),
    ),
    Spec(
        "WRITEFM",
        Engine.WRITEFM,
        "results from the cores into the memtile of their column, row after row",
        (
            Field("memtile", "address in the column's memtile", _A, _COL),
            Field("core", "output buffer, contiguous", _S),
            Field("h", "rows"),
            Field("w", "pixels of a row", axes=_COL),
            Field("c", "bytes of a pixel", axes=_GRID, varies=True),
            Field("coff", "offset of a row's channels in a pixel", axes=_GRID),
            Field("row", "bytes from row to row in the memtile", axes=_COL),
            Field("pix", "bytes from pixel to pixel in the memtile", axes=_COL),
            *_STEPS,
        ),
    ),
    Spec("CONV", Engine.COMP, "convolution with packed block-sparse weights", _MATRIX),
    Spec(
        "DENSE", Engine.COMP, "fully connected layer: a CONV whose window is its input", _MATRIX
    ),
    Spec("ADD", Engine.COMP, "element-wise sum", _PAIRWISE),
    Spec("MUL", Engine.COMP, "element-wise product", _PAIRWISE),
    Spec(
        "MAXPOOL",
        Engine.COMP,
        "maximum under a window",
        (
            *_POOL,
            Field("part", "int8 maxima of other elements, at xpos", _S, optional=True),
            *_POST,
        ),
    ),
    Spec(
        "AVGPOOL",
        Engine.COMP,
        "mean under a window",
        (
            *_POOL,
            Field("part", "int32 sums of other elements, at xpos", _S, optional=True),
            *_POST_OR_SUM,
            Field(
                "count",
                "`window`: divide by its size; `inside`: without padding",
                Kind.WORD,
                optional=True,
            ),
            Field(
                "elements",
                "instead of count: divide by this, if part has other elements of the mean",
                optional=True,
            ),
        ),
    ),
    Spec(
        "COPY",
        Engine.COMP,
        "the same numbers through the steps of post",
        (
            *_MAP,
            Field("xpos", "position of the input", _P),
            *_POST,
        ),
    ),
    Spec(
        "RESIZE",
        Engine.COMP,
        "each pixel of the input, again and again",
        (
            *_MAP,
            Field("hin", "rows of the input buffer"),
            Field("win", "columns of the input buffer", axes=_COL),
            Field("up", "rows and columns of output that a pixel stands for", axes=_PAIR),
            Field("ph", "rows that the first row of the input does not stand for"),
            Field("pw", "columns that the first one does not stand for", axes=_COL),
            Field("xpos", "position of the input", _P),
            *_POST,
        ),
    ),
    Spec(
        "LOOKUP",
        Engine.COMP,
        "a function of each number, as a table",
        (
            *_MAP,
            Field("xpos", "position of the input", _P),
            Field("table", "the int8 for each input from -128 to 127", Kind.TABLE),
            Field("tpos", "position of the numbers in the table", _P),
            *_POST,
        ),
    ),
)

SPECS: dict[str, Spec] = {spec.mnemonic: spec for spec in _SPECS}
"""The instruction set, by mnemonic."""

LAYER_OPS: dict[str, tuple[str, ...]] = {
    "conv2d": ("CONV",),
    "dense": ("DENSE",),
    "add": ("ADD",),
    "mul": ("MUL",),
    "max_pool": ("MAXPOOL",),
    "avg_pool": ("AVGPOOL",),
    "global_avg_pool": ("AVGPOOL",),
    "requantize": ("COPY",),
    "lookup": ("LOOKUP",),
    "resize": ("RESIZE",),
}
"""What a layer may compute with, by its `op`."""
