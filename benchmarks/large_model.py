"""How much memory it takes to compile a model of gigabytes, over the size of its weights.

    python benchmarks/large_model.py --gigabytes 2

The model has its weights in a file beside it, as ONNX files of more than 2 GB must: dense
layers with half of the blocks zero, or none with --dense.  `bsc compile` runs in a process of
its own.  Of its peak, pages of mapped files (the weights as they are read) are told apart: the
kernel can take them back at any time, and only the others are held.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

LAYER = 2**27
"""Bytes of the weight of a layer, or less for small models."""

_POS = 5

_COMMAND = "from bsc.tools.driver import main; raise SystemExit(main())"

_make_node: Callable[..., onnx.NodeProto] = helper.make_node


class Writer:
    """A model whose weights go to a file as they are made."""

    def __init__(self, folder: Path, density: float):
        self.folder = folder
        self.density = density
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.tensors = [
            helper.make_tensor("one", TensorProto.FLOAT, [], [2.0**-_POS]),
            helper.make_tensor("zero", TensorProto.INT8, [], [0]),
        ]
        self.size = 0

    def node(self, kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        """A node, whose result is returned."""
        self.nodes.append(_make_node(kind, inputs, [output], output, **attributes))
        return output

    def quantized(self, x: str) -> str:
        """`x`, rounded."""
        self.node("QuantizeLinear", [x, "one", "zero"], f"{x}_q")
        return self.node("DequantizeLinear", [f"{x}_q", "one", "zero"], f"{x}_dq")

    def dense(self, x: str, name: str, cout: int, cin: int) -> str:
        """A dense layer with the share `density` of its blocks of 8x8 not zero."""
        tensor = TensorProto(
            name=name,
            data_type=TensorProto.INT8,
            dims=[cout, cin],
            data_location=TensorProto.EXTERNAL,
        )
        entries = {"location": "weights.bin", "offset": self.size, "length": cout * cin}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        with (self.folder / "weights.bin").open("ab") as file:
            for _ in range(0, cout, 8):
                rows = self.rng.integers(-3, 4, (8, cin), np.int8)
                rows *= np.repeat(self.rng.random(cin // 8) < self.density, 8)
                file.write(rows.tobytes())
        self.tensors.append(tensor)
        self.size += cout * cin
        self.node("DequantizeLinear", [name, "one", "zero"], f"{name}_dq")
        return self.quantized(self.node("Gemm", [x, f"{name}_dq"], f"{name}_y", transB=1))


def write_model(folder: Path, size: int, density: float) -> tuple[Path, int]:
    """A chain of dense layers with about `size` bytes of weights; its file, and the bytes."""
    width = 8 * max(1, int(min(size, LAYER) ** 0.5 / 8))
    writer = Writer(folder, density)
    x = writer.quantized("x")
    for i in range(max(1, size // width**2)):
        x = writer.dense(x, f"w{i}", width, width)
    floats = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, width]) for n in ("x", x)]
    graph = helper.make_graph(writer.nodes, "large", floats[:1], floats[1:], writer.tensors)
    opset = helper.make_opsetid("", 17)
    path = folder / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=[opset]).SerializeToString()
    )
    return path, writer.size


class Peak(NamedTuple):
    """The most bytes of a process: all that it maps, and those that are its own."""

    resident: int
    own: int


def peak_of(path: Path, output: Path) -> Peak:
    """The peak of `bsc compile` in a process of its own, looked at every few milliseconds."""
    command = [sys.executable, "-c", _COMMAND, "compile", str(path), "-o", str(output)]
    resident = own = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            resident = max(resident, _kilobytes(fields, "VmHWM"))
            own = max(own, _kilobytes(fields, "RssAnon"))
            time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"bsc compile failed with exit code {process.returncode}")
    return Peak(resident, own)


def _kilobytes(fields: Mapping[str, str], name: str) -> int:
    """A field of the kernel in bytes; a process that ends has none."""
    return int(fields.get(name, "0 kB").split()[0]) * 1024


def main() -> None:
    """Print size, time and peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--dense", action="store_true", help="no block is zero")
    given = parser.parse_args()
    size, density = int(given.gigabytes * 2**30), 1.0 if given.dense else 0.5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, written = write_model(folder, size, density)
        start = time.perf_counter()
        peak = peak_of(path, folder / "out")
        spent = time.perf_counter() - start
    print(
        f"{written / 2**30:.2f} GB of weights, {spent:.0f} s: peak {peak.own / 2**30:.2f} GB "
        f"({peak.own / written:.2f} times the weights), with mapped files "
        f"{peak.resident / 2**30:.2f} GB ({peak.resident / written:.2f} times)"
    )


if __name__ == "__main__":
    main()
