// RUN: bsc-opt --split-width --alloc-memtile %s | filecheck %s
// RUN: xdsl-opt -p 'split-width,alloc-memtile' %s | filecheck %s

// Every tensor gets a place.  The input comes from DDR and is spread over four memtiles; each
// has two of its eight columns of pixels (8 x 2 x 8 = 128 bytes), at one address in all of
// them.  Weights have no spread: each memtile holds what its links carry.  The result of the
// convolution never leaves the memtiles, and the pool's is put where the weights were, as
// they are not needed any more.

// CHECK:      func.func @main(%x: {{.*}} {dataflow.place = #dataflow.place<ddr 0x0>})
// CHECK:      %0 = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x380, w [0, 2, 4, 6, 8]>}
// CHECK-NEXT: %1 = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x0>}
// CHECK-NEXT: %y = qnn.conv2d %0, %1 {dataflow.place = #dataflow.place<memtile 0x280, w [0, 2, 4, 6, 8]>
// CHECK-NEXT: %m = qnn.max_pool %y {dataflow.place = #dataflow.place<memtile 0x0, w [0, 1, 2, 3, 4]>
// CHECK-NEXT: %2 = dataflow.to_ddr %m {dataflow.place = #dataflow.place<ddr 0x200>}
// CHECK-NEXT: func.return %2

bsw.weight @w : !bsw.weight<16x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 1152>}

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x3x3x8, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x8, pos 7>
    -> tensor<1x8x8x16xi8, #qnn.pos<4>>
  %m = qnn.max_pool %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
     : (tensor<1x8x8x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  func.return %m : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
