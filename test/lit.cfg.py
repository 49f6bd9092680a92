"""lit's configuration: `lit test/` runs every test in test/filecheck.

The tools come from the environment of the Python that runs lit, whether or not that
environment is activated.  Intermediate files go to out/lit.
"""

import os
import sys
from pathlib import Path
from typing import Any

import lit.formats

# lit runs this file with `config` already there.
config: Any = globals()["config"]

here = Path(__file__).resolve().parent

config.name = "bsc"
config.test_format = lit.formats.ShTest()
config.test_source_root = str(here)
config.test_exec_root = str(here.parent / "out" / "lit")
config.suffixes = [".mlir", ".test"]
# pytest's.
config.excludes = ["unit", "e2e", "Inputs"]

# Not resolved: the Python of an environment is a link to the one that made it.
tools = str(Path(sys.executable).parent)
config.environment["PATH"] = os.pathsep.join((tools, config.environment["PATH"]))

config.substitutions += [
    # Printed in the custom form, read, printed in the generic form, read, and printed.
    (
        "BSC_ROUNDTRIP",
        "bsc-opt %s --split-input-file | bsc-opt --split-input-file --print-op-generic "
        "| bsc-opt --split-input-file | filecheck %s",
    ),
    # Invalid modules, one a chunk: the messages of parser and verifiers.
    (
        "BSC_INVALID",
        "bsc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics "
        "| filecheck %s",
    ),
]
