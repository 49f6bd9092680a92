// RUN: bsc-opt --split-cout %s | filecheck %s

// The rows of cores share the output channels, in whole blocks of eight: 40 channels are
// five blocks over four rows.  Pools have channels to share as well.

// CHECK:      %y = qnn.conv2d %x, %w
// CHECK-SAME:   rows = #dataflow.spread<c [0, 16, 32, 40, 40]>
// CHECK:      %m = qnn.max_pool %y
// CHECK-SAME:   rows = #dataflow.spread<c [0, 16, 32, 40, 40]>

bsw.weight @w : !bsw.weight<40x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 320>}

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x40xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<40x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<40x1x1x8, pos 7>
    -> tensor<1x8x8x40xi8, #qnn.pos<4>>
  %m = qnn.max_pool %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
     : (tensor<1x8x8x40xi8, #qnn.pos<4>>) -> tensor<1x4x4x40xi8, #qnn.pos<4>>
  func.return %m : tensor<1x4x4x40xi8, #qnn.pos<4>>
}
