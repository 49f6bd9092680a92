// RUN: bsc-opt --split-width %s | filecheck %s
// RUN: xdsl-opt -p split-width %s | filecheck %s

// The columns of cores share the W of every output, with boundaries that need not be evenly
// spaced: 7 over 4.  A global pool has no W left to share, so its columns share C; 16
// channels are two blocks of eight, and two columns have nothing to do.

// CHECK:      builtin.module attributes {bsc.arch = #dataflow.arch<"paper-4x4">}
// CHECK:      %y = qnn.conv2d %x, %w
// CHECK-SAME:   columns = #dataflow.spread<w [0, 2, 4, 6, 7]>
// CHECK:      %m = qnn.global_avg_pool %y
// CHECK-SAME:   columns = #dataflow.spread<c [0, 8, 16, 16, 16]>

bsw.weight @w : !bsw.weight<16x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 1152>}

func.func @main(%x : tensor<1x7x7x8xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<5>> {
  %w = bsw.get @w : !bsw.weight<16x3x3x8, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x7x7x8xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x8, pos 7>
    -> tensor<1x7x7x16xi8, #qnn.pos<4>>
  %m = qnn.global_avg_pool %y
     : (tensor<1x7x7x16xi8, #qnn.pos<4>>) -> tensor<1x1x1x16xi8, #qnn.pos<5>>
  func.return %m : tensor<1x1x1x16xi8, #qnn.pos<5>>
}
