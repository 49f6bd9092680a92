// RUN: not bsc-opt --select-subvolume %s 2>&1 | filecheck %s
// RUN: not bsc-opt --split-width --select-subvolume %s 2>&1 | filecheck %s

// A core's part of a layer follows from what its column and its row have.
// CHECK: error: select-subvolume: %y: is not shared over the grid: run --split-width, --split-cout first

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>> {
  %y = qnn.requantize %x : (tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x8x8xi8, #qnn.pos<4>>
}
