// RUN: bsc-opt --split-width --alloc-memtile %s | filecheck %s --check-prefix=ALL
// RUN: bsc-opt --split-width --alloc-memtile=capacity=1024 --validate-values %s | filecheck %s
// RUN: not bsc-opt --split-width --alloc-memtile=strict=1 %s 2>&1 | filecheck %s --check-prefix=BOOL

// With all of the memtiles nothing goes to DDR but the result.
// ALL-COUNT-1: dataflow.to_ddr
// ALL-NOT:     dataflow.to_ddr

// The pool takes 512 bytes of each memtile for its input and 512 for its output.  With 1024
// bytes to use there is no room for %a, which is wanted again at the end: it is spilled to DDR
// when it is made, and comes back for the add.
// CHECK:      %a = qnn.requantize
// CHECK-NEXT: %[[A:.*]] = dataflow.to_ddr %a {dataflow.place = #dataflow.place<ddr 0x200>}
// CHECK:      %c = qnn.max_pool %b
// CHECK:      %d = qnn.conv2d %c
// CHECK:      %[[BACK:.*]] = dataflow.to_memtile %[[A]]
// CHECK-NEXT: %y = qnn.add %[[BACK]], %d

// BOOL: bsc-opt: error: alloc-memtile: strict must be true or false, not 1

bsw.weight @u : !bsw.weight<32x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 256>}
bsw.weight @v : !bsw.weight<8x1x1x32, pos 7> {data = #bsw.payload<splat 3, size 256>}

func.func @main(%x : tensor<1x4x16x8xi8, #qnn.pos<5>>) -> tensor<1x4x16x8xi8, #qnn.pos<3>> {
  %u = bsw.get @u : !bsw.weight<32x1x1x8, pos 7>
  %v = bsw.get @v : !bsw.weight<8x1x1x32, pos 7>
  %a = qnn.requantize %x
     : (tensor<1x4x16x8xi8, #qnn.pos<5>>) -> tensor<1x4x16x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %u
     : tensor<1x4x16x8xi8, #qnn.pos<4>>, !bsw.weight<32x1x1x8, pos 7>
    -> tensor<1x4x16x32xi8, #qnn.pos<4>>
  %c = qnn.max_pool %b {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x4x16x32xi8, #qnn.pos<4>>) -> tensor<1x4x16x32xi8, #qnn.pos<4>>
  %d = qnn.conv2d %c, %v
     : tensor<1x4x16x32xi8, #qnn.pos<4>>, !bsw.weight<8x1x1x32, pos 7>
    -> tensor<1x4x16x8xi8, #qnn.pos<4>>
  %y = qnn.add %a, %d
     : (tensor<1x4x16x8xi8, #qnn.pos<4>>, tensor<1x4x16x8xi8, #qnn.pos<4>>)
    -> tensor<1x4x16x8xi8, #qnn.pos<3>>
  func.return %y : tensor<1x4x16x8xi8, #qnn.pos<3>>
}
