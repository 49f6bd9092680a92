// RUN: BSC_INVALID

// How the grid shares an operation.

// CHECK: Operation does not verify: columns: boundaries end at 12, W is 14
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {columns = #dataflow.spread<w [0, 4, 8, 12]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: rows: boundaries end at 8, C is 16
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rows = #dataflow.spread<c [0, 4, 8]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: rows share output channels: a spread over c
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rows = #dataflow.spread<w [0, 7, 14]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>
