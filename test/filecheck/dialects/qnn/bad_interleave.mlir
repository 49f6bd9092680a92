// RUN: BSC_INVALID

// As many inputs as the factors say, each of the size of its share.

// CHECK: Operation does not verify: factor must be two numbers whose product is that of the inputs, 1, not [2]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.interleave %x {factor = array<i64: 2>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: factor must be two numbers whose product is that of the inputs, 2, not [2, 2]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.interleave %x, %x {factor = array<i64: 2, 2>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: an input for rows 0, 2, … and columns 0, 1, … must be (1, 4, 4, 8), not (1, 3, 4, 8)
%x = "test.op"() : () -> tensor<1x3x4x8xi8, #qnn.pos<5>>
%z = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.interleave %x, %z {factor = array<i64: 2, 1>}
   : (tensor<1x3x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x7x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: an input for rows 0, 2, … and columns 0, 1, … must be (1, 5, 4, 8), not (1, 4, 4, 8)
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.interleave %x, %x {factor = array<i64: 2, 1>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x9x4x8xi8, #qnn.pos<5>>
