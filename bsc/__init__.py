"""bsc: a block-sparse compiler for grids of AMD AIE2 cores, on xDSL.

    import bsc

    compiled = bsc.compile("model.onnx", arch="paper-4x4")
    compiled.save("out")
    result = bsc.run(compiled, {"data": image})
    assert bsc.check("model.onnx", compiled, every_tensor=True).ok

These names are imported when they are first used, so that `import bsc` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bsc.errors import BscError, ModelError

if TYPE_CHECKING:
    from bsc.api import compile, run
    from bsc.checking import CheckResult, check
    from bsc.compiled import Compiled
    from bsc.frontend.explain import Explanation, explain
    from bsc.sim import Result

__all__ = [
    "BscError",
    "CheckResult",
    "Compiled",
    "Explanation",
    "ModelError",
    "Result",
    "check",
    "compile",
    "explain",
    "run",
]

_HOMES = {
    "CheckResult": "bsc.checking",
    "Compiled": "bsc.compiled",
    "Explanation": "bsc.frontend.explain",
    "Result": "bsc.sim",
    "check": "bsc.checking",
    "compile": "bsc.api",
    "explain": "bsc.frontend.explain",
    "run": "bsc.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bsc' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
