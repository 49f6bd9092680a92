"""
What a `dataflow.program` declares before its first layer: the tensors, the boundary to the
host, other names of tensors, and the locks.

    dataflow.tensor "t0" "data" shape [56, 56, 64] type "i8" pos 5 pixel 64 ddr 0
    dataflow.port "input" "t0" #qnn.host<"data", "float32", "NCHW", [1, 64, 56, 56], zero 0>
    dataflow.alias "data_flat" of "t0"
    dataflow.lock "k_0" "core" init 0
"""

from __future__ import annotations

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, StringAttr, i64
from xdsl.irdl import IRDLOperation, irdl_op_definition, opt_prop_def, prop_def
from xdsl.utils.exceptions import VerifyException

from bsc.dialects.machine import arch_around
from bsc.dialects.qnn_attributes import HostAttr
from bsc.geometry import CHANNEL_GRANULE, ceil_div

TILES = ("core", "memtile", "ddr")
"""The kinds of tiles that have locks."""


@irdl_op_definition
class TensorOp(IRDLOperation):
    """A tensor: shape H, W, C, bytes of a pixel as stored, its address in DDR if any, and the
    order of its granules of eight channels if that is not the model's."""

    name = "dataflow.tensor"

    tensor = prop_def(StringAttr)
    onnx_name = prop_def(StringAttr)
    shape = prop_def(DenseArrayBase.constr(i64))
    element = prop_def(StringAttr)
    pos = prop_def(IntegerAttr.constr(i64))
    pixel = prop_def(IntegerAttr.constr(i64))
    ddr = opt_prop_def(IntegerAttr.constr(i64))
    order = opt_prop_def(DenseArrayBase.constr(i64))

    assembly_format = (
        "$tensor $onnx_name `shape` $shape `type` $element `pos` $pos `pixel` $pixel "
        "(`ddr` $ddr^)? (`order` $order^)? attr-dict"
    )

    def __init__(
        self,
        tensor: str,
        onnx_name: str,
        shape: tuple[int, int, int],
        element: str,
        pos: int,
        pixel: int,
        ddr: int | None = None,
        order: tuple[int, ...] = (),
    ):
        super().__init__(
            properties={
                "tensor": StringAttr(tensor),
                "onnx_name": StringAttr(onnx_name),
                "shape": DenseArrayBase.from_list(i64, shape),
                "element": StringAttr(element),
                "pos": IntegerAttr(pos, i64),
                "pixel": IntegerAttr(pixel, i64),
                "ddr": None if ddr is None else IntegerAttr(ddr, i64),
                "order": DenseArrayBase.from_list(i64, order) if order else None,
            }
        )

    def verify_(self) -> None:
        shape = self.shape.get_values()
        if len(shape) != 3 or min(shape) < 1:
            raise VerifyException(f"shape is H, W, C, all positive, not {list(shape)}")
        if self.element.data not in ("i8", "i32"):
            raise VerifyException(f"element must be i8 or i32, not {self.element.data}")
        least = shape[2] * (1 if self.element.data == "i8" else 4)
        if self.pixel.value.data < least:
            raise VerifyException(
                f"pixel is {self.pixel.value.data} bytes; {shape[2]} channels of "
                f"{self.element.data} take {least}"
            )
        granules = ceil_div(shape[2], CHANNEL_GRANULE)
        if self.order is not None and sorted(self.order.get_values()) != list(range(granules)):
            raise VerifyException(
                f"order must name each of the {granules} granules of channels once, not "
                f"{list(self.order.get_values())}"
            )
        rest = shape[2] % CHANNEL_GRANULE
        if self.order is not None and rest and self.order.get_values()[-1] != granules - 1:
            raise VerifyException(f"order: the last granule has only {rest} channels")
        if self.ddr is not None and self.ddr.value.data < 0:
            raise VerifyException(f"ddr address {self.ddr.value.data} is negative")


@irdl_op_definition
class PortOp(IRDLOperation):
    """An input or output of the program, and what the host sees of it."""

    name = "dataflow.port"

    direction = prop_def(StringAttr)
    tensor = prop_def(StringAttr)
    host = prop_def(HostAttr)

    assembly_format = "$direction $tensor qualified($host) attr-dict"

    def __init__(self, direction: str, tensor: str, host: HostAttr):
        super().__init__(
            properties={
                "direction": StringAttr(direction),
                "tensor": StringAttr(tensor),
                "host": host,
            }
        )

    def verify_(self) -> None:
        if self.direction.data not in ("input", "output"):
            raise VerifyException(f"a port is an input or an output, not {self.direction}")


@irdl_op_definition
class AliasOp(IRDLOperation):
    """A tensor of the model with the same bytes as another."""

    name = "dataflow.alias"

    onnx_name = prop_def(StringAttr)
    tensor = prop_def(StringAttr)

    assembly_format = "$onnx_name `of` $tensor attr-dict"

    def __init__(self, onnx_name: str, tensor: str):
        super().__init__(
            properties={"onnx_name": StringAttr(onnx_name), "tensor": StringAttr(tensor)}
        )


@irdl_op_definition
class LockOp(IRDLOperation):
    """A family of locks, one on each tile of a kind, with its initial value."""

    name = "dataflow.lock"

    lock = prop_def(StringAttr)
    tile = prop_def(StringAttr)
    init = prop_def(IntegerAttr.constr(i64))

    assembly_format = "$lock $tile `init` $init attr-dict"

    def __init__(self, lock: str, tile: str, init: int):
        super().__init__(
            properties={
                "lock": StringAttr(lock),
                "tile": StringAttr(tile),
                "init": IntegerAttr(init, i64),
            }
        )

    def verify_(self) -> None:
        if self.tile.data not in TILES:
            raise VerifyException(f"a lock is on a {', '.join(TILES)}, not {self.tile.data}")
        arch, init = arch_around(self), self.init.value.data
        if arch is not None and not 0 <= init <= arch.lock_max:
            raise VerifyException(f"init is {init}; a lock goes from 0 to {arch.lock_max}")
