# pyright: basic, reportMissingImports=false
"""Brevitas: a network with fixed-point quantizers (scales are powers of two), exported as QCDQ,
that is QuantizeLinear, Clip, DequantizeLinear.

Scales come from a few random inputs; nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.export import export_onnx_qcdq
from brevitas.graph.calibrate import calibration_mode
from brevitas.quant import Int32Bias
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8BiasPerTensorFixedPointInternalScaling,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import nn
from torch_models import image


def plain(x: object) -> torch.Tensor:
    """The values of a tensor, which has a scale with it but not while it is calibrated."""
    return getattr(x, "value", x)


class Quantized(nn.Module):
    """A residual block, two branches side by side, and a classifier.

    `relu` is the quantizer of the activations that are not negative, `bias` that of the
    biases; without one there are no biases.
    """

    def __init__(self, relu: type, bias: type | None) -> None:
        super().__init__()

        def conv(cin: int, cout: int, kernel: int, **options: int) -> nn.Module:
            return qnn.QuantConv2d(
                cin,
                cout,
                kernel,
                padding=kernel // 2,
                bias=bias is not None,
                weight_quant=Int8WeightPerTensorFixedPoint,
                bias_quant=bias,
                **options,
            )

        def identity() -> nn.Module:
            return qnn.QuantIdentity(
                act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True
            )

        def rectified() -> nn.Module:
            return qnn.QuantReLU(act_quant=relu, return_quant_tensor=True)

        self.input = identity()
        self.stem, self.stem_relu = conv(3, 16, 3, stride=2), rectified()
        self.depthwise, self.depthwise_relu = conv(16, 16, 3, groups=16), rectified()
        self.body, self.body_sum, self.body_relu = conv(16, 16, 1), identity(), rectified()
        self.left, self.left_relu = conv(16, 8, 1), rectified()
        self.right, self.right_relu = conv(16, 24, 3), rectified()
        self.joined = identity()
        self.pool = nn.MaxPool2d(2)
        self.mean, self.mean_quant = nn.AdaptiveAvgPool2d(1), identity()
        self.classes = qnn.QuantLinear(
            32,
            10,
            bias=bias is not None,
            weight_quant=Int8WeightPerTensorFixedPoint,
            bias_quant=bias,
            output_quant=Int8ActPerTensorFixedPoint,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem_relu(self.stem(self.input(x)))
        y = self.body_sum(self.body(self.depthwise_relu(self.depthwise(x))))
        x = self.body_relu(plain(x) + plain(y))
        left, right = self.left_relu(self.left(x)), self.right_relu(self.right(x))
        x = self.joined(torch.cat([plain(left), plain(right)], dim=1))
        x = self.mean_quant(self.mean(self.pool(plain(x))))
        return self.classes(torch.flatten(x, 1))


VARIANTS = {
    "int8": (False, Int8ActPerTensorFixedPoint, Int32Bias),
    "int8-bias8": (
        False,
        Int8ActPerTensorFixedPoint,
        Int8BiasPerTensorFixedPointInternalScaling,
    ),
    "uint8": (False, Uint8ActPerTensorFixedPoint, Int32Bias),
    "unbiased": (True, Int8ActPerTensorFixedPoint, None),
}
"""Whether PyTorch's dynamo exporter is used, which takes no quantized biases; quantizers."""


def main(folder: Path) -> None:
    """Every variant."""
    for name, (dynamo, relu, bias) in VARIANTS.items():
        torch.manual_seed(0)
        model = Quantized(relu, bias)
        with torch.no_grad(), calibration_mode(model):
            for seed in range(1, 5):
                model(image(seed))
        model.eval()
        model(image(0))
        export_onnx_qcdq(
            model,
            args=image(0),
            export_path=str(folder / f"brevitas-{name}.onnx"),
            dynamo=dynamo,
            **({"external_data": False} if dynamo else {}),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
