// RUN: bsc-opt --split-height=factor=2 --validate-values %s | filecheck %s
// RUN: bsc-opt --split-height %s | filecheck %s --check-prefix=FITS
// RUN: not bsc-opt --split-height=0 %s 2>&1 | filecheck %s --check-prefix=ZERO

// Two slices of rows, each computed by an operation of its own from the rows under its
// windows: 7 rows become 4 and 3, read from 5 and 4 rows, of which they share the halo of
// two.  Padding stays above the first and below the last (pads are top, left, bottom, right).

// CHECK:      %0 = tensor.empty() : tensor<1x7x7x8xi8, #qnn.pos<4>>
// CHECK-NEXT: %1 = tensor.extract_slice %x[0, 0, 0, 0] [1, 5, 7, 8]
// CHECK-NEXT: %y = qnn.conv2d %1, %w {pads = array<i64: 1, 1, 0, 1>}
// CHECK-NEXT: %2 = tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 4, 7, 8]
// CHECK-NEXT: %3 = tensor.extract_slice %x[0, 3, 0, 0] [1, 4, 7, 8]
// CHECK-NEXT: %y_1 = qnn.conv2d %3, %w {pads = array<i64: 0, 1, 1, 1>}
// CHECK-NEXT: %y_2 = tensor.insert_slice %y_1 into %2[0, 4, 0, 0] [1, 3, 7, 8]

// Without `factor`, what fits in the memtiles is left alone.
// FITS: %y = qnn.conv2d %x, %w
// FITS-NOT: qnn.conv2d

// ZERO: bsc-opt: error: split-height: factor must be a whole number of at least 1, not 0

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}

func.func @main(%x : tensor<1x7x7x8xi8, #qnn.pos<5>>) -> tensor<1x7x7x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x7x7x8xi8, #qnn.pos<5>>, !bsw.weight<8x3x3x8, pos 7>
    -> tensor<1x7x7x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x7x7x8xi8, #qnn.pos<4>>
}
