// RUN: bsc-opt --split-width --validate-values %s | filecheck %s
// RUN: bsc-opt --set-arch=paper-3x5 --split-width %s | filecheck %s --check-prefix=FIVE
// RUN: bsc-opt --split-width=factor=3 --validate-values %s | filecheck %s --check-prefix=THREE

// Sizes that the grid does not divide.  All pieces are as long as the longest must be, so
// that a tensor and what a stride makes of it are cut at the same places: 13 into 4, 4, 4, 1
// and its half, 7, into 2, 2, 2, 1.  W smaller than the columns leaves columns without work.

// CHECK: %a = qnn.max_pool
// CHECK-SAME: columns = #dataflow.spread<w [0, 4, 8, 12, 13]>
// CHECK: %b = qnn.max_pool
// CHECK-SAME: columns = #dataflow.spread<w [0, 2, 4, 6, 7]>
// CHECK: %c = qnn.max_pool
// CHECK-SAME: columns = #dataflow.spread<w [0, 1, 2, 3, 3]>
// CHECK: %d = qnn.conv2d
// CHECK-SAME: columns = #dataflow.spread<w [0, 1, 1, 1, 1]>

// FIVE: %a = qnn.max_pool
// FIVE-SAME: columns = #dataflow.spread<w [0, 3, 6, 9, 12, 13]>
// FIVE: %d = qnn.conv2d
// FIVE-SAME: columns = #dataflow.spread<w [0, 1, 1, 1, 1, 1]>

// Cut in time by 3: a window of 3 with stride 1 and dilation 1 reads one pixel of halo on
// each side of its 5 outputs; padding is left at the outer sides only.
// THREE: tensor.extract_slice %x[0, 0, 0, 0] [1, 5, 6, 8]
// THREE: qnn.max_pool
// THREE-SAME: pads = array<i64: 1, 1, 1, 0>
// THREE: tensor.extract_slice %x[0, 0, 4, 0] [1, 5, 7, 8]
// THREE: qnn.max_pool
// THREE-SAME: pads = array<i64: 1, 0, 1, 0>
// THREE: tensor.extract_slice %x[0, 0, 9, 0] [1, 5, 4, 8]
// THREE: qnn.max_pool
// THREE-SAME: pads = array<i64: 1, 0, 1, 1>

// With stride 2, outputs 3 to 5 begin at input 2 * 3 - 1.
// THREE: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [1, 5, 6, 8]
// THREE: tensor.extract_slice %{{.*}}[0, 0, 5, 0] [1, 5, 7, 8]
// THREE: tensor.extract_slice %{{.*}}[0, 0, 11, 0] [1, 5, 2, 8]

// W is 1 already: nothing to cut.
// THREE: %d = qnn.conv2d %{{.*}} : tensor<1x2x3x8xi8, {{.*}} -> tensor<1x2x1x8xi8,

bsw.weight @w : !bsw.weight<8x1x3x8, pos 7> {data = #bsw.payload<splat 3, size 192>}

func.func @main(%x : tensor<1x5x13x8xi8, #qnn.pos<5>>) -> tensor<1x2x1x8xi8, #qnn.pos<5>> {
  %w = bsw.get @w : !bsw.weight<8x1x3x8, pos 7>
  %a = qnn.max_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x5x13x8xi8, #qnn.pos<5>>) -> tensor<1x5x13x8xi8, #qnn.pos<5>>
  %b = qnn.max_pool %a {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x5x13x8xi8, #qnn.pos<5>>) -> tensor<1x3x7x8xi8, #qnn.pos<5>>
  %c = qnn.max_pool %b {kernel = array<i64: 2, 2>, strides = array<i64: 1, 2>}
     : (tensor<1x3x7x8xi8, #qnn.pos<5>>) -> tensor<1x2x3x8xi8, #qnn.pos<5>>
  %d = qnn.conv2d %c, %w
     : tensor<1x2x3x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x3x8, pos 7>
    -> tensor<1x2x1x8xi8, #qnn.pos<5>>
  func.return %d : tensor<1x2x1x8xi8, #qnn.pos<5>>
}
