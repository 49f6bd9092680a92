"""What the tests share; its presence lets them import the helpers of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Bsc
from hypothesis import settings

from bsc.tools.driver import invoke

# No test fails because a machine is busy.
settings.register_profile("bsc", deadline=None)
settings.load_profile("bsc")


@pytest.fixture
def bsc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bsc:
    """Runs the command in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        code = invoke(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run
