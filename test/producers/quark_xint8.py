# pyright: basic, reportMissingImports=false
"""AMD Quark's XINT8: 8 bits, power-of-two scales, as AMD's compiler for its NPUs wants them.

Its sources are PyTorch's exports and the float files that are named on the command line.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from pathlib import Path

import onnx
import torch_models
from quantizer import Reader
from quark.onnx import ModelQuantizer
from quark.onnx.quantization.config.config import Config
from quark.onnx.quantization.config.custom_config import XINT8_CONFIG, XINT8_QCONFIG


def quantize(source: Path, target: Path) -> None:
    """XINT8 as it comes, calibrated with random inputs; Quark changes the settings it gets."""
    quantizer = ModelQuantizer(copy.deepcopy(XINT8_QCONFIG))
    quantizer.quantize_model(str(source), str(target), Reader(onnx.load(source)))


def main(folder: Path, *sources: str) -> None:
    """Every source and network as XINT8, the first network by Quark's older interface too."""
    for source in map(Path, sources):
        quantize(source, folder / f"quark-{source.stem}.onnx")
    with tempfile.TemporaryDirectory() as scratch:
        for name in torch_models.NETWORKS:
            path = Path(scratch, f"{name}.onnx")
            torch_models.export(torch_models.network(name), str(path), opset=17)
            quantize(path, folder / f"quark-torch-{name}.onnx")
        path = Path(scratch, "small.onnx")
        torch_models.export(torch_models.network("small"), str(path), opset=17)
        ModelQuantizer(Config(XINT8_CONFIG)).quantize_model(
            str(path), str(folder / "quark-legacy-small.onnx"), Reader(onnx.load(path))
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
