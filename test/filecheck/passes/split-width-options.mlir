// RUN: bsc-opt --split-width=factor=2 --validate-values %s | filecheck %s
// RUN: bsc-opt --split-width=100 --validate-values %s | filecheck %s --check-prefix=MOST
// RUN: not bsc-opt --split-width=factor=0 %s 2>&1 | filecheck %s --check-prefix=ZERO

// `factor` splits every layer in time too: two operations, each on a slice of the input that
// is as wide as its window needs.  The halo is read twice, the padding stays at the border
// (pads are top, left, bottom, right), and the results are written into one tensor.

// CHECK:      %0 = tensor.empty() : tensor<1x7x7x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %1 = tensor.extract_slice %x[0, 0, 0, 0] [1, 7, 5, 8]
// CHECK-NEXT: %y = qnn.conv2d %1, %w {pads = array<i64: 1, 1, 1, 0>, columns = #dataflow.spread<w [0, 1, 2, 3, 4]>}
// CHECK-NEXT: %2 = tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 7, 4, 16]
// CHECK-NEXT: %3 = tensor.extract_slice %x[0, 0, 3, 0] [1, 7, 4, 8]
// CHECK-NEXT: %y_1 = qnn.conv2d %3, %w {pads = array<i64: 1, 0, 1, 1>, columns = #dataflow.spread<w [0, 1, 2, 3, 3]>}
// CHECK-NEXT: %y_2 = tensor.insert_slice %y_1 into %2[0, 0, 4, 0] [1, 7, 3, 16]
// CHECK-NEXT: func.return %y_2

// A piece is one pixel at least: 100 pieces of W = 7 are 7.
// MOST-COUNT-7: qnn.conv2d
// MOST-NOT:     qnn.conv2d

// ZERO: bsc-opt: error: split-width: factor must be a whole number of at least 1, not 0

bsw.weight @w : !bsw.weight<16x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 1152>}

func.func @main(%x : tensor<1x7x7x8xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x3x3x8, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x7x7x8xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x8, pos 7>
    -> tensor<1x7x7x16xi8, #qnn.pos<4>>
  func.return %y : tensor<1x7x7x16xi8, #qnn.pos<4>>
}
