"""A model that has been compiled: the program, its weights, its cost, and the IR."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Operation
from xdsl.printer import Printer

from bsc import folder
from bsc.arch import Arch
from bsc.asm.packed import Bytes
from bsc.asm.program import Elided, Program
from bsc.codegen import blob_of
from bsc.cost.network import NetworkCost
from bsc.dialects.bsw import BlobOp
from bsc.dialects.payload import PayloadAttr
from bsc.frontend import NodeReport
from bsc.pipelines import collector_paused
from bsc.report.record import cost_record
from bsc.report.table import cost_table
from bsc.report.trace import trace_record
from bsc.sidecar import save_payloads


@dataclass(frozen=True)
class Compiled:
    """What `bsc.compile` makes.

    `program` (the text) and `weights` (the packed weights) are all that it takes to run it.
    """

    model: str
    """The name of the model: that of its file, or of its graph."""

    arch: Arch
    timing: str
    """The timing that was asked for; the times in the comments of `program` are its."""

    program: str
    weights: Bytes

    costs: Mapping[str, NetworkCost]
    """The cost under every timing that is known."""

    module: ModuleOp
    """The IR on tensors with everything split, placed and packed, as it was just before
    --lower-to-dataflow.  It can still be run by the reference interpreter."""

    nodes: tuple[NodeReport, ...]
    """What became of each ONNX node."""

    elided: tuple[Elided, ...]
    """The quantized tensors of the model that the program never makes, and why."""

    listing: Program
    """`program` as data, with the lines of the text; for reports, never for a run."""

    @property
    def cost(self) -> NetworkCost:
        """The cost under the timing that was asked for."""
        return self.costs[self.timing]

    def save(self, path: str | Path) -> None:
        """Write the files of `bsc.folder` into the folder `path`, all of them or none.

        Raises BscError if `path` is a file, or if the folder cannot be written.
        """
        with collector_paused(), folder.written_together(path) as aside:
            (aside / folder.PROGRAM).write_text(self.program, encoding="utf-8")
            self.weights.tofile(aside / folder.WEIGHTS)
            record = cost_record(self.model, self.arch, self.timing, self.costs, self.nodes)
            text = json.dumps(record, indent=2, ensure_ascii=False)
            (aside / folder.COST).write_text(f"{text}\n", encoding="utf-8")
            (aside / folder.TABLE).write_text(cost_table(self.cost), encoding="utf-8")
            (aside / folder.TRACE).write_text(self._trace(), encoding="utf-8")
            self._save_module(aside)

    def _trace(self) -> str:
        """When everything happens, as `bsc.report.trace` has it."""
        lanes = self.costs["overlap"].lanes
        record = trace_record(self.listing, lanes, f"{self.model} on {self.arch.name}")
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"

    def _save_module(self, aside: Path) -> None:
        # A copy: where payloads lie is a matter of this folder.
        module = self.module.clone()
        blob = blob_of(module)
        if blob is not None and blob.data.data.size:
            _refer_to_weights(blob)
        save_payloads(module, aside / folder.MODULE_WEIGHTS, origin=aside)
        with (aside / folder.MODULE).open("w", encoding="utf-8") as stream:
            ModulePrinter(stream, print_debuginfo=True).print_op(module)
            stream.write("\n")


def _refer_to_weights(blob: BlobOp) -> None:
    """The packed weights are there already, as a file of their own."""
    blob.properties["data"] = PayloadAttr(blob.data.data.at(folder.WEIGHTS))


class ModulePrinter(Printer):
    """Prints a module so that nothing of it is lost.

    xDSL prints `tensor.empty` without its attributes, and the place of a tensor that is
    assembled from pieces stands there.
    """

    def print_op(self, op: Operation) -> None:
        generic = self.print_generic_format
        self.print_generic_format = generic or (isinstance(op, EmptyOp) and bool(op.attributes))
        super().print_op(op)
        self.print_generic_format = generic
