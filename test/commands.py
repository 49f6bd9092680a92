"""The command `bsc`, run in the test's own process."""

from __future__ import annotations

from collections.abc import Callable

Bsc = Callable[..., tuple[int, str, str]]
"""Runs the command with some arguments: exit code, stdout, stderr."""
