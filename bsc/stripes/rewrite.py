"""The layers of a chain become their stripes.

    %a = qnn.conv2d %x, %v : … -> tensor<1x224x224x64xi8, …>
    %b = qnn.conv2d %a, %w : … -> tensor<1x224x224x64xi8, …>

becomes, for each stripe,

    %x1 = tensor.extract_slice %x[0, 53, 0, 0] [1, 60, 224, 8] …
    %a1 = qnn.conv2d %x1, %v : … -> tensor<1x58x224x64xi8, …>
    %b1 = qnn.conv2d %a1, %w : … -> tensor<1x56x224x64xi8, …>
    %b_ = tensor.insert_slice %b1 into %b0[0, 56, 0, 0] …

Where rows are kept, `%a1` begins with a copy of the last rows of the `%a0` before it.
"""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from bsc.arch import Arch
from bsc.dialects.placement import SpreadAttr
from bsc.dialects.qnn import RequantizeOp
from bsc.dialects.qnn_attributes import ELIDED, ORDER, ElidedAttr, elided_of, shape_of
from bsc.dialects.slices import Box, extract, insert, tensor_name
from bsc.splitting import H, extracted, part_location, piece_of
from bsc.storage import Storage, Storages
from bsc.stripes.chain import Chain, Rows, Step, Stripe
from bsc.tiling.from_ir import default_rows

_REASON = "made stripe by stripe, never whole"


def rewrite(chain: Chain, stripes: list[Stripe], storages: Storages, arch: Arch) -> None:
    """Replace the operations of a chain by those of its stripes."""
    _Rewriter(chain, storages, arch).run(stripes)


class _Part:
    """The rows of a tensor that a stripe has; `assembled` if several operations fill them."""

    def __init__(self, value: SSAValue, rows: Rows, assembled: bool):
        self.value, self.rows, self.assembled = value, rows, assembled


class _Rewriter:
    def __init__(self, chain: Chain, storages: Storages, arch: Arch):
        self.chain, self.storages, self.arch = chain, storages, arch
        self.anchor = chain.steps[-1].op
        self.boxes = {w.op: w.box for s in chain.storages for w in s.writes}
        self.parts: dict[int, _Part] = {}
        output = chain.storages[chain.output]
        rows = Rows(0, chain.height)
        self.whole = _Part(self._empty(output, rows), rows, True)

    def run(self, stripes: list[Stripe]) -> None:
        """All stripes, one after another."""
        for stripe in stripes:
            fresh: set[int] = set()
            for step in self.chain.steps:
                rows = stripe.computed[step.target]
                if rows is not None:
                    self._step(step, rows, stripe, fresh)
        self._finish()

    def _step(self, step: Step, rows: Rows, stripe: Stripe, fresh: set[int]) -> None:
        """One operation of one stripe."""
        op, target, _ = step
        part = self.whole
        if target != self.chain.output:
            if target not in fresh:
                fresh.add(target)
                self._begin(target, rows, stripe)
            part = self.parts[target]
        values = [self._read(step, index, rows) for index in range(len(step.needs))]
        piece = piece_of(op, H, rows.lo, rows.hi, op.with_reads(values, op.weight_value))
        self._add(piece)
        if part.assembled:
            self._into(part, piece.result, rows, self.boxes[op])
        else:
            part.value = piece.result

    def _begin(self, target: int, computed: Rows, stripe: Stripe) -> None:
        """The tensor of a stripe, with what is kept of the one before."""
        storage, held = self.chain.storages[target], stripe.held[target]
        assert held is not None
        before = self.parts.get(target)
        single = held == computed and storage.writes[0].box.sizes == shape_of(storage.type)
        value = storage.root if single else self._empty(storage, held)
        part = self.parts[target] = _Part(value, held, not single)
        if held.lo < computed.lo:
            assert before is not None
            rows = Rows(held.lo, computed.lo)
            copy = self._copy(storage, before, rows)
            self._into(part, copy.result, rows, _whole_box(storage))

    def _copy(self, storage: Storage, before: _Part, rows: Rows) -> RequantizeOp:
        """The same numbers in another place."""
        box = _rows_box(_whole_box(storage), rows, before.rows.lo)
        source = extract(before.value, box)
        self._add(source)
        maker = storage.writes[0].op
        copy = RequantizeOp(source.result, _type(storage, rows))
        assert maker.columns is not None
        spread = default_rows(copy, self.arch, maker.columns.data)
        copy.properties["columns"], copy.properties["rows"] = maker.columns, SpreadAttr(spread)
        copy.location = part_location(_owner(storage.root), f"h {rows.lo}:{rows.hi} kept")
        self._add(copy)
        return copy

    def _read(self, step: Step, index: int, rows: Rows) -> SSAValue:
        """What an operation reads, operand by operand, to compute some rows."""
        read, (source, axis, height) = step.op.reads()[index], step.needs[index]
        span = axis.source(rows.lo, rows.hi, height)
        if source is None:
            return extracted(self.anchor, read.value, H, span.lo, span.hi)
        part = self.parts[source]
        _, box = self.storages.find(read.value)
        wanted = _rows_box(box, Rows(span.lo, span.hi), part.rows.lo)
        if wanted.sizes == shape_of(part.value.type):
            return part.value
        slice = extract(part.value, wanted)
        self._add(slice)
        return slice.result

    def _into(self, part: _Part, value: SSAValue, rows: Rows, box: Box) -> None:
        placed = insert(value, part.value, _rows_box(box, rows, part.rows.lo))
        self._add(placed)
        part.value = placed.result

    def _empty(self, storage: Storage, rows: Rows) -> SSAValue:
        op = EmptyOp([], _type(storage, rows))
        self._add(op)
        return op.tensor

    def _add(self, op: Operation) -> None:
        Rewriter.insert_op(op, InsertPoint.before(self.anchor))

    def _finish(self) -> None:
        """The assembled output takes the place of the old one; the old operations go."""
        root, last = self.chain.storages[self.chain.output].root, self.whole.value.owner
        assert isinstance(last, Operation)
        last.location = _owner(root).location
        self.whole.value.name_hint = root.name_hint
        old = _makers(self.chain)
        elided = [e for op in old for e in elided_of(op)]
        for index, storage in enumerate(self.chain.storages):
            name = tensor_name(_owner(storage.root).location)
            if index != self.chain.output and name is not None:
                elided.append(ElidedAttr(name, _REASON))
        if elided:
            last.attributes[ELIDED] = ArrayAttr(elided)
        if (order := _owner(root).attributes.get(ORDER)) is not None:
            last.attributes[ORDER] = order
        root.replace_all_uses_with(self.whole.value)
        for op in reversed(old):
            if not any(result.uses for result in op.results):
                Rewriter.erase_op(op)


def _makers(chain: Chain) -> list[Operation]:
    """All operations that stand for the chain, in the order of the block: what computes,
    and what puts slices together or cuts them for it."""
    ops: dict[Operation, None] = {}
    for op, _, _ in chain.steps:
        ops[op] = None
        for use in op.result.uses:
            if use.operation.name == "tensor.insert_slice":
                ops[use.operation] = None
                made = use.operation.operands[1].owner
                if isinstance(made, EmptyOp):
                    ops[made] = None
        for value in op.operands:
            maker = value.owner
            if isinstance(maker, Operation) and maker.name == "tensor.extract_slice":
                ops[maker] = None
    block = chain.steps[0].op.parent
    assert isinstance(block, Block)
    return [op for op in block.ops if op in ops]


def _owner(value: SSAValue) -> Operation:
    assert isinstance(value.owner, Operation)
    return value.owner


def _type(storage: Storage, rows: Rows) -> TensorType:
    _, _, width, channels = shape_of(storage.type)
    shape = (1, rows.size, width, channels)
    return TensorType(storage.type.element_type, shape, storage.type.encoding)


def _whole_box(storage: Storage) -> Box:
    return Box((0, 0, 0, 0), shape_of(storage.type))


def _rows_box(box: Box, rows: Rows, origin: int) -> Box:
    """Some rows of a box, counted from the row `origin` on."""
    n, _, w, c = box.offsets
    _, _, width, channels = box.sizes
    return Box((n, rows.lo - origin, w, c), (1, rows.size, width, channels))
