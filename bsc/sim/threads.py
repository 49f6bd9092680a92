"""One thread for matrix products.

Products as small as those of a core are slower on several threads, and by far so on a
machine that is busy.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, cast

import threadpoolctl


def one_thread() -> AbstractContextManager[object]:
    """Inside, products run on one thread."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> Any:
    return cast("Any", threadpoolctl).ThreadpoolController()
