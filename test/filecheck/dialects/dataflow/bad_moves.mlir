// RUN: BSC_INVALID

// A movement says where to.

// CHECK: Operation does not verify: dataflow.to_memtile needs a place in memtile
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: dataflow.to_ddr needs a place in ddr
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_ddr %x {dataflow.place = #dataflow.place<memtile 0x0, all>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: i32 is neither a tensor nor a weight
%x = "test.op"() : () -> i32
%y = dataflow.to_ddr %x {dataflow.place = #dataflow.place<ddr 0x0>} : i32

// -----

// CHECK: Operation does not verify: a tensor in the memtiles, and only that, has a spread
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a tensor in the memtiles, and only that, has a spread
%w = "test.op"() : () -> !bsw.weight<8x1x1x8, pos 7>
%y = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x0, all>}
   : !bsw.weight<8x1x1x8, pos 7>
