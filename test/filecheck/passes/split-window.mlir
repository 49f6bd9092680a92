// RUN: bsc-opt --split-window=factor=2 --validate-values %s | filecheck %s
// RUN: bsc-opt --split-window %s | filecheck %s --check-prefix=FITS

// Two rows of the kernel, then the third, which reads the input from its third row on and the
// padding below.  The sum is an exact int32 at the position of the products (5 + 7); the bias goes with
// the first piece, rounding, residual and clamp with the last.

// CHECK:      %0 = bsw.slice %w cout [0, 8] cin [0, 8] kh [0, 2] kw [0, 3]
// CHECK-SAME:   -> !bsw.weight<8x2x3x8, pos 7, bias 12>
// CHECK-NEXT: %y = qnn.conv2d %x, %0 {pads = array<i64: 2, 1, 0, 1>, dilations = array<i64: 2, 1>}
// CHECK-SAME:   -> tensor<1x7x8x8xi32, #qnn.pos<12>>
// CHECK-NEXT: %1 = tensor.extract_slice %x[0, 2, 0, 0] [1, 5, 8, 8]
// CHECK-NEXT: %2 = bsw.slice %w cout [0, 8] cin [0, 8] kh [2, 3] kw [0, 3]
// CHECK-SAME:   -> !bsw.weight<8x1x3x8, pos 7>
// CHECK-NEXT: %y_1 = qnn.conv2d %1, %2 partial %y : tensor<1x7x8x8xi32, #qnn.pos<12>> residual %x
// CHECK-SAME:   pads = array<i64: 0, 1, 2, 1>
// CHECK-SAME:   epilogue = #qnn.epilogue<round 4, add, round 4 [0, 127]>

// A max pool hands on the largest element so far; a mean the sum, and it is divided by the
// count of all elements at the end.

// CHECK:      %m = qnn.max_pool %{{.*}} {kernel = array<i64: 2, 3>}
// CHECK:      %m_1 = qnn.max_pool %{{.*}} partial %m {kernel = array<i64: 1, 3>}
// CHECK:      %g = qnn.avg_pool %{{.*}} {kernel = array<i64: 3, 6>}
// CHECK-SAME:   -> tensor<1x1x1x8xi32, #qnn.pos<4>>
// CHECK:      %g_1 = qnn.avg_pool %{{.*}} partial %g {kernel = array<i64: 2, 6>, count = 30 : i64}
// CHECK-SAME:   -> tensor<1x1x1x8xi8, #qnn.pos<5>>
// CHECK-NEXT: func.return %g_1

// A core that holds all of a window is given all of it.
// FITS:     qnn.conv2d %x, %w residual
// FITS-NOT: partial

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 576>, bias = #bsw.payload<splat 1, size 32>}

func.func @main(%x : tensor<1x7x8x8xi8, #qnn.pos<5>>) -> tensor<1x1x1x8xi8, #qnn.pos<5>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7, bias 12>
  %y = qnn.conv2d %x, %w residual %x : tensor<1x7x8x8xi8, #qnn.pos<5>>
       {pads = array<i64: 2, 1, 2, 1>, dilations = array<i64: 2, 1>,
        epilogue = #qnn.epilogue<round 4, add, round 4 [0, 127]>}
     : tensor<1x7x8x8xi8, #qnn.pos<5>>, !bsw.weight<8x3x3x8, pos 7, bias 12>
    -> tensor<1x7x8x8xi8, #qnn.pos<4>>
  %m = qnn.max_pool %y {kernel = array<i64: 3, 3>}
     : (tensor<1x7x8x8xi8, #qnn.pos<4>>) -> tensor<1x5x6x8xi8, #qnn.pos<4>>
  %g = qnn.global_avg_pool %m
     : (tensor<1x5x6x8xi8, #qnn.pos<4>>) -> tensor<1x1x1x8xi8, #qnn.pos<5>>
  func.return %g : tensor<1x1x1x8xi8, #qnn.pos<5>>
}
