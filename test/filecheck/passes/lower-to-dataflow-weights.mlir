// RUN: not bsc-opt --lower-to-dataflow %s 2>&1 | filecheck %s

// Weights that somebody fetches for an operation that takes none have no place in the program.
// CHECK: bsc-opt: error: lower-to-dataflow: fetch1: fetches weights for qnn.requantize, which takes none

builtin.module attributes {bsc.arch = #dataflow.arch<"paper-1x1">} {
  bsw.weight @w : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 64>}

  func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>> {dataflow.place = #dataflow.place<ddr 0x0>})
      -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
    %w = bsw.get @w : !bsw.weight<8x1x1x8, pos 7>
    %m = dataflow.to_memtile %x {dataflow.place = #dataflow.place<memtile 0x0, w [0, 4]>}
       : tensor<1x4x4x8xi8, #qnn.pos<5>>
    %v = dataflow.to_memtile %w {dataflow.place = #dataflow.place<memtile 0x200>}
       : !bsw.weight<8x1x1x8, pos 7> loc("fetch1")
    %y = qnn.requantize %m {dataflow.place = #dataflow.place<memtile 0x80, w [0, 4]>,
           columns = #dataflow.spread<w [0, 4]>, rows = #dataflow.spread<c [0, 8]>,
           subvolume = #dataflow.subvolume<rows 1, width 4, cout 8, cin 8, stationary weights>}
       : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
    %d = dataflow.to_ddr %y {dataflow.place = #dataflow.place<ddr 0x80>}
       : tensor<1x4x4x8xi8, #qnn.pos<4>>
    func.return %d : tensor<1x4x4x8xi8, #qnn.pos<4>>
  }
}
