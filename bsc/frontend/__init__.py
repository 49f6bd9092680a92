"""The frontend: a quantized ONNX model in, a module of `qnn` and `bsw` out.

Quantized models in QDQ or QOperator form are accepted, int8 with zero point 0 or uint8 with
128, one power-of-two scale a tensor.  Everything else is refused in one line a problem, all
problems at once.
"""

from bsc.frontend.given import Given
from bsc.frontend.importer import Imported, import_onnx
from bsc.frontend.report import NodeReport

__all__ = ["Given", "Imported", "NodeReport", "import_onnx"]
