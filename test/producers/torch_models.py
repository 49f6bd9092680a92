# pyright: basic, reportMissingImports=false
"""Small float networks in PyTorch, one for each thing that exporters write in their own way.

This runs in an environment of PyTorch, which bsc itself does not need.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

SIZE = 12
"""Height and width of the images."""


class Small(nn.Module):
    """A residual block, two branches side by side, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=1, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.body = nn.Conv2d(16, 16, 3, padding=1)
        self.body_bn = nn.BatchNorm2d(16)
        self.left = nn.Conv2d(16, 8, 1)
        self.right = nn.Conv2d(16, 24, (1, 3), padding=(0, 1))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classes = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(F.relu(self.stem_bn(self.stem(x))))
        x = F.relu(x + self.body_bn(self.body(x)))
        x = torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], dim=1)
        return self.classes(torch.flatten(self.mean(x), 1))


class Shuffle(nn.Module):
    """A unit of ShuffleNet V2: split, depthwise, concat, channel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.first = nn.Conv2d(8, 8, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, x = F.relu(self.stem(x)).chunk(2, dim=1)
        x = torch.cat([kept, self.bn(self.depthwise(F.relu(self.first(x))))], dim=1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.last(x)


class Grouped(nn.Module):
    """A unit of ShuffleNet V1: grouped convolutions and the shuffle between, no split."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.first = nn.Conv2d(16, 32, 1, groups=4)
        self.last = nn.Conv2d(32, 16, 1, groups=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        y = F.relu(self.first(x))
        n, c, h, w = y.shape
        y = y.view(n, 4, c // 4, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return F.relu(x + self.last(y))


class Inverted(nn.Module):
    """An inverted residual of MobileNet V2, with ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.expand = nn.Conv2d(8, 32, 1, bias=False)
        self.expand_bn = nn.BatchNorm2d(32)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(32)
        self.project = nn.Conv2d(32, 8, 1)
        self.act = nn.ReLU6()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.stem(x))
        y = self.act(self.expand_bn(self.expand(x)))
        y = self.act(self.depthwise_bn(self.depthwise(y)))
        return x + self.project(y)


class HardSwish(nn.Module):
    """Hard-swish and hard-sigmoid, of MobileNet V3."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.last = nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.hardsigmoid(self.last(F.hardswish(self.stem(x))))


class Excite(nn.Module):
    """Squeeze-and-excite, of MobileNet V3: a mean, two layers, a product."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.squeeze = nn.Conv2d(16, 8, 1)
        self.excite = nn.Conv2d(8, 16, 1)
        self.last = nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        y = F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        return self.last(x * F.hardsigmoid(self.excite(y)))


class Upsample(nn.Module):
    """Nearest neighbours twice as large, joined to what was there, as in a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.down = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.last = nn.Conv2d(32, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        y = F.interpolate(F.relu(self.down(x)), scale_factor=2.0, mode="nearest")
        return self.last(torch.cat([x, y], dim=1))


class Transposed(nn.Module):
    """A transposed convolution, with overlapping windows."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
        self.last = nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(F.relu(self.up(F.relu(self.stem(x)))))


class Padded(nn.Module):
    """A padding of its own before the convolution, average pools, and a mean over H and W."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.last = nn.Conv2d(16, 24, 3)
        self.classes = nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(F.pad(x, (0, 1, 0, 1))))
        x = F.avg_pool2d(x, 3, stride=1, padding=1)
        x = F.avg_pool2d(F.relu(self.last(F.pad(x, (1, 1, 1, 1)))), 2)
        return F.softmax(self.classes(x.mean(dim=(2, 3))), dim=1)


class Normalized(nn.Module):
    """A layer of DenseNet, whose normalization stands before the convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.first_bn = nn.BatchNorm2d(16)
        self.first = nn.Conv2d(16, 8, 3, padding=1, bias=False)
        self.last_bn = nn.BatchNorm2d(24)
        self.last = nn.Conv2d(24, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.cat([x, self.first(F.relu(self.first_bn(x)))], dim=1)
        return self.last(F.relu(self.last_bn(x)))


NETWORKS: dict[str, type[nn.Module]] = {
    "small": Small,
    "shuffle": Shuffle,
    "grouped": Grouped,
    "relu6": Inverted,
    "hardswish": HardSwish,
    "excite": Excite,
    "upsample": Upsample,
    "transposed": Transposed,
    "padded": Padded,
    "normalized": Normalized,
}


def network(name: str) -> nn.Module:
    """One of NETWORKS with random weights and statistics, ready to be exported."""
    torch.manual_seed(sum(name.encode()))
    model = NETWORKS[name]()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def image(seed: int) -> torch.Tensor:
    """A random input."""
    return torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def export(
    model: nn.Module,
    path: str,
    dynamo: bool = False,
    opset: int | None = None,
    batch: str | None = None,
) -> None:
    """Write a float ONNX file with one of PyTorch's two exporters, for a batch of 1 or, with
    the older exporter only, one that is open and called `batch`."""
    torch.onnx.export(
        model,
        (image(0),),
        path,
        input_names=["input"],
        output_names=["output"],
        dynamo=dynamo,
        opset_version=opset,
        dynamic_axes=None if batch is None else {"input": {0: batch}, "output": {0: batch}},
        external_data=False,
        verbose=False,
    )
