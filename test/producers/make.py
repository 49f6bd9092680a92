"""Makes the models of `test/fixtures/producers` with the tools that users have: AMD Quark,
Brevitas, Keras, PyTorch, and onnxruntime's quantizer.

    python test/producers/make.py FOLDER

Each producer gets an environment of its own in FOLDER, with the versions below, and runs
there: some exporters write the paths of their sources into the model, so that FOLDER should
be a place that may be named (the fixtures come from /opt/producers).  The environments take
5 GB.  What the tools write is copied as it is, and bsc takes no part in it.  It is the same
each time but for tf2onnx, which orders and numbers some nodes by chance.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures" / "producers"

COMMON = ["numpy==2.4.6", "onnxruntime==1.31.1", "onnxscript==0.7.2", "protobuf==7.36.2"]

ENVIRONMENTS: dict[str, list[list[str]]] = {
    "torch": [
        ["torch==2.13.0"],
        [
            *COMMON,
            "onnx==1.23.2",
            "brevitas==0.13.4",
            "onnxoptimizer==0.4.2",
            "keras==3.15.1",
        ],
    ],
    "tensorflow": [
        [*COMMON, "onnx==1.23.2", "keras==3.15.1", "tensorflow-cpu==2.21.0", "tf2onnx==1.17.0"]
    ],
    "quark": [["torch==2.13.0"], [*COMMON, "onnx==1.22.0", "amd-quark==0.13"]],
}
"""What pip installs, in this order: PyTorch alone and first, or it comes with CUDA."""


def environment(folder: Path, steps: list[list[str]]) -> Path:
    """The Python of the environment in `folder`, made if it is not there; it has the sources
    of this folder beside it."""
    python = folder / "bin" / "python"
    done = folder / "done"
    if not done.exists():
        venv.create(folder, clear=True, with_pip=True)
        for packages in steps:
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        done.touch()
    for source in HERE.glob("*.py"):
        shutil.copy(source, folder)
    return python


def main(folder: Path) -> None:
    """Make environments and fixtures."""
    folder = folder.resolve()
    pythons = {name: environment(folder / name, steps) for name, steps in ENVIRONMENTS.items()}
    made, floats = folder / "out", folder / "floats"
    for path in (made, floats):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)

    def run(name: str, script: str, *args: Path, backend: str = "") -> None:
        where = folder / name
        subprocess.run(
            [pythons[name], where / script, made, *args],
            check=True,
            cwd=where,
            env=os.environ | {"KERAS_BACKEND": backend},
        )

    run("torch", "torch_export.py")
    run("torch", "brevitas_qcdq.py")
    run("torch", "keras_export.py", floats, backend="torch")
    run("tensorflow", "keras_export.py", floats, backend="tensorflow")
    run("quark", "quark_xint8.py", *sorted(floats.glob("*.onnx")))
    shutil.rmtree(FIXTURES, ignore_errors=True)
    shutil.copytree(made, FIXTURES)
    shutil.copytree(floats, FIXTURES / "float")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
