// RUN: bsc-opt --split-cin=factor=2 --validate-values %s | filecheck %s
// RUN: bsc-opt --split-cin %s | filecheck %s --check-prefix=FITS
// RUN: not bsc-opt --split-cin=-1 %s 2>&1 | filecheck %s --check-prefix=NEGATIVE

// The first half of the input channels gives an exact int32 sum, at the position of the
// products (5 + 7); the second half adds to it.  Rounding, residual and clamp come once, with
// the last piece; the bias goes with the first.

// CHECK:      %0 = tensor.extract_slice %x[0, 0, 0, 0] [1, 4, 4, 8]
// CHECK-NEXT: %1 = bsw.slice %w cout [0, 16] cin [0, 8]
// CHECK-SAME:   -> !bsw.weight<16x1x1x8, pos 7, bias 12>
// CHECK-NEXT: %y = qnn.conv2d %0, %1 :
// CHECK-SAME:   -> tensor<1x4x4x16xi32, #qnn.pos<12>>
// CHECK-NEXT: %2 = tensor.extract_slice %x[0, 0, 0, 8] [1, 4, 4, 8]
// CHECK-NEXT: %3 = bsw.slice %w cout [0, 16] cin [8, 16]
// CHECK-SAME:   -> !bsw.weight<16x1x1x8, pos 7>
// CHECK-NEXT: %y_1 = qnn.conv2d %2, %3 partial %y : tensor<1x4x4x16xi32, #qnn.pos<12>> residual %x
// CHECK-SAME:   epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>
// CHECK-SAME:   -> tensor<1x4x4x16xi8, #qnn.pos<3>>

// Partial sums are four times as large as what they become, so that without `factor` nothing
// is cut that fits.
// FITS: %y = qnn.conv2d %x, %w residual %x
// FITS-NOT: qnn.conv2d

// NEGATIVE: bsc-opt: error: split-cin: factor must be a whole number of at least 1, not -1

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 1, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w residual %x : tensor<1x4x4x16xi8, #qnn.pos<5>>
       {epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>}
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<3>>
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<3>>
}
