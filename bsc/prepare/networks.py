"""The built-in networks: real architectures with random weights of a realistic size.

Most come from the onnx package, which ships the graphs of well-known networks without their
weights (`light.py`); the others are put together here, by `layers.Layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from bsc.errors import BscError
from bsc.prepare.inception import inception_v3
from bsc.prepare.light import light
from bsc.prepare.mobilenet import mobilenet_v2
from bsc.prepare.vgg import vgg16


@dataclass(frozen=True)
class Network:
    """A built-in network."""

    name: str
    size: int
    """The height and width of the images that it is known for."""
    least: int
    """The least height and width that leave something of the image at every layer."""
    layers: Callable[[np.random.Generator, int], onnx.ModelProto]
    step: int = 1
    """What is between two sizes that are possible: branches may have to meet."""

    def build(self, rng: np.random.Generator, size: int) -> onnx.ModelProto:
        """A float model of batch 1, with weights and shapes, for square images of `size`.

        Raises BscError if the network takes no images of that size.
        """
        if size < self.least or (size - self.least) % self.step:
            raise BscError(f"{self.name} takes images of {self._sizes()}, not {size}")
        return self.layers(rng, size)

    def _sizes(self) -> str:
        if self.step == 1:
            return "1 pixel or more" if self.least == 1 else f"{self.least} pixels or more"
        first = ", ".join(str(self.least + i * self.step) for i in range(3))
        return f"{first}, … pixels"


NETWORKS = {
    network.name: network
    for network in (
        Network("resnet50", 224, 1, light("resnet50")),
        Network("vgg16", 224, 32, vgg16),
        Network("inception_v3", 299, 75, inception_v3),
        Network("alexnet", 227, 39, light("alexnet", "bvlc_alexnet")),
        Network("densenet121", 224, 29, light("densenet121")),
        Network("inception_v1", 224, 31, light("inception_v1")),
        Network("inception_v2", 224, 32, light("inception_v2"), step=32),
        Network("mobilenet_v2", 224, 1, mobilenet_v2),
        Network("shufflenet", 224, 1, light("shufflenet")),
        Network("squeezenet", 224, 17, light("squeezenet")),
        Network("vgg19", 224, 32, light("vgg19")),
    )
}
"""The built-in networks by name."""
