"""A model whose weights lie in a file is compiled, and explained, in about the memory of its
packed weights.

`benchmarks/large_model.py` does the same with gigabytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

SIZE = 64 * 2**20

# Not `ru_maxrss`, which knows of the process that this one was started by, too.
SCRIPT = """
import contextlib, io, json, sys
from pathlib import Path

from large_model import write_model
from bsc.tools.driver import invoke

folder, size = Path(sys.argv[1]), int(sys.argv[2])

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

def done(name, size):
    (folder / name).mkdir()
    path, written = write_model(folder / name, size, density=0.5)
    peaks = []
    for arguments in (["explain", path], ["compile", path, "-o", folder / name / "out"]):
        with contextlib.redirect_stdout(io.StringIO()):
            assert invoke([*map(str, arguments)]) == 0
        peaks.append(peak())
    return written, *peaks

_, _, before = done("small", 2**20)
print(json.dumps([before, *done("large", size)]))
"""


def test_memory_is_less_than_twice_the_weights(tmp_path: Path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(SIZE)]
    out = subprocess.run(
        command, cwd=BENCHMARKS, capture_output=True, text=True, check=True
    ).stdout
    before, weights, explained, compiled = json.loads(out)
    assert weights >= SIZE
    # Pages of mapped files, which the kernel can take back, are counted as well.
    assert explained - before < weights
    assert compiled - before < 2 * weights
    packed = (tmp_path / "large" / "out" / "weights.bin").stat().st_size
    assert weights / 3 < packed < weights * 2 / 3
