// RUN: BSC_INVALID

// A table has an int8 for each int8.

// CHECK: Operation does not verify: a table has 256 elements, not 3
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.lookup %x {table = array<i8: 1, 2, 3>, table_pos = 4}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: table
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.lookup %x {table = array<i32: 1, 2, 3>, table_pos = 4}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>

// -----

// CHECK: table_pos
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.lookup %x {table = array<i8: 1, 2, 3>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
