"""The exceptions that a user's mistake raises.

Every tool prints them as a single line on stderr and exits with a non-zero code; it never
shows a traceback.  The message names the place (ONNX node, source line or option), the
value found, the limit, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class BscError(Exception):
    """A mistake in the input or the options, told in one line (or one line per problem)."""


class ModelError(BscError):
    """A model that is not accepted, with everything that is wrong with it.

    `where` is the model, as messages call it; `problems` are the lines without it.
    """

    def __init__(self, where: str, problems: Sequence[str]):
        super().__init__("\n".join(f"{where}: {problem}" for problem in problems))
        self.where = where
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[ModelError], tuple[str, tuple[str, ...]]]:
        # An exception is pickled with the arguments of its base, which are not ours.
        return ModelError, (self.where, self.problems)
