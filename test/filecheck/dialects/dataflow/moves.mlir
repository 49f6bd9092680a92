// RUN: BSC_ROUNDTRIP

// Movements between DDR and the memtiles, as --alloc-memtile decides on them.  The values stay
// the same; `dataflow.place` says where the result is.  In the memtiles a tensor has a spread
// over the columns; a packed weight lies whole at one address.
module attributes {bsc.arch = #dataflow.arch<"paper-2x2">} {
func.func @main(%x : tensor<1x56x56x64xi8, #qnn.pos<5>>, %w : !bsw.weight<64x1x1x64, pos 7>)
    -> tensor<1x56x56x64xi8, #qnn.pos<4>> {
  %a = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 28, 56]>}
     : tensor<1x56x56x64xi8, #qnn.pos<5>>
  // CHECK: %a = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 28, 56]>} : tensor<1x56x56x64xi8, #qnn.pos<5>>
  %b = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x18800>}
     : !bsw.weight<64x1x1x64, pos 7>
  // CHECK: %b = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x18800>} : !bsw.weight<64x1x1x64, pos 7>
  %y = qnn.conv2d %a, %b {dataflow.place = #dataflow.place<memtile 0x19800, w [0, 28, 56]>}
     : tensor<1x56x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x1x1x64, pos 7>
    -> tensor<1x56x56x64xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %a, %b {dataflow.place = #dataflow.place<memtile 0x19800, w [0, 28, 56]>}
  %z = dataflow.to_ddr %y {dataflow.place = #dataflow.place<ddr 0x31000>}
     : tensor<1x56x56x64xi8, #qnn.pos<4>>
  // CHECK: %z = dataflow.to_ddr %y {dataflow.place = #dataflow.place<ddr 0x31000>} : tensor<1x56x56x64xi8, #qnn.pos<4>>
  func.return %z : tensor<1x56x56x64xi8, #qnn.pos<4>>
}
}
