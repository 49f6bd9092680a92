"""A whole network as a program: layers, instructions, and the order between them."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.func import ReturnOp
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Block, Operation, Region, SSAValue

from bsc.arch import Arch
from bsc.asm.canonical import Canonical
from bsc.asm.footprint import accesses
from bsc.asm.isa import Engine
from bsc.asm.program import Instr
from bsc.dialects import instructions as code
from bsc.dialects.bsw import GetOp, SliceOp, WeightType
from bsc.dialects.dataflow import UNPLACED, ToDdrOp, ToMemtileOp, place_of
from bsc.dialects.network import Network, fail
from bsc.dialects.placement import Memory, PlaceAttr
from bsc.dialects.qnn import ConcatOp, InterleaveOp, ReshapeOp, WeightedOp
from bsc.dialects.qnn_base import ComputeOp
from bsc.dialects.slices import SLICE_OPS, part_of
from bsc.lowering.declare import Declarations
from bsc.lowering.kernels import kernel_fields
from bsc.lowering.layer import LayerCode, LayerPlaces
from bsc.lowering.located import destination, in_memtile, locate
from bsc.lowering.moves import load_weights, move
from bsc.lowering.order import Hazards
from bsc.storage import Storages
from bsc.tiling.core import CorePlan
from bsc.tiling.from_ir import layer_shape

_PASSIVE = (GetOp, SliceOp, EmptyOp, ReturnOp, ReshapeOp, *SLICE_OPS)
"""Operations that move and compute nothing."""

_PRODUCERS = {
    Engine.COMP: (Engine.LOADFM, Engine.LOADWDM),
    Engine.WRITEFM: (Engine.COMP,),
}
"""Within an iteration of a stage, what each kind of instruction waits for."""


def lower(network: Network, arch: Arch, name: str) -> code.ProgramOp:
    """The program of a placed, packed network.

    Raises PassFailedException with the pass that has to run first.
    """
    return _Lowering(network, arch).run(name)


class _Lowering:
    def __init__(self, network: Network, arch: Arch):
        self.network = network
        self.arch = arch
        self.ops: list[Operation] = []
        self.tokens: list[SSAValue] = []
        self.hazards = Hazards()
        self.canonical = Canonical(arch)
        self.layer = 0
        storages = Storages(network)
        self.declarations = Declarations(network, storages)
        # How many writes each tensor still waits for.
        self.missing = {id(s): len(s.writes) for s in storages.by_root.values()}
        self.target = {w.op: s for s in storages.by_root.values() for w in s.writes}

    def run(self, name: str) -> code.ProgramOp:
        """Lower every operation in order."""
        self.ops += self.declarations.ready_inputs()
        fetches: list[ToMemtileOp] = []
        for op in self.network.block.ops:
            if isinstance(op, ToMemtileOp):
                fetches.append(op)
            elif isinstance(op, ComputeOp) and not isinstance(op, ReshapeOp):
                self._layer(op, fetches)
                fetches = []
            elif isinstance(op, ToDdrOp):
                self._to_ddr(op)
            elif not isinstance(op, _PASSIVE):
                fail(op, f"{op.name} has no instruction")
        block = Block([*self.declarations.operations(), *self.ops])
        return code.ProgramOp(name, Region(block), self.declarations.elided())

    def _layer(self, op: ComputeOp, fetches: list[ToMemtileOp]) -> None:
        """All instructions of one operation, the fetches for it first."""
        _check(op)
        assert op.subvolume is not None
        self.layer += 1
        self.ops.append(code.LayerOp(*part_of(op), op.name.removeprefix("qnn.")))
        values = [read.value for read in op.reads()]
        sources = tuple(in_memtile(locate(self.network, value), value) for value in values)
        shape = layer_shape(self.network, op, self.arch, [s.spread for s in sources])
        plan = CorePlan.of(shape, op.subvolume.data)
        buffers = plan.buffers(self.arch)
        if buffers is None:
            fail(op, f"{op.subvolume.data} does not fit in a core: run --select-subvolume")
        for fetch in fetches:
            self._to_memtile(fetch, op, plan)
        places = LayerPlaces(sources, destination(self.network, op), _weights_at(op))
        block = shape.weight.block if shape.weight is not None else None
        fields, operands = kernel_fields(op, block)
        maker = LayerCode(plan, self.arch, places, buffers, fields, operands)
        for label, stage in maker.stages():
            self.ops.append(code.StageOp(label))
            self._stage(stage)
        self._written(op, Memory.MEMTILE)

    def _stage(self, stage: list[Instr]) -> None:
        """Add the instructions of a stage, each behind those that it waits for."""
        made: list[tuple[Engine, SSAValue]] = []
        for instr in stage:
            producers = _PRODUCERS.get(instr.spec.engine, ())
            after = [token for engine, token in made if engine in producers]
            made.append((instr.spec.engine, self._emit(instr, after)))

    def _emit(self, instr: Instr, after: list[SSAValue] | None = None) -> SSAValue:
        instr = self.canonical(instr)
        found = accesses(instr, self.arch)
        waits = self.hazards.add(len(self.tokens), instr.spec.engine, self.layer, found)
        tokens = [*(after or []), *(self.tokens[i] for i in waits)]
        op = code.INSTRUCTIONS[instr.mnemonic](instr, list(dict.fromkeys(tokens)))
        self.ops.append(op)
        self.tokens.append(op.token)
        return op.token

    def _to_memtile(self, fetch: ToMemtileOp, op: ComputeOp, plan: CorePlan) -> None:
        """LOADW or LOAD."""
        if isinstance(fetch.source.type, WeightType):
            if not isinstance(op, WeightedOp) or op.packed is None:
                fail(fetch, f"fetches weights for {op.name}, which takes none")
            sizes = plan.channels.memtile_weights(self.arch)
            self._emit(load_weights(op.packed.get_values(), _weights_at(op), sizes))
            return
        ddr, memtile = locate(self.network, fetch.source), locate(self.network, fetch.result)
        self._emit(move("LOAD", ddr, memtile, self.arch))

    def _to_ddr(self, op: ToDdrOp) -> None:
        """WRITE, and if that completes a tensor, word of it."""
        memtile = in_memtile(locate(self.network, op.source), op.source)
        self._emit(move("WRITE", destination(self.network, op), memtile, self.arch))
        if isinstance(op.source.owner, ComputeOp):
            self._written(op.source.owner, Memory.DDR)

    def _written(self, op: ComputeOp, memory: Memory) -> None:
        """Tell where a tensor is when its last piece is there."""
        storage = self.target[op]
        attr = self.declarations.place_of(storage)
        if attr.data.memory is not memory:
            return
        self.missing[id(storage)] -= 1
        if not self.missing[id(storage)]:
            name = self.declarations.names[id(storage)]
            self.ops.append(code.ReadyOp(name, PlaceAttr(attr.data)))


def _weights_at(op: ComputeOp) -> int:
    """The address of an operation's weights in the memtiles."""
    value = op.weight_value
    if value is None:
        return 0
    place = place_of(value.owner) if isinstance(value.owner, Operation) else None
    if place is None:
        fail(op, "its weights have no place: run --alloc-memtile first")
    return place.address


def _check(op: ComputeOp) -> None:
    """Stop at what earlier passes have left undone."""
    reason = op.attributes.get(UNPLACED)
    if isinstance(reason, StringAttr):
        fail(op, f"was left in DDR by --alloc-memtile: {reason.data}")
    if isinstance(op, ConcatOp | InterleaveOp):
        fail(op, f"{op.name} has no instruction: run --fuse-epilogue, which places its inputs")
    if op.subvolume is None:
        fail(op, "has no subvolume: run --select-subvolume first")
    if isinstance(op, WeightedOp) and op.packed is None:
        fail(op, "its weights are not packed: run --pack-weights first")
