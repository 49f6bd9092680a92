"""docs/passes.md is what the passes say and do today, and its code runs."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from passes_page import EMBEDDING, PAGE, TESTS, page, run_line
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from bsc.dialects.dataflow import ToMemtileOp
from bsc.pipelines import new_context
from bsc.universe import BSC_UNIVERSE, PASS_NAMES


def test_the_page_is_not_stale():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python test/passes_page.py"


@pytest.mark.parametrize("name", PASS_NAMES)
def test_every_pass_is_documented_and_has_a_test(name: str):
    cls = BSC_UNIVERSE.all_passes[name]()
    text = inspect.cleandoc(sys.modules[cls.__module__].__doc__ or "")
    assert text.startswith(f"`--{name}")
    assert re.search(r"\bNeeds\s", text), "what the pass needs"
    assert any(flag.startswith(f"--{name}") for flag in run_line(TESTS / f"{name}.mlir"))


def snippet(number: int) -> Callable[..., Any]:
    """The function that a piece of Python on the page defines."""
    code = re.findall(r"```python\n(.*?)```", EMBEDDING, re.DOTALL)[number]
    scope: dict[str, Any] = {}
    exec(code, scope)
    name = re.search(r"^def (\w+)", code, re.MULTILINE)
    assert name is not None
    return scope[name[1]]


def network() -> tuple[Context, ModuleOp]:
    ctx = new_context()
    text = (TESTS / "split-width-options.mlir").read_text(encoding="utf-8")
    return ctx, Parser(ctx, text).parse_module()


def test_the_embedding_of_passes_runs():
    ctx, module = network()
    snippet(0)(ctx, module)
    module.verify()
    assert any(isinstance(op, ToMemtileOp) for op in module.walk())


def test_the_embedding_of_the_pipeline_runs():
    _, module = network()
    assert snippet(1)(module, "npu1") > 5
