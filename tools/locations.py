"""Where in the text an operation was written, for messages.

xDSL's parser keeps no positions.  MLIR's puts them into the IR; here they stay beside it,
because an operation's location already holds its ONNX name.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.parser import Parser, ParserState
from xdsl.utils.exceptions import DiagnosticException, ParseError
from xdsl.utils.lexer import Input, Span
from xdsl.utils.mlir_lexer import MLIRLexer


class _Lexer(MLIRLexer):
    """xDSL's lexer, without the pattern that takes exponential time (for ever, in effect)
    to see that a string has no closing quote: the possessive `++` never backtracks."""

    _unescaped_characters_regex = re.compile(
        r'"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*"'
    )


class LocatingParser(Parser):
    """A parser that notes where each operation starts."""

    def __init__(self, ctx: Context, input: str, name: str) -> None:
        super().__init__(ctx, "", name)
        self._parser_state = ParserState(_Lexer(Input(input, name)))
        self.starts: dict[Operation, int] = {}

    def parse_operation(self) -> Operation:
        start = self.pos
        op = super().parse_operation()
        self.starts[op] = start
        return op


@dataclass
class Locations:
    """The positions of the operations of one module, while and after it is parsed."""

    parser: LocatingParser
    line_offset: int
    """Lines before this module, in a file of several."""

    reached: str | None = None
    """Where the parser stood when an attribute did not verify."""

    def parse_module(self, allow_implicit_module: bool) -> ModuleOp:
        """Parse the module.  Raises ParseError, or VerifyException for an attribute."""
        try:
            module = self.parser.parse_module(allow_implicit_module)
        except DiagnosticException:
            self.reached = self._at(self.parser.pos)
            raise
        except (NotImplementedError, ValueError, struct.error) as e:
            # xDSL's answer to a few odd texts, such as array<i7: 1> and array<i8: 300>.
            here = Span(self.parser.pos, self.parser.pos, self.parser.lexer.input)
            raise ParseError(here, str(e)) from e
        self.parser.starts.setdefault(module, 0)  # one that is only implied
        return module

    def of(self, op: Operation) -> str | None:
        """`file:line:column` of an operation that was in the text, else None."""
        start = self.parser.starts.get(op)
        return None if start is None else self._at(start)

    def _at(self, position: int) -> str:
        text: Input[str] = self.parser.lexer.input
        return str(Span(position, position, text, self.line_offset).get_location())
