// Each message names the pass that makes what is missing.

// RUN: not bsc-opt --split-width --split-cout --select-subvolume --lower-to-dataflow %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=PLACE
// RUN: not bsc-opt --split-width --split-cout --alloc-memtile --lower-to-dataflow %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=SUBVOLUME
// RUN: not bsc-opt --split-width --split-cout --select-subvolume --alloc-memtile --lower-to-dataflow %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=PACKED
// RUN: not bsc-opt '--lower-to-dataflow=my program' %s 2>&1 | filecheck %s --check-prefix=NAME

// PLACE: error: lower-to-dataflow: %x: has no place: run --alloc-memtile first
// SUBVOLUME: error: lower-to-dataflow: conv1: has no subvolume: run --select-subvolume first
// PACKED: error: lower-to-dataflow: conv1: its weights are not packed: run --pack-weights first
// NAME: error: lower-to-dataflow: program must be a name of letters, digits and _, beginning with none of the digits, not my program

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 0, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
