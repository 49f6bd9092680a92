// RUN: BSC_INVALID

// What a pool adds to, or takes the larger of: sums are i32, maxima i8, both in the shape of
// the output and at the position of the input.

// CHECK: Operation does not verify: what other elements gave has the position of the input, 5, not 6
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<6>>)
%y = qnn.max_pool %x partial %p {kernel = array<i64: 2, 2>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<6>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), not i32
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
%y = qnn.max_pool %x partial %p {kernel = array<i64: 2, 2>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: what other elements gave has the position of the input, 5, not 6
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<6>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>, count = 8}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<6>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a partial sum is i32, not tensor<1x7x7x16xi8, #qnn.pos<5>>
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<5>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>, count = 8}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a mean with a partial sum needs the count of all elements
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: count must be at least 1, not 0
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>, count = 0}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a partial sum has the position of the input, 5, not 6
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi32, #qnn.pos<6>>

// -----

// CHECK: Operation does not verify: a partial sum is not rounded: no epilogue
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
%y = qnn.avg_pool %x partial %p {kernel = array<i64: 2, 2>, epilogue = #qnn.epilogue<round 5>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi32, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi32, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the partial result has the shape of the output, (1, 7, 7, 16), not (1, 8, 8, 16)
%x, %p = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x8x8x16xi8, #qnn.pos<5>>)
%y = qnn.max_pool %x partial %p {kernel = array<i64: 2, 2>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x8x8x16xi8, #qnn.pos<5>>)
  -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// What a convolution or a dense layer adds is added number by number.
// CHECK: Operation does not verify: the partial sum has the shape of the output, (1, 7, 7, 16), not (1, 8, 7, 16)
%x, %w, %p = "test.op"() : () -> (tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x2x2x8, pos 7>, tensor<1x8x7x16xi32, #qnn.pos<12>>)
%y = qnn.conv2d %x, %w partial %p : tensor<1x8x7x16xi32, #qnn.pos<12>>
   : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x2x2x8, pos 7> -> tensor<1x7x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the partial sum has the shape of the output, (1, 1, 1, 16), not (1, 1, 1, 8)
%x, %w, %p = "test.op"() : () -> (tensor<1x1x1x8xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x8, pos 7>, tensor<1x1x1x8xi32, #qnn.pos<12>>)
%y = qnn.dense %x, %w partial %p : tensor<1x1x1x8xi32, #qnn.pos<12>>
   : tensor<1x1x1x8xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x8, pos 7> -> tensor<1x1x1x16xi32, #qnn.pos<12>>

// -----

// CHECK: Operation does not verify: the residual has the shape of the output, (1, 7, 7, 16), not (1, 1, 1, 16)
%x, %w, %r = "test.op"() : () -> (tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x2x2x8, pos 7>, tensor<1x1x1x16xi8, #qnn.pos<5>>)
%y = qnn.conv2d %x, %w residual %r : tensor<1x1x1x16xi8, #qnn.pos<5>>
     {epilogue = #qnn.epilogue<round 4, add, round 3>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x2x2x8, pos 7> -> tensor<1x7x7x16xi8, #qnn.pos<3>>
