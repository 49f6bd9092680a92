// RUN: bsc-opt --split-width --tile-depthwise="rows=2 halo=recomputed" --schedule %s \
// RUN:   --validate-values | filecheck %s
// RUN: bsc-opt --split-width --tile-depthwise="rows=2 halo=kept" --schedule %s \
// RUN:   --validate-values | filecheck %s

// The stripes of a chain write one tensor, as the pieces of a split do, but with other tensors
// in between.  Each stripe is done before the next begins: put together, the three pieces of %y
// would need all of %a and %b, which stripes are there to avoid.

// CHECK: %a = qnn.conv2d
// CHECK: %b = qnn.conv2d
// CHECK: %y = qnn.max_pool
// CHECK: %a_1 = qnn.conv2d
// CHECK: %b_1 = qnn.conv2d
// CHECK: %y_1 = qnn.max_pool
// CHECK: %a_2 = qnn.conv2d
// CHECK: %b_2 = qnn.conv2d
// CHECK: %y_2 = qnn.max_pool
// CHECK: return

bsw.weight @v : !bsw.weight<16x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 1152>}
bsw.weight @w : !bsw.weight<16x3x3x16, pos 7> {data = #bsw.payload<splat 2, size 2304>}

func.func @main(%x : tensor<1x12x8x8xi8, #qnn.pos<5>>) -> tensor<1x6x4x16xi8, #qnn.pos<4>> {
  %v = bsw.get @v : !bsw.weight<16x3x3x8, pos 7>
  %w = bsw.get @w : !bsw.weight<16x3x3x16, pos 7>
  %a = qnn.conv2d %x, %v {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x12x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x8, pos 7>
    -> tensor<1x12x8x16xi8, #qnn.pos<4>> loc("conv1")
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x12x8x16xi8, #qnn.pos<4>>, !bsw.weight<16x3x3x16, pos 7>
    -> tensor<1x12x8x16xi8, #qnn.pos<4>> loc("conv2")
  %y = qnn.max_pool %b {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
     : (tensor<1x12x8x16xi8, #qnn.pos<4>>) -> tensor<1x6x4x16xi8, #qnn.pos<4>> loc("pool")
  func.return %y : tensor<1x6x4x16xi8, #qnn.pos<4>>
}
