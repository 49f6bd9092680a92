"""
The machine in the module: `bsc.arch`, an attribute of `builtin.module`.

    module attributes {bsc.arch = #dataflow.arch<"paper-4x4">} { … }
    module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {rows = 3}>} { … }

A preset is its name; any other machine is its name, the preset it is closest to by name,
and the fields in which it differs.  Passes take the machine from the module and from
nowhere else, so that a text says what it was compiled for.
"""

from __future__ import annotations

import dataclasses

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Data, Operation
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from bsc.arch import DEFAULT_ARCH, Arch, preset
from bsc.errors import BscError
from bsc.suggest import did_you_mean

ARCH = "bsc.arch"
"""The name of the module's attribute."""


@irdl_attr_definition
class ArchAttr(Data[Arch]):
    """A machine; see the module's documentation for the form."""

    name = "dataflow.arch"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Arch:
        pos = parser.pos
        with parser.in_angle_brackets():
            name = parser.parse_str_literal()
            try:
                if parser.parse_optional_punctuation(",") is None:
                    return preset(name)
                base = preset(parser.parse_str_literal())
                parser.parse_punctuation(",")
                fields = _parse_fields(parser)
                return dataclasses.replace(base, name=name, **fields)
            except BscError as e:
                parser.raise_error(str(e), pos)

    def print_parameter(self, printer: Printer) -> None:
        base = _closest_preset(self.data)
        with printer.in_angle_brackets():
            printer.print_string_literal(self.data.name)
            if base.name == self.data.name:
                return
            changed = [
                f"{f.name} = {getattr(self.data, f.name)}"
                for f in dataclasses.fields(Arch)
                if f.name != "name" and getattr(self.data, f.name) != getattr(base, f.name)
            ]
            printer.print_string(f', "{base.name}", {{{", ".join(changed)}}}')


def _parse_fields(parser: AttrParser) -> dict[str, int | float]:
    known = [f.name for f in dataclasses.fields(Arch) if f.name != "name"]

    def field() -> tuple[str, int | float]:
        name = parser.parse_identifier()
        if name not in known:
            raise BscError(f"unknown field '{name}' of an arch{did_you_mean(name, known)}")
        parser.parse_punctuation("=")
        return name, parser.parse_number()

    return dict(parser.parse_comma_separated_list(parser.Delimiter.BRACES, field))


def _closest_preset(arch: Arch) -> Arch:
    """The preset of that name if it is the same machine, else the default one."""
    try:
        if preset(arch.name) == arch:
            return arch
    except BscError:
        pass
    return preset(DEFAULT_ARCH)


def arch_around(op: Operation) -> Arch | None:
    """The machine of the module that an operation is in; None outside of any module."""
    at: Operation | None = op
    while at is not None and not isinstance(at, ModuleOp):
        at = at.parent_op()
    return None if at is None else arch_or_default(at)


def arch_or_default(module: ModuleOp) -> Arch:
    """The module's machine, or the default one."""
    attr = module.attributes.get(ARCH)
    return attr.data if isinstance(attr, ArchAttr) else preset(DEFAULT_ARCH)


def arch_of(module: ModuleOp) -> Arch:
    """The module's machine.  A module without one gets the default, for all to see."""
    arch = arch_or_default(module)
    module.attributes[ARCH] = ArchAttr(arch)
    return arch
