// RUN: BSC_INVALID

// Places in the memtiles of the module's machine: paper-4x4 (four memtiles of 512 KB), unless the
// module names another.

// CHECK: Operation does not verify: place: address 0x80000, a memtile of paper-4x4 has 524288 bytes
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x80000, w [0, 2, 4, 6, 8]>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// Weights too.
// CHECK: Operation does not verify: place: address 0x400, a memtile of small has 1024 bytes
module attributes {bsc.arch = #dataflow.arch<"small", "paper-4x4", {memtile_bytes = 1024}>} {
  %w = "test.op"() : () -> !bsw.weight<8x1x1x8, pos 7>
  %y = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x400>}
     : !bsw.weight<8x1x1x8, pos 7>
}

// -----

// The result of an operation has its place as an attribute.
// CHECK: Operation does not verify: place: address 0x80000, a memtile of paper-4x4 has 524288 bytes
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x {dataflow.place = #dataflow.place<memtile 0x80000, w [0, 2, 4, 6, 8]>}
   : (tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// More pieces than memtiles, or fewer.
// CHECK: Operation does not verify: place: 5 pieces, paper-4x4 has 4 columns
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 2, 4, 6, 7, 8]>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: place: 2 pieces, paper-4x4 has 4 columns
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 4, 8]>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// The pieces together are the whole.
// CHECK: Operation does not verify: place: boundaries end at 7, W is 8
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 2, 4, 6, 7]>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: place: boundaries end at 24, C is 32
%x = "test.op"() : () -> tensor<1x8x8x32xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, c [0, 8, 16, 24, 24]>}
   : tensor<1x8x8x32xi8, #qnn.pos<5>>

// -----

// A memtile is circular, but a buffer cannot be longer than the circle.
// CHECK: Operation does not verify: place: 2097152 bytes in one memtile; paper-4x4 has 524288
%x = "test.op"() : () -> tensor<1x256x256x32xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, all>}
   : tensor<1x256x256x32xi8, #qnn.pos<5>>

// -----

// An int32 partial sum takes four times as much: 1x64x32x64 in the first memtile.
// CHECK: Operation does not verify: place: 1048576 bytes in one memtile; paper-4x4 has 524288
%x = "test.op"() : () -> tensor<1x64x64x64xi32, #qnn.pos<12>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 64, 64, 64, 64]>}
   : tensor<1x64x64x64xi32, #qnn.pos<12>>

// -----

// CHECK: boundaries must rise from 0: [65535, 2, 4, 6, 8]
%x = "test.op"() : () -> tensor<1x8x8x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [65535, 2, 4, 6, 8]>}
   : tensor<1x8x8x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: place: boundaries end at 2147483648, C is 8
%x = "test.op"() : () -> tensor<1x1x1x8xi8, #qnn.pos<5>>
%y = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, c [0, 8, 8, 8, 2147483648]>}
   : tensor<1x1x1x8xi8, #qnn.pos<5>>
