"""How much memory and time it takes to compile a model of gigabytes, and to explain it.

    python benchmarks/large_model.py --gigabytes 2

The model has its weights in a file beside it, as ONNX files of more than 2 GB must.  Half of
them are in convolutions of 3x3, which have to be transposed, the others in dense layers; half
of the blocks are zero, or none with --dense.  The commands run in processes of their own.  Of
their peak, pages of mapped files are told apart: the kernel can take them back at any time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

CHANNELS, WIDTH, IMAGE = 2048, 11584, 7
"""Of a large model: channels of convolutions, width of dense layers, pixels of a row."""

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

    def node(self, kind: str, inputs: list[str], output: str, **given: object) -> str:
        """A node, whose result is returned."""
        self.nodes.append(_make_node(kind, inputs, [output], output, **given))
        return output

    def quantized(self, x: str) -> str:
        """`x`, rounded."""
        self.node("QuantizeLinear", [x, "one", "zero"], f"{x}_q")
        return self.node("DequantizeLinear", [f"{x}_q", "one", "zero"], f"{x}_dq")

    def weight(self, shape: Sequence[int]) -> str:
        """A weight with the share `density` of its blocks of 8x8 channels not zero, by its
        name."""
        name, (cout, cin, *taps) = f"w{len(self.tensors)}", shape
        tensor = TensorProto(
            name=name,
            data_type=TensorProto.INT8,
            dims=shape,
            data_location=TensorProto.EXTERNAL,
        )
        size = int(np.prod(shape))
        entries = {"location": "weights.bin", "offset": self.size, "length": size}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        with (self.folder / "weights.bin").open("ab") as file:
            for _ in range(0, cout, 8):
                blocks = self.rng.integers(-3, 4, (8, cin // 8, 8, *taps), np.int8)
                blocks[:, self.rng.random(cin // 8) >= self.density] = 0
                file.write(blocks.tobytes())
        self.tensors.append(tensor)
        self.size += size
        return self.node("DequantizeLinear", [name, "one", "zero"], f"{name}_dq")

    def conv(self, x: str, channels: int) -> str:
        """A convolution of 3x3 pixels."""
        weight = self.weight([channels, channels, 3, 3])
        return self.quantized(self.node("Conv", [x, weight], f"{weight}_y", pads=[1, 1, 1, 1]))

    def dense(self, x: str, cout: int, cin: int) -> str:
        """A dense layer."""
        weight = self.weight([cout, cin])
        return self.quantized(self.node("Gemm", [x, weight], f"{weight}_y", transB=1))


def write_model(folder: Path, size: int, density: float) -> tuple[Path, int]:
    """A chain of convolutions and dense layers with at least `size` bytes of weights, two of
    each kind or more; its file, and the bytes."""
    channels = min(CHANNELS, 64 * max(1, int((size / 36) ** 0.5 / 64)))
    width = min(WIDTH, 64 * max(1, int((size / 4) ** 0.5 / 64)))
    writer = Writer(folder, density)
    x = writer.quantized("x")
    while writer.size < size / 2:
        x = writer.conv(x, channels)
    x = writer.quantized(writer.node("GlobalAveragePool", [x], "mean"))
    x = writer.quantized(writer.node("Flatten", [x], "flat"))
    x = writer.dense(x, width, channels)
    while writer.size < size:
        x = writer.dense(x, width, width)
    shapes = {"x": [1, channels, IMAGE, IMAGE], x: [1, width]}
    floats = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, dims) for n, dims in shapes.items()
    ]
    graph = helper.make_graph(writer.nodes, "large", floats[:1], floats[1:], writer.tensors)
    opset = helper.make_opsetid("", 17)
    path = folder / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=[opset]).SerializeToString()
    )
    return path, writer.size


class Peak(NamedTuple):
    """What a process took: the most bytes of all that it maps, the most of its own, seconds by
    the clock and of the processor."""

    resident: int
    own: int
    seconds: float
    cpu_s: float

    def line(self, what: str, weights: int) -> str:
        """The peak in words, beside the bytes of the weights."""
        own, resident = (f"{n / 2**20:,.0f} MB" for n in (self.own, self.resident))
        return (
            f"{what}: {self.seconds:.0f} s, {self.cpu_s:.0f} s of the processor, peak {own} "
            f"({self.own / weights:.2f} times the weights), with mapped files {resident} "
            f"({self.resident / weights:.2f} times)"
        )


def peak_of(arguments: Sequence[str]) -> Peak:
    """The peak of `bsc` in a process of its own, looked at every few milliseconds."""
    start, before, own, resident = time.perf_counter(), _cpu_s(), 0, 0
    command = [sys.executable, "-c", _COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            resident = max(resident, _bytes(fields, "VmHWM"))
            own = max(own, _bytes(fields, "RssAnon"))
            time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"bsc {arguments[0]} failed with exit code {process.returncode}")
    return Peak(resident, own, time.perf_counter() - start, _cpu_s() - before)


def _cpu_s() -> float:
    """What processes that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bytes(fields: Mapping[str, str], name: str) -> int:
    """A field of the kernel; a process that ends has none."""
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
        print(f"{written / 2**20:,.0f} MB of weights", flush=True)
        print(peak_of(["explain", str(path)]).line("bsc explain", written), flush=True)
        compiled = peak_of(["compile", str(path), "-o", str(folder / "out")])
        print(compiled.line("bsc compile", written))


if __name__ == "__main__":
    main()
