"""Validation by value: run the module before and after every pass and compare.

    run_passes(module, passes, PassValidator(inputs=3, seed=7))

The reference interpreter runs `@main` on random inputs before the first pass and after each
one, and every result must be the same to the bit.  That says nothing about speed, and
everything about a pass that moves a boundary by one.  It ends where tensors end: once
`@main` holds operations of another level, the simulator takes over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType, i8, i32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import InterpretationError, VerifyException
from xdsl.utils.symbol_table import SymbolTable

from bsc.dialects.bsw import WeightType
from bsc.dialects.qnn_attributes import shape_of
from bsc.dialects.slices import name_of
from bsc.errors import BscError
from bsc.interpreter import run_module
from bsc.numerics import Int8, Ints

ENTRY = "main"
_MISTAKES = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What the interpreter runs into when a module verifies and is wrong all the same."""


def print_note(text: str) -> None:
    """Print a note on stderr."""
    print(f"note: {text}", file=sys.stderr)


class PassValidator:
    """A pipeline callback that compares the module's values after each pass.

    `inputs` random inputs are drawn from `seed`.  When the module cannot be run, `note` is
    told why, once, and the passes after that are not validated.
    """

    def __init__(
        self, inputs: int = 1, seed: int = 0, note: Callable[[str], None] = print_note
    ) -> None:
        self.inputs = inputs
        self.seed = seed
        self.note = note
        self.validated: list[str] = []
        """The passes whose values were compared and found equal."""
        self._samples: list[list[Ints]] = []
        self._expected: list[list[Ints]] = []
        self._names: list[str] = []
        self._running = False

    def __call__(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Raises BscError naming the pass, the result and the number of values that differ."""
        if previous is None:
            self._running = following is not None and self._start(module)
        elif self._running:
            self._running = self._check(module, previous.name)

    def _start(self, module: ModuleOp) -> bool:
        """Record what the module computes; whether that was possible."""
        if (reason := not_runnable(module)) is not None:
            self.note(f"values are not validated: {reason}")
            return False
        main = _entry(module)
        end = main and main.get_return_op()
        assert main is not None
        assert end is not None
        rng = np.random.default_rng(self.seed)
        types = list(main.function_type.inputs)
        self._samples = [[random_tensor(t, rng) for t in types] for _ in range(self.inputs)]
        self._names = [name_of(value) for value in end.operands]
        try:
            self._expected = [_run(module, sample) for sample in self._samples]
        except InterpretationError as e:
            self.note(f"values are not validated: {e}")
            return False
        return True

    def _check(self, module: ModuleOp, name: str) -> bool:
        """Compare after the pass `name`; whether the next pass can be validated too."""
        if (reason := not_runnable(module)) is not None:
            self.note(f"values are not validated after {name}: {reason}")
            return False
        for sample, expected in zip(self._samples, self._expected, strict=True):
            try:
                found = _run(module, sample)
            except InterpretationError as e:
                self.note(f"values are not validated after {name}: {e}")
                return False
            except (BscError, VerifyException, *_MISTAKES) as e:
                raise BscError(
                    f"{name}: the module it made cannot be run: {type(e).__name__}: {e}"
                ) from e
            if (text := difference(expected, found, self._names)) is not None:
                raise BscError(f"{name} changed the values: {text}")
        self.validated.append(name)
        return True


def not_runnable(module: ModuleOp) -> str | None:
    """Why `@main` is not a function of tensor operations, or None if it is one."""
    main = _entry(module)
    if main is None or not main.body.blocks:
        return f"there is no func.func @{ENTRY} with a body"
    for op in main.walk():
        if not all(isinstance(type, TensorType | WeightType) for type in op.result_types):
            return f"@{ENTRY} holds {op.name}, which does not yield tensors"
    for index, type in enumerate(main.function_type.inputs):
        try:
            shape_of(type)
        except VerifyException as e:
            return f"argument {index} of @{ENTRY}: {e}"
        if cast(TensorType, type).element_type not in (i8, i32):
            return f"argument {index} of @{ENTRY} is neither i8 nor i32: {type}"
    return None


def _entry(module: ModuleOp) -> FuncOp | None:
    main = SymbolTable(module).lookup(ENTRY)
    return main if isinstance(main, FuncOp) else None


def _run(module: ModuleOp, sample: list[Ints]) -> list[Ints]:
    # The values' types are those of the module: nearly always int8.
    return cast(list[Ints], run_module(module, cast(list[Int8], sample), ENTRY))


def random_tensor(type: Attribute, rng: np.random.Generator) -> Ints:
    """Integers of the tensor type `type`, uniform over all of int8."""
    dtype = np.int8 if cast(TensorType, type).element_type == i8 else np.int32
    return rng.integers(-128, 128, shape_of(type)).astype(dtype)


def difference(expected: list[Ints], found: list[Ints], names: list[str]) -> str | None:
    """In what the first result that differs does so, or None if all are equal."""
    if len(expected) != len(found):
        return f"{len(found)} results, there were {len(expected)}"
    for index, (old, new) in enumerate(zip(expected, found, strict=True)):
        what = f"result {index} ('{names[index]}')"
        before, after = ((a.dtype.name, a.shape) for a in (old, new))
        if before != after:
            return f"{what} is {after[0]} {after[1]}, it was {before[0]} {before[1]}"
        if count := int(np.count_nonzero(old != new)):
            first = tuple(int(n) for n in np.argwhere(old != new)[0])
            return (
                f"{what}: {count} of {old.size} values differ, "
                f"the first at {first}: {new[first]}, it was {old[first]}"
            )
    return None
