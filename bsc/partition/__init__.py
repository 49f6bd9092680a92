"""A quantized model cut into parts for the array and parts for the host.

The array computes exactly, so that floating-point arithmetic (LRN, …) between its layers is
refused by `bsc.compile`, which makes one program.  Whoever wants to run such a model cuts it
there.  Each part is an ONNX model of its own: one for the array is compiled like any model,
onnxruntime runs one for the host, and one after the other they compute what the whole computes.

    for part in cut("model.onnx"):
        print(part.on_array, [node.name for node in part.model.graph.node])

`explain` says of each node which part it is in.  `chain` compiles, saves, runs and checks all
parts of a model: `bsc compile --partition`.
"""

from __future__ import annotations

from bsc.partition.cut import Part, cut
from bsc.partition.explain import explain

__all__ = ["Part", "cut", "explain"]
