"""The console scripts: an interrupt by the user is no traceback, however early it comes.

What the commands are made of takes a while to import, and Python's own handler would show
where in that it was.  Until then the process ends as the system would end it.
"""

from __future__ import annotations

import signal


def bsc() -> int:
    """The console script `bsc`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bsc.tools import driver

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return driver.main()


def bsc_opt() -> int:
    """The console script `bsc-opt`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bsc.tools import opt

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return opt.main()
