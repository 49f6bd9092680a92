// What does not fit in the memtiles even alone stays in DDR, and says so; its neighbours
// write there what it reads, and read there what it writes.
// RUN: bsc-opt --split-width --alloc-memtile="capacity=20480" --validate-values %s | filecheck %s
// RUN: not bsc-opt --split-width --alloc-memtile="capacity=20480 strict=true" %s 2>&1 | filecheck %s --check-prefix=STRICT

// CHECK:      %a = qnn.max_pool
// CHECK-SAME: dataflow.place = #dataflow.place<memtile
// CHECK-NEXT: %[[A:.*]] = dataflow.to_ddr %a
// CHECK:      %b = qnn.requantize
// CHECK-SAME: dataflow.place = #dataflow.place<memtile
// CHECK-NEXT: %[[B:.*]] = dataflow.to_ddr %b
// CHECK-NEXT: %sum = qnn.add %[[A]], %[[B]]
// CHECK-SAME: dataflow.unplaced = "needs 24576 bytes of each memtile at once (%a 8192, %b 8192, %sum 8192); it has 20480
// CHECK-SAME: dataflow.place = #dataflow.place<ddr
// CHECK-NEXT: dataflow.to_memtile %sum

// STRICT: error: alloc-memtile: %sum: needs 24576 bytes of each memtile at once
builtin.module attributes {bsc.arch = #dataflow.arch<"paper-2x2">} {
  func.func @main(%x : tensor<1x16x16x64xi8, #qnn.pos<4>>)
      -> tensor<1x16x16x64xi8, #qnn.pos<3>> {
    %a = qnn.max_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
       : (tensor<1x16x16x64xi8, #qnn.pos<4>>) -> tensor<1x16x16x64xi8, #qnn.pos<4>>
    %b = qnn.requantize %a
       : (tensor<1x16x16x64xi8, #qnn.pos<4>>) -> tensor<1x16x16x64xi8, #qnn.pos<3>>
    %sum = qnn.add %a, %b
       : (tensor<1x16x16x64xi8, #qnn.pos<4>>, tensor<1x16x16x64xi8, #qnn.pos<3>>)
      -> tensor<1x16x16x64xi8, #qnn.pos<2>>
    %y = qnn.requantize %sum
       : (tensor<1x16x16x64xi8, #qnn.pos<2>>) -> tensor<1x16x16x64xi8, #qnn.pos<3>>
    func.return %y : tensor<1x16x16x64xi8, #qnn.pos<3>>
  }
}
