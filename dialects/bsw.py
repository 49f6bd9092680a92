"""
`bsw`: block-sparse weights.

A convolution's weight has shape COUT x KH x KW x CIN.  In the plane of COUT and CIN it is
cut into blocks of b0 x b1 (8 x 8 unless told otherwise), each b0 x KH x KW x b1 numbers
large; the mask Γ has one bit a block, and a block whose bit is 0 is neither stored, moved
nor computed (the paper, sections 2 and 3).  Edges that do not fill a block are padded.

A weight is a symbol, so that it is written once and used by name:

    bsw.weight @conv1 : !bsw.weight<64x3x3x64, pos 7, bias 12> {
      block = array<i64: 8, 8>, gamma = #bsw.gamma<8x8, "ff0f...">,
      data = #bsw.payload<...>, bias = #bsw.payload<...>}
    %w = bsw.get @conv1 : !bsw.weight<64x3x3x64, pos 7, bias 12>
    %lo = bsw.slice %w cout [0, 32] cin [0, 64] : ... -> !bsw.weight<32x3x3x64, pos 7, bias 12>

The numbers themselves stay out of the text: a payload is a hash, and the file beside the
IR that holds the bytes.  Small payloads are written inline in base64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from xdsl.dialects.builtin import (
    DenseArrayBase,
    FlatSymbolRefAttrConstr,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Data, Dialect, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from bsc.blocks import DEFAULT_BLOCK
from bsc.dialects.payload import Payload, PayloadAttr
from bsc.geometry import ceil_div, round_up
from bsc.numerics import Int8, Int32

Range = tuple[int, int]
Ranges = tuple[Range, Range, Range, Range]
"""A range [lo, hi) of each of COUT, KH, KW and CIN."""


@irdl_attr_definition
class WeightType(ParametrizedAttribute, TypeAttribute):
    """
    A weight's shape COUT x KH x KW x CIN (CIN of one group), the position of its numbers,
    and the position of its int32 bias, if it has one.

        !bsw.weight<64x7x7x3, pos 7, bias 12>
    """

    name = "bsw.weight"

    cout: IntAttr
    kh: IntAttr
    kw: IntAttr
    cin: IntAttr
    pos: IntAttr
    bias: IntAttr | StringAttr

    def __init__(self, shape: Sequence[int], pos: int, bias_pos: int | None = None):
        bias = StringAttr("none") if bias_pos is None else IntAttr(bias_pos)
        super().__init__(*(IntAttr(n) for n in shape), IntAttr(pos), bias)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(COUT, KH, KW, CIN)."""
        return (self.cout.data, self.kh.data, self.kw.data, self.cin.data)

    @property
    def bias_pos(self) -> int | None:
        """The position of the bias; None without one."""
        return self.bias.data if isinstance(self.bias, IntAttr) else None

    def verify(self) -> None:
        if min(self.shape) < 1:
            raise VerifyException(f"a weight's dimensions must be positive: {self.shape}")
        if isinstance(self.bias, StringAttr) and self.bias.data != "none":
            raise VerifyException("bias must be a position")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_dimension_list(self.shape)
            printer.print_string(f", pos {self.pos.data}")
            if self.bias_pos is not None:
                printer.print_string(f", bias {self.bias_pos}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[IntAttr | StringAttr]:
        bias: IntAttr | StringAttr = StringAttr("none")
        with parser.in_angle_brackets():
            at = parser.pos
            shape = parser.parse_dimension_list()
            if len(shape) != 4:
                parser.raise_error("a weight's shape is COUTxKHxKWxCIN", at)
            parser.parse_characters(",")
            parser.parse_keyword("pos")
            pos = parser.parse_integer()
            if parser.parse_optional_punctuation(",") is not None:
                parser.parse_keyword("bias")
                bias = IntAttr(parser.parse_integer())
        return [*(IntAttr(n) for n in shape), IntAttr(pos), bias]


class Gamma:
    """
    The mask Γ: which blocks of a weight are stored.  Immutable.

    `bits` is a boolean array over (COUT/b0, CIN/b1), rounded up.
    """

    __slots__ = ("_packed", "bits")

    def __init__(self, bits: np.typing.NDArray[np.bool_]):
        self.bits = np.ascontiguousarray(bits, np.bool_)
        self.bits.setflags(write=False)
        self._packed = np.packbits(self.bits, bitorder="little").tobytes()

    @property
    def shape(self) -> tuple[int, int]:
        """Blocks along COUT and along CIN."""
        return cast(tuple[int, int], self.bits.shape)

    @property
    def density(self) -> float:
        """The share of blocks that are stored, 0..1."""
        return float(self.bits.mean()) if self.bits.size else 0.0

    def hex(self) -> str:
        """The bits row by row, lowest bit first, in hexadecimal."""
        return self._packed.hex()

    @staticmethod
    def from_hex(shape: tuple[int, int], text: str) -> Gamma:
        """The inverse of `hex`.  Raises ValueError if text and shape do not agree."""
        raw, count = bytes.fromhex(text), shape[0] * shape[1]
        if len(raw) != ceil_div(count, 8):
            raise ValueError(f"{count} bits need {ceil_div(count, 8)} bytes, not {len(raw)}")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
        if bits[count:].any():
            raise ValueError("bits beyond the last block must be 0")
        return Gamma(bits[:count].reshape(shape).astype(np.bool_))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Gamma)
            and self.shape == other.shape
            and self._packed == other._packed
        )

    def __hash__(self) -> int:
        return hash((self.shape, self._packed))


@irdl_attr_definition
class GammaAttr(Data[Gamma]):
    """
    Γ as an attribute: its shape in blocks, then its bits in hexadecimal.

        #bsw.gamma<2x3, "2d">    // rows 101 and 101: bit i of the number is block i
    """

    name = "bsw.gamma"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Gamma:
        with parser.in_angle_brackets():
            pos = parser.pos
            shape = parser.parse_dimension_list()
            parser.parse_characters(",")
            text = parser.parse_str_literal()
            try:
                if len(shape) != 2:
                    raise ValueError("the shape is two numbers of blocks")
                return Gamma.from_hex((shape[0], shape[1]), text)
            except ValueError as e:
                parser.raise_error(f"Γ: {e}", pos)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_dimension_list(self.data.shape)
            # Not print_string_literal, which escapes character by character.
            printer.print_string(f', "{self.data.hex()}"')


@irdl_op_definition
class WeightOp(IRDLOperation):
    """
    A weight with its bias: a symbol of the module.

    `data` holds COUT*KH*KW*CIN int8 numbers in that order, `bias` COUT int32 numbers.
    `gamma` is set by `--detect-block-sparsity`, `density` is the share of blocks that hold
    anything but zeros; `format` says how packed weights are stored: "bitmap" leaves zero blocks
    out, "dense" keeps every block.  `almost_zero` is how many blocks hold next to nothing, if
    any do; they are stored like all others.
    """

    name = "bsw.weight"

    sym_name = prop_def(SymbolNameConstraint())
    type = prop_def(WeightType)
    block = prop_def(DenseArrayBase.constr(i64), DenseArrayBase.from_list(i64, DEFAULT_BLOCK))
    gamma = opt_prop_def(GammaAttr)
    density = opt_prop_def(FloatAttr)
    almost_zero = opt_prop_def(IntegerAttr.constr(i64))
    format = opt_prop_def(StringAttr)
    data = prop_def(PayloadAttr)
    bias = opt_prop_def(PayloadAttr)

    traits = traits_def(SymbolOpInterface())
    irdl_options = (ParsePropInAttrDict(),)

    assembly_format = "$sym_name `:` qualified($type) attr-dict"

    def __init__(
        self,
        name: str,
        type: WeightType,
        data: PayloadAttr,
        bias: PayloadAttr | None = None,
        block: tuple[int, int] = DEFAULT_BLOCK,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "type": type,
                "block": DenseArrayBase.from_list(i64, block),
                "data": data,
                "bias": bias,
            }
        )

    @property
    def block_shape(self) -> tuple[int, int]:
        """(b0, b1): output and input channels of a block."""
        b0, b1 = self.block.get_values()
        return b0, b1

    @property
    def grid(self) -> tuple[int, int]:
        """The number of blocks along COUT and along CIN."""
        (cout, _, _, cin), (b0, b1) = self.type.shape, self.block_shape
        return ceil_div(cout, b0), ceil_div(cin, b1)

    def values(self) -> tuple[Int8, Int32]:
        """The weight (COUT, KH, KW, CIN) and its bias (COUT,), zeros without one."""
        return self.payload.array, self.bias_values()

    def bias_values(self) -> Int32:
        """The bias (COUT,), zeros without one."""
        if self.bias is None:
            return np.zeros(self.type.shape[0], np.int32)
        return self.bias.data.as_array(np.int32)

    @property
    def payload(self) -> Payload:
        """The numbers of the weight, (COUT, KH, KW, CIN)."""
        return self.data.data.shaped(np.int8, self.type.shape)

    def verify_(self) -> None:
        block = self.block.get_values()
        if len(block) != 2 or min(block) < 1:
            raise VerifyException(f"block must be two positive numbers, not {list(block)}")
        size = int(np.prod(self.type.shape))
        if self.data.data.size != size:
            raise VerifyException(
                f"{self.type.shape} needs {size} bytes of data, not {self.data.data.size}"
            )
        if (self.bias is None) != (self.type.bias_pos is None):
            raise VerifyException("the type must give the position of the bias, and only then")
        if self.bias is not None and self.bias.data.size != 4 * self.type.shape[0]:
            raise VerifyException(
                f"COUT = {self.type.shape[0]} needs {4 * self.type.shape[0]} bytes of bias, "
                f"not {self.bias.data.size}"
            )
        if self.gamma is not None and self.gamma.data.shape != self.grid:
            raise VerifyException(
                f"Γ must have {self.grid} blocks of {tuple(block)}, not {self.gamma.data.shape}"
            )
        if self.format is not None and self.format.data not in ("bitmap", "dense"):
            raise VerifyException(
                f'format must be "bitmap" or "dense", not "{self.format.data}"'
            )


@irdl_op_definition
class GetOp(IRDLOperation):
    """The weight that a symbol names, as a value."""

    name = "bsw.get"

    symbol = prop_def(FlatSymbolRefAttrConstr)
    result = result_def(WeightType)

    traits = traits_def(Pure())

    assembly_format = "$symbol `:` type($result) attr-dict"

    def __init__(self, symbol: str, type: WeightType):
        super().__init__(properties={"symbol": SymbolRefAttr(symbol)}, result_types=[type])


@irdl_op_definition
class SliceOp(IRDLOperation):
    """
    The output channels [cout0, cout1) and input channels [cin0, cin1) of a weight, and the
    rows and columns of its window that `kh` and `kw` give, if not all:

        %s = bsw.slice %w cout [0, 8] cin [0, 8] kh [2, 4] kw [0, 3] : ...

    Boundaries of channels fall between blocks, but for the last ones.  The bias goes with the
    first input channel: a slice that starts elsewhere has none, so that the partial sums of a
    CIN split add it once.  Of slices of the window the one whose type says so has it.
    """

    name = "bsw.slice"

    source = operand_def(WeightType)
    cout = prop_def(DenseArrayBase.constr(i64))
    cin = prop_def(DenseArrayBase.constr(i64))
    kh = opt_prop_def(DenseArrayBase.constr(i64))
    kw = opt_prop_def(DenseArrayBase.constr(i64))
    result = result_def(WeightType)

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    assembly_format = (
        "$source `cout` $cout `cin` $cin (`kh` $kh^)? (`kw` $kw^)? "
        "`:` type($source) `->` type($result) attr-dict"
    )

    def __init__(
        self,
        source: SSAValue,
        cout: Range | None = None,
        cin: Range | None = None,
        kh: Range | None = None,
        kw: Range | None = None,
        bias: bool = True,
    ):
        """What is not given is not cut; without `bias`, the slice has none."""
        source_type = cast(WeightType, source.type)
        size = source_type.shape
        ranges = (
            cout or (0, size[0]),
            kh or (0, size[1]),
            kw or (0, size[2]),
            cin or (0, size[3]),
        )
        cut = {"cout": ranges[0], "cin": ranges[3]}
        if kh is not None:
            cut["kh"] = kh
        if kw is not None:
            cut["kw"] = kw
        super().__init__(
            operands=[source],
            properties={k: DenseArrayBase.from_list(i64, v) for k, v in cut.items()},
            result_types=[_slice_type(source_type, ranges, bias)],
        )

    @property
    def ranges(self) -> Ranges:
        """What is left of (COUT, KH, KW, CIN): a range [lo, hi) of each."""
        shape = cast(WeightType, self.source.type).shape
        given = (self.cout, self.kh, self.kw, self.cin)
        cout, kh, kw, cin = (
            (0, n) if attr is None else cast(Range, attr.get_values())
            for attr, n in zip(given, shape, strict=True)
        )
        return cout, kh, kw, cin

    @property
    def has_bias(self) -> bool:
        """Whether the bias goes with this slice."""
        return self.result.type.bias_pos is not None

    def verify_(self) -> None:
        source = cast(WeightType, self.source.type)
        for name, bounds, size in zip(
            ("cout", "kh", "kw", "cin"), self.ranges, source.shape, strict=True
        ):
            if len(bounds) != 2 or not 0 <= bounds[0] < bounds[1] <= size:
                raise VerifyException(f"{name} {list(bounds)} is not a range in [0, {size})")
        expected = _slice_type(source, self.ranges, True)
        if self.kh is not None or self.kw is not None:
            expected = _slice_type(source, self.ranges, self.has_bias)
        if self.result.type != expected:
            raise VerifyException(f"the slice has type {expected}, not {self.result.type}")


def _slice_type(source: WeightType, ranges: Ranges, bias: bool) -> WeightType:
    cout, kh, kw, cin = (hi - lo for lo, hi in ranges)
    kept = source.bias_pos if bias and ranges[3][0] == 0 else None
    return WeightType((cout, kh, kw, cin), source.pos.data, kept)


@irdl_op_definition
class BlobOp(IRDLOperation):
    """
    All packed weights of a program: the content of `weights.bin`.

    Made by `--pack-weights`; `docs/asm.md` gives the format of a packed subvolume.
    """

    name = "bsw.blob"

    sym_name = prop_def(SymbolNameConstraint())
    data = prop_def(PayloadAttr)

    traits = traits_def(SymbolOpInterface())
    irdl_options = (ParsePropInAttrDict(),)

    assembly_format = "$sym_name attr-dict"

    def __init__(self, name: str, data: PayloadAttr):
        super().__init__(properties={"sym_name": StringAttr(name), "data": data})


def padded_shape(
    shape: tuple[int, int, int, int], block: tuple[int, int]
) -> tuple[int, int, int, int]:
    """A weight's shape with COUT and CIN rounded up to whole blocks."""
    cout, kh, kw, cin = shape
    return round_up(cout, block[0]), kh, kw, round_up(cin, block[1])


BSW = Dialect("bsw", [WeightOp, GetOp, SliceOp, BlobOp], [WeightType, GammaAttr, PayloadAttr])
