"""Validation by value finds passes that change values, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.transforms.common_subexpression_elimination import CommonSubexpressionElimination

from bsc.dialects import qnn
from bsc.dialects.qnn_attributes import EpilogueAttr
from bsc.errors import BscError
from bsc.numerics import Requant
from bsc.passes.set_arch import SetArchPass
from bsc.pipelines import new_context, run_passes
from bsc.validation import PassValidator, not_runnable

NETWORK = """
bsw.weight @c : !bsw.weight<8x3x3x8, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 576>, bias = #bsw.payload<splat 0, size 32>}
func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>)
    -> (tensor<1x8x8x8xi8, #qnn.pos<4>>, tensor<1x8x8x8xi8, #qnn.pos<4>>) {
  %w = bsw.get @c : !bsw.weight<8x3x3x8, pos 7, bias 12>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<8x3x3x8, pos 7, bias 12>
    -> tensor<1x8x8x8xi8, #qnn.pos<4>> loc("conv1")
  %z = qnn.add %y, %x
     : (tensor<1x8x8x8xi8, #qnn.pos<4>>, tensor<1x8x8x8xi8, #qnn.pos<5>>)
    -> tensor<1x8x8x8xi8, #qnn.pos<4>> loc("sum")
  func.return %y, %z : tensor<1x8x8x8xi8, #qnn.pos<4>>, tensor<1x8x8x8xi8, #qnn.pos<4>>
}
"""


def parse(text: str) -> ModuleOp:
    return Parser(new_context(), text).parse_module()


def wrong(change: Callable[[ModuleOp], None]) -> ModulePass:
    """A pass that does something it should not."""

    class WrongPass(ModulePass):
        name = "wrong"

        def apply(self, ctx: Context, op: ModuleOp) -> None:
            change(op)

    return WrongPass()


def clamp_the_sum(module: ModuleOp) -> None:
    (op,) = (op for op in module.walk() if isinstance(op, qnn.AddOp))
    op.properties["epilogue"] = EpilogueAttr((Requant(4, -128, 40),))


def swap_the_results(module: ModuleOp) -> None:
    (end,) = (op for op in module.walk() if isinstance(op, ReturnOp))
    end.operands = end.operands[::-1]


def drop_the_pads(module: ModuleOp) -> None:
    (op,) = (op for op in module.walk() if isinstance(op, qnn.Conv2dOp))
    del op.properties["pads"]


def lose_the_function(module: ModuleOp) -> None:
    (main,) = (op for op in module.walk() if isinstance(op, FuncOp))
    main.detach()
    main.erase()


def test_honest_passes_are_validated():
    validator = PassValidator(inputs=2)
    run_passes(parse(NETWORK), [SetArchPass(), CommonSubexpressionElimination()], validator)
    assert validator.validated == ["set-arch", "cse"]


def test_a_clamp_is_found():
    validator = PassValidator(seed=3)
    with pytest.raises(BscError) as e:
        run_passes(parse(NETWORK), [SetArchPass(), wrong(clamp_the_sum)], validator)
    text = str(e.value)
    assert text.startswith("wrong changed the values: result 1 ('sum'): ")
    assert "of 512 values differ, the first at (0, " in text
    assert ": 40, it was " in text
    assert validator.validated == ["set-arch"]


def test_the_number_of_differences_is_exact():
    # The whole of the first result, but where both happen to be equal.
    validator = PassValidator(seed=3)
    with pytest.raises(BscError) as e:
        run_passes(parse(NETWORK), [wrong(swap_the_results)], validator)
    (old_y, old_z), *_ = validator._expected  # pyright: ignore[reportPrivateUsage]
    assert f"{np.count_nonzero(old_y != old_z)} of 512 values" in str(e.value)


def test_a_module_that_no_longer_runs_is_the_pass_s_fault():
    with pytest.raises(BscError, match="wrong: the module it made cannot be run: "):
        run_passes(parse(NETWORK), [wrong(drop_the_pads)], PassValidator())


def test_the_end_of_the_tensor_level_is_told_once():
    notes: list[str] = []
    validator = PassValidator(note=notes.append)
    run_passes(
        parse(NETWORK), [SetArchPass(), wrong(lose_the_function), SetArchPass()], validator
    )
    assert validator.validated == ["set-arch"]
    assert notes == [
        "values are not validated after wrong: there is no func.func @main with a body"
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("module {}", "there is no func.func @main with a body"),
        ("func.func private @main() -> ()", "there is no func.func @main with a body"),
        (
            'func.func @main() { "test.op"() : () -> i32\n func.return }',
            "@main holds test.op, which does not yield tensors",
        ),
        (
            "func.func @main(%x : i32) { func.return }",
            "argument 0 of @main: i32 is not a tensor",
        ),
        (
            "func.func @main(%x : tensor<1x1x1x8xf32, #qnn.pos<1>>) { func.return }",
            "argument 0 of @main is neither i8 nor i32: tensor<1x1x1x8xf32, #qnn.pos<1>>",
        ),
        (
            'func.func @main() { "test.op"() : () -> tensor<1x1x1x8xi8>\n func.return }',
            "Could not find interpretation function for op test.op",
        ),
    ],
)
def test_what_cannot_be_run_is_told(text: str, reason: str):
    notes: list[str] = []
    run_passes(parse(text), [SetArchPass()], PassValidator(note=notes.append))
    assert notes == [f"values are not validated: {reason}"]


def test_without_passes_nothing_runs():
    notes: list[str] = []
    run_passes(parse("module {}"), [], PassValidator(note=notes.append))
    assert notes == []


def test_the_network_is_at_the_tensor_level():
    assert not_runnable(parse(NETWORK)) is None
