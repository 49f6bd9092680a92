"""Modules of a few operations, written by hand, all the way through the array.

`check_module` compiles the text of a module, simulates the program and compares every result
with the reference interpreter's, which has run the module as it was written.
"""

from __future__ import annotations

import numpy as np
from varied_networks import random_arch, random_specs
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.utils.exceptions import PassFailedException

from bsc.arch import Arch
from bsc.asm.parser import parse_program
from bsc.asm.printer import print_program
from bsc.codegen import build_program, comments, weights_of
from bsc.dialects.machine import ARCH, ArchAttr
from bsc.dialects.network import Network
from bsc.dialects.qnn_attributes import shape_of
from bsc.interpreter import run_module
from bsc.numerics import Int8
from bsc.pipelines import new_context, parse_specs, resolve, run_passes
from bsc.sim import run_program
from bsc.validation import PassValidator

ROOMY = Arch("roomy", rows=3, cols=4)


def activation(h: int, w: int, c: int, pos: int) -> str:
    """The type of an int8 feature map."""
    return f"tensor<1x{h}x{w}x{c}xi8, #qnn.pos<{pos}>>"


def parsed(text: str) -> ModuleOp:
    """The module that a text stands for, verified."""
    module = Parser(new_context(), text).parse_module()
    module.verify()
    return module


def check_module(text: str, seed: int) -> str | None:
    """Compile with splits and a machine drawn from `seed`, and compare the values after each
    pass and of the program.  Returns why the machine is too small, if it is."""
    try:
        _check(text, random_arch(seed), random_specs(seed), seed)
    except PassFailedException as e:
        _check(text, ROOMY, "bsc-compile", seed)
        return str(e)
    return None


def _check(text: str, arch: Arch, specs: str, seed: int) -> None:
    module = parsed(text)
    module.attributes[ARCH] = ArchAttr(arch)
    inputs = _inputs(module, seed)
    expected = run_module(module, inputs)
    validator = PassValidator(1, seed, lambda _: None)
    run_passes(module, resolve(parse_specs(specs)), validator)
    program = parse_program(print_program(build_program(module), comments(module)))
    feeds = {f"input_{i}": np.moveaxis(x, 3, 1) for i, x in enumerate(inputs)}
    found = run_program(program, weights_of(module), feeds).outputs
    for i, values in enumerate(expected):
        np.testing.assert_array_equal(found[f"output_{i}"], np.moveaxis(values, 3, 1))


def _inputs(module: ModuleOp, seed: int) -> list[Int8]:
    """Random values for the arguments of `main`, every int8 as likely."""
    rng = np.random.default_rng(seed)
    shapes = [shape_of(arg.type) for arg in Network(module).block.args]
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
