# pyright: basic, reportMissingImports=false
"""PyTorch's two exporters, and onnxruntime's quantizer on what they write."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch_models
from quantizer import FORMATS, quantize

EXPORTERS = {"torchscript": False, "dynamo": True}


def main(folder: Path) -> None:
    """Every network from both exporters as QDQ with int8, the first in the other forms and
    with an open batch, too."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in torch_models.NETWORKS:
            for exporter, dynamo in EXPORTERS.items():
                path = Path(scratch, f"{name}.onnx")
                torch_models.export(torch_models.network(name), str(path), dynamo)
                for form in FORMATS if name == "small" else ("qdq-int8",):
                    quantize(path, folder / f"torch-{exporter}-{name}-{form}.onnx", form)
        path = Path(scratch, "batch.onnx")
        torch_models.export(torch_models.network("small"), str(path), batch="batch")
        quantize(path, folder / "torch-torchscript-batch-qdq-int8.onnx", "qdq-int8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
