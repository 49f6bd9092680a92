"""The one exception that a user's mistake raises.

Every tool prints it as a single line on stderr and exits with a non-zero code; it never
shows a traceback.  The message names the place (ONNX node, source line or option), the
value found, the limit, and what to do.
"""


class BscError(Exception):
    """A mistake in the input or the options, told in one line (or one line per problem)."""
