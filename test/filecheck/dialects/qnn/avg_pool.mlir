// RUN: BSC_ROUNDTRIP

// The mean under a window: an exact sum, divided by the count and rounded once.

// The count is that of real elements: at the border fewer than nine.
func.func @plain(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x8x8x16xi8, #qnn.pos<5>> {
  %y = qnn.avg_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x8x8x16xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.avg_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x8x8x16xi8, #qnn.pos<5>>
  func.return %y : tensor<1x8x8x16xi8, #qnn.pos<5>>
}

// With count_pad the count is nine everywhere.
func.func @all(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<6>> {
  %y = qnn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>,
                        pads = array<i64: 1, 1, 1, 1>, count_pad, rounding = "half_up",
                        columns = #dataflow.spread<w [0, 1, 2, 3, 4]>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<6>>
  // CHECK: %y = qnn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, count_pad, rounding = "half_up", columns = #dataflow.spread<w [0, 1, 2, 3, 4]>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<6>>
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<6>>
}

// A mean in two pieces: the sum of some elements, then that of the others, divided by the count
// of all.
func.func @partial(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<6>> {
  %s = qnn.avg_pool %x {kernel = array<i64: 2, 2>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi32, #qnn.pos<5>>
  // CHECK: %s = qnn.avg_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi32, #qnn.pos<5>>
  %y = qnn.avg_pool %x partial %s {kernel = array<i64: 2, 2>, count = 8}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
    -> tensor<1x7x7x16xi8, #qnn.pos<6>>
  // CHECK: %y = qnn.avg_pool %x partial %s {kernel = array<i64: 2, 2>, count = 8 : i64} : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<6>>
  func.return %y : tensor<1x7x7x16xi8, #qnn.pos<6>>
}
