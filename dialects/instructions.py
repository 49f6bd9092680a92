"""
The program level of `dataflow`: one operation for each line of the program text.

    dataflow.program "resnet50" {
      dataflow.tensor "t0" "data" shape [56, 56, 64] type "i8" pos 5 pixel 64 ddr 0
      dataflow.layer "conv1" op "conv2d"
      dataflow.stage "body"
      %a = dataflow.loadfm "memtile 0x00000 core 0x2480|0x4080 iter 9 h=7 …"
      %b = dataflow.conv "iteration 9 in=0x2480|0x4080 …" after %a
      …
    }

An instruction's fields are written as in the program text, so that there is one grammar
(`docs/asm.md`), and are checked against the same table (`bsc.asm.isa`).  The order between
instructions on different channels and cores is first given by tokens (`after %a`), and
by locks among the fields once `--chain-locks` has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from xdsl.dialects.builtin import (
    ArrayAttr,
    StringAttr,
)
from xdsl.ir import (
    Attribute,
    Data,
    Operation,
    ParametrizedAttribute,
    Region,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from bsc.asm.instr_parser import check_fields, check_locks, parse_words
from bsc.asm.isa import SPECS
from bsc.asm.printer import instr_words
from bsc.asm.program import Instr
from bsc.dialects.declarations import AliasOp, LockOp, PortOp, TensorOp
from bsc.dialects.limits import verify_pieces
from bsc.dialects.machine import arch_around
from bsc.dialects.placement import Memory, PlaceAttr
from bsc.dialects.qnn_attributes import ElidedAttr
from bsc.errors import BscError
from bsc.suggest import did_you_mean

T = TypeVar("T", bound=Operation)


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """That an instruction is done, in all its iterations."""

    name = "dataflow.token"


@irdl_attr_definition
class CostAttr(Data[tuple[float, float, str]]):
    """
    When an instruction starts, how long it takes (in nanoseconds, to the picosecond), and
    what bounds it.

        #dataflow.cost<start 12000.0, duration 3000.25, "compute">
    """

    name = "dataflow.cost"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[float, float, str]:
        with parser.in_angle_brackets():
            parser.parse_keyword("start")
            start = float(parser.parse_number())
            parser.parse_punctuation(",")
            parser.parse_keyword("duration")
            duration = float(parser.parse_number())
            parser.parse_punctuation(",")
            return start, duration, parser.parse_str_literal()

    def print_parameter(self, printer: Printer) -> None:
        start, duration, bound = self.data
        with printer.in_angle_brackets():
            printer.print_string(f'start {start:.3f}, duration {duration:.3f}, "{bound}"')


@irdl_attr_definition
class InstrAttr(Data[Instr]):
    """The words of an instruction, as in the program text, with its mnemonic first."""

    name = "dataflow.instr"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Instr:
        with parser.in_angle_brackets():
            return parse_text(parser, None)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(f"{self.data.mnemonic} {instr_words(self.data)}")


def parse_text(parser: AttrParser, mnemonic: str | None) -> Instr:
    """A string literal with the words of an instruction."""
    pos = parser.pos
    text = parser.parse_str_literal()
    tokens = text.split()
    if mnemonic is not None:
        tokens.insert(0, mnemonic)
    try:
        return parse_words(tokens, 0)
    except BscError as e:
        parser.raise_error(str(e), pos)


_TOKEN = TokenType()


class InstrOp(IRDLOperation):
    """One instruction.  `after` are tokens of instructions that must be done before."""

    instr = prop_def(InstrAttr)
    cost = opt_prop_def(CostAttr)
    after = var_operand_def(TokenType)
    token = result_def(TokenType)

    def __init__(self, instr: Instr, after: Sequence[SSAValue] = ()):
        # A network has thousands of these: there are no segments to work out.
        Operation.__init__(
            self, operands=after, result_types=(_TOKEN,), properties={"instr": InstrAttr(instr)}
        )

    @property
    def data(self) -> Instr:
        """The instruction as data."""
        return self.instr.data

    def verify_(self) -> None:
        if self.data.mnemonic != _mnemonic(self.name):
            raise VerifyException(f"{self.name} holds a {self.data.mnemonic}")
        if (arch := arch_around(self)) is not None:
            try:
                check_fields(self.data, arch)
            except BscError as e:
                raise VerifyException(str(e)) from None

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(instr_words(self.data))
        if self.after:
            printer.print_string(" after ")
            printer.print_list(self.after, printer.print_ssa_value)
        if self.cost is not None:
            printer.print_string(" cost ")
            self.cost.print_parameter(printer)
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> InstrOp:
        instr = parse_text(parser, _mnemonic(cls.name))
        after: list[SSAValue] = []
        if parser.parse_optional_keyword("after"):
            names = parser.parse_comma_separated_list(
                parser.Delimiter.NONE, parser.parse_unresolved_operand
            )
            after = [parser.resolve_operand(name, TokenType()) for name in names]
        op = cls(instr, after)
        if parser.parse_optional_keyword("cost"):
            op.properties["cost"] = CostAttr(CostAttr.parse_parameter(parser))
        op.attributes |= parser.parse_optional_attr_dict()
        return op


def _mnemonic(name: str) -> str:
    return name.removeprefix("dataflow.").upper()


def _instruction(mnemonic: str) -> type[InstrOp]:
    """The operation of one mnemonic: `LOADFM` is `dataflow.loadfm`."""
    spec = SPECS[mnemonic]
    members = {
        "name": f"dataflow.{mnemonic.lower()}",
        "__doc__": f"{mnemonic}: {spec.text}.",
        "__module__": __name__,
    }
    return irdl_op_definition(type(f"{mnemonic.title()}Op", (InstrOp,), members))


INSTRUCTIONS: dict[str, type[InstrOp]] = {m: _instruction(m) for m in SPECS}
"""The operation of each mnemonic."""


STAGES = ("weights", "whole", "head", "body", "tail")
"""What a stage can be: weights that stay for a pass, or groups of rows, called after the
padding that they read (section 4.4 of the paper; `whole` is head and tail in one)."""


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """A whole program: declarations, then layers, stages and instructions in text order.

    Tensors and locks are known by name, and declared once.
    """

    name = "dataflow.program"

    sym_name = prop_def(StringAttr)
    elided = opt_prop_def(ArrayAttr[ElidedAttr])
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), SymbolOpInterface())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$sym_name attr-dict-with-keyword $body"

    def __init__(self, name: str, body: Region, elided: Sequence[ElidedAttr] = ()):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "elided": ArrayAttr(elided) if elided else None,
            },
            regions=[body],
        )

    def verify_(self) -> None:
        tensors, locks = dict[str, TensorOp](), dict[str, LockOp]()
        for op in self.body.ops:
            if isinstance(op, TensorOp):
                _declare(tensors, op.tensor.data, op)
            elif isinstance(op, LockOp):
                _declare(locks, op.lock.data, op)
        for op in self.body.ops:
            if isinstance(op, PortOp | AliasOp | ReadyOp) and op.tensor.data not in tensors:
                name = op.tensor.data
                hint = did_you_mean(name, tensors)
                raise VerifyException(f"{op.name}: unknown tensor '{name}'{hint}")
            if isinstance(op, InstrOp):
                try:
                    check_locks(op.data, locks)
                except BscError as e:
                    raise VerifyException(f"{op.name}: {e}") from None


def _declare(known: dict[str, T], name: str, op: T) -> None:
    if name in known:
        raise VerifyException(f"{op.name} '{name}' is declared twice")
    known[name] = op


@irdl_op_definition
class LayerOp(IRDLOperation):
    """From here on, instructions of one operation of the network, or of a piece of it."""

    name = "dataflow.layer"

    layer = prop_def(StringAttr)
    part = opt_prop_def(StringAttr)
    kind = prop_def(StringAttr)

    assembly_format = "$layer (`part` $part^)? `op` $kind attr-dict"

    def __init__(self, layer: str, part: str, kind: str):
        super().__init__(
            properties={
                "layer": StringAttr(layer),
                "part": StringAttr(part) if part else None,
                "kind": StringAttr(kind),
            }
        )


@irdl_op_definition
class StageOp(IRDLOperation):
    """From here on, instructions that run iteration by iteration."""

    name = "dataflow.stage"

    label = prop_def(StringAttr)

    assembly_format = "$label attr-dict"

    def __init__(self, label: str):
        Operation.__init__(self, properties={"label": StringAttr(label)})

    def verify_(self) -> None:
        if self.label.data not in STAGES:
            raise VerifyException(
                f"a stage is one of {', '.join(STAGES)}, not {self.label.data}"
            )


@irdl_op_definition
class ReadyOp(IRDLOperation):
    """From here on a tensor is complete, in the memtiles or in DDR."""

    name = "dataflow.ready"

    tensor = prop_def(StringAttr)
    place = prop_def(PlaceAttr)

    assembly_format = "$tensor qualified($place) attr-dict"

    def __init__(self, tensor: str, place: PlaceAttr):
        super().__init__(properties={"tensor": StringAttr(tensor), "place": place})

    def verify_(self) -> None:
        memory, _, spread = self.place.data
        if (memory is Memory.MEMTILE) != (spread is not None):
            raise VerifyException("a tensor in the memtiles, and only that, has a spread")
        if spread is not None:
            verify_pieces(self, "ready", spread, "columns")


ALL_OPS: list[type[Operation]] = [
    ProgramOp,
    TensorOp,
    PortOp,
    AliasOp,
    LockOp,
    LayerOp,
    StageOp,
    ReadyOp,
    *INSTRUCTIONS.values(),
]
ALL_ATTRIBUTES: list[type[Attribute]] = [TokenType, CostAttr, InstrAttr]
