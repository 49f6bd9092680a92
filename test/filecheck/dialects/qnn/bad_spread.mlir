// RUN: BSC_INVALID

// How the grid shares an operation.

// CHECK: Operation does not verify: columns: boundaries end at 12, W is 14
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {columns = #dataflow.spread<w [0, 4, 8, 12, 12]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: rows: boundaries end at 8, C is 16
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rows = #dataflow.spread<c [0, 4, 8, 8, 8]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: rows share output channels: a spread over c
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rows = #dataflow.spread<w [0, 7, 14, 14, 14]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// The columns are those of the machine: paper-4x4, unless the module names another.
// CHECK: Operation does not verify: columns: 7 pieces, paper-4x4 has 4 columns
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {columns = #dataflow.spread<w [0, 2, 4, 6, 8, 10, 12, 14]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: rows: 2 pieces, paper-3x2 has 3 rows
module attributes {bsc.arch = #dataflow.arch<"paper-3x2">} {
  %x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
  %y = qnn.requantize %x {columns = #dataflow.spread<w [0, 7, 14]>, rows = #dataflow.spread<c [0, 8, 16]>}
     : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>
}

// -----

// Every output is computed once.
// CHECK: Operation does not verify: columns share W or C: a spread over w or c
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {columns = #dataflow.spread<all>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// Nothing is computed that is not there.
// CHECK: Operation does not verify: columns: boundaries end at 65535, W is 14
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {columns = #dataflow.spread<w [0, 4, 8, 12, 65535]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// Channels end within a granule of the last one, as those of a part of a tensor may fill up
// the granule of the whole.
// CHECK: Operation does not verify: rows: boundaries end at 24, C is 16
%x = "test.op"() : () -> tensor<1x14x14x16xi8, #qnn.pos<5>>
%y = qnn.requantize %x {rows = #dataflow.spread<c [0, 8, 16, 24, 24]>}
   : (tensor<1x14x14x16xi8, #qnn.pos<5>>) -> tensor<1x14x14x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: columns: boundaries end at 65536, C is 16
%x = "test.op"() : () -> tensor<1x4x4x16xi8, #qnn.pos<5>>
%y = qnn.global_avg_pool %x {columns = #dataflow.spread<c [0, 8, 16, 16, 65536]>}
   : (tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<5>>
