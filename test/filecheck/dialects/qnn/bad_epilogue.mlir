// RUN: BSC_INVALID

// Roundings, residuals and partial sums.

// CHECK: an epilogue ends with a rounding
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {epilogue = #qnn.epilogue<round 4, add>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: bounds [0, 255] do not lie in [-128, 127]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {epilogue = #qnn.epilogue<round 4 [0, 255]>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: bounds [5, 4] do not lie in [-128, 127]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {epilogue = #qnn.epilogue<round 4 [5, 4]>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: Operation does not verify: the epilogue ends at position 3, the result is at 4
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {epilogue = #qnn.epilogue<round 3 [0, 127]>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: Operation does not verify: rounding must be one of half_even, half_up, half_away, floor, not "up"
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rounding = "up"}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// A residual that nothing adds:
// CHECK: Operation does not verify: the epilogue must add the residual operand exactly once
%x, %w, %r = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>,
                                  tensor<1x4x4x8xi8, #qnn.pos<4>>)
%y = qnn.conv2d %x, %w residual %r : tensor<1x4x4x8xi8, #qnn.pos<4>>
   : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
  -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// An addition of nothing:
// CHECK: Operation does not verify: the epilogue must add the residual operand exactly once
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {epilogue = #qnn.epilogue<add, round 4>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: Operation does not verify: a partial sum is not rounded: no epilogue
%x, %w = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>)
%y = qnn.conv2d %x, %w {epilogue = #qnn.epilogue<round 12>}
   : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
  -> tensor<1x4x4x8xi32, #qnn.pos<12>>

// -----

// CHECK: Operation does not verify: a partial sum is i32, not tensor<1x4x4x8xi8, #qnn.pos<12>>
%x, %w, %p = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>,
                                  tensor<1x4x4x8xi8, #qnn.pos<12>>)
%y = qnn.conv2d %x, %w partial %p : tensor<1x4x4x8xi8, #qnn.pos<12>>
   : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
  -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// The products are at position 5 + 7, the bias at 13: below that, bits would be lost.
// CHECK: Operation does not verify: a partial sum needs position 13 or more, not 12
%x, %w = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7, bias 13>)
%y = qnn.conv2d %x, %w
   : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7, bias 13>
  -> tensor<1x4x4x8xi32, #qnn.pos<12>>
