// RUN: bsc-opt --split-width --tile-depthwise="rows=3 halo=recomputed" --validate-values %s \
// RUN:   | filecheck %s
// RUN: bsc-opt --split-width --tile-depthwise="rows=3 halo=kept" --validate-values %s \
// RUN:   | filecheck %s --check-prefix=KEPT
// RUN: bsc-opt --split-width --tile-depthwise --validate-values %s \
// RUN:   | filecheck %s --check-prefix=FITS

// Two convolutions and a pool become a chain, in stripes of three rows of the pool: all three
// layers of the first stripe, then all three of the second.  Backwards, 3 rows of %y need 6 of
// %b, these 7 of %a, and these 8 of %x.  Padding stays above the first stripe and below the
// last (pads are top, left, bottom, right).  %a and %b are never made whole.

// CHECK:      %0 = tensor.empty() : tensor<1x6x4x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %1 = tensor.extract_slice %x[0, 0, 0, 0] [1, 8, 8, 8]
// CHECK-NEXT: %a = qnn.conv2d %1, %v {pads = array<i64: 1, 1, 0, 1>
// CHECK-SAME:   -> tensor<1x7x8x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 0, 1>
// CHECK-SAME:   -> tensor<1x6x8x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %y = qnn.max_pool %b
// CHECK-SAME:   -> tensor<1x3x4x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %2 = tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 3, 4, 16]
// CHECK-NEXT: %3 = tensor.extract_slice %x[0, 4, 0, 0] [1, 8, 8, 8]
// CHECK-NEXT: %a_1 = qnn.conv2d %3, %v {pads = array<i64: 0, 1, 1, 1>
// CHECK-NEXT: %b_1 = qnn.conv2d %a_1, %w {pads = array<i64: 0, 1, 1, 1>
// CHECK-NEXT: %y_1 = qnn.max_pool %b_1
// CHECK-NEXT: %y_2 = tensor.insert_slice %y_1 into %2[0, 3, 0, 0] [1, 3, 4, 16]
// CHECK-SAME:   qnn.elided = [#qnn.elided<"conv1", "made stripe by stripe, never whole">
// CHECK-NEXT: func.return %y_2

// Rows 5 and 6 of %a belong to both stripes, and were computed twice.  They can be kept too:
// the second stripe begins with a copy of them and computes the other five, from 6 rows of %x.
// There is nothing to keep of %b, as the windows of the pool do not overlap.

// KEPT:      %a = qnn.conv2d
// KEPT:      %3 = tensor.empty() : tensor<1x7x8x16xi8, #qnn.pos<4>>
// KEPT-NEXT: %4 = tensor.extract_slice %a[0, 5, 0, 0] [1, 2, 8, 16]
// KEPT-NEXT: %5 = qnn.requantize %4
// KEPT-NEXT: %6 = tensor.insert_slice %5 into %3[0, 0, 0, 0] [1, 2, 8, 16]
// KEPT-NEXT: %7 = tensor.extract_slice %x[0, 6, 0, 0] [1, 6, 8, 8]
// KEPT-NEXT: %a_1 = qnn.conv2d %7, %v {pads = array<i64: 0, 1, 1, 1>
// KEPT-SAME:   -> tensor<1x5x8x16xi8, #qnn.pos<4>>
// KEPT-NEXT: %8 = tensor.insert_slice %a_1 into %6[0, 2, 0, 0] [1, 5, 8, 16]
// KEPT-NEXT: %b_1 = qnn.conv2d %8, %w
// KEPT-NEXT: %y_1 = qnn.max_pool %b_1

// Without `rows` a chain whose tensors fit in the memtiles is left alone.
// FITS:      %a = qnn.conv2d %x
// FITS-NEXT: %b = qnn.conv2d %a
// FITS-NEXT: %y = qnn.max_pool %b

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
