// RUN: not bsc-opt --alloc-memtile %s 2>&1 | filecheck %s
// RUN: not bsc-opt --alloc-memtile --split-width %s 2>&1 | filecheck %s

// Which memtile has what follows from the spread over columns.  Passes run as typed: the
// second line has them in the wrong order.
// CHECK: error: alloc-memtile: %y: is not shared over the columns: run --split-width first

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>> {
  %y = qnn.requantize %x : (tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x8x8xi8, #qnn.pos<4>>
}
