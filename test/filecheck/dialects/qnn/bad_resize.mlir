// RUN: BSC_INVALID

// Factors, phases and shapes.

// CHECK: Operation does not verify: factor and phase must be two numbers each, factors of at least 1, not [2] and [0, 0]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: factor and phase must be two numbers each, factors of at least 1, not [2, 0] and [0, 0]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2, 0>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: phase must lie below the factor [2, 3], not [2, 0]
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2, 3>, phase = array<i64: 2, 0>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x12x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the result's shape must be (1, 8, 12, 8), not (1, 6, 12, 8)
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2, 3>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x6x12x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the result's shape must be (1, 8, 11, 8), not (1, 8, 12, 8)
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2, 3>, phase = array<i64: 0, 1>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x12x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the result's shape must be (1, 8, 8, 8), not (1, 8, 8, 16)
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.resize %x {factor = array<i64: 2, 2>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x16xi8, #qnn.pos<5>>
