// RUN: bsc-opt --fuse-epilogue --validate-values %s | filecheck %s
// RUN: bsc-opt --fuse-epilogue --split-width --validate-values %s | filecheck %s --check-prefix SHARES
// RUN: bsc-opt --fuse-epilogue --split-height=factor=2 --validate-values %s | filecheck %s --check-prefix PIECES

// What takes turns with the columns is written straight to where it belongs; a relu before that
// is folded like any other.  %x is somebody else's, so that it is copied.

// CHECK:      [[E:%.*]] = tensor.empty() : tensor<1x4x5x8xi8, #qnn.pos<4>>
// CHECK-NEXT: [[M:%.*]] = qnn.max_pool %x
// CHECK-SAME:   epilogue = #qnn.epilogue<round 5, round 4 [0, 127]>
// CHECK-NEXT: [[I:%.*]] = tensor.insert_slice [[M]] into [[E]][0, 0, 0, 0] [1, 4, 3, 8] [1, 1, 2, 1]
// CHECK-NEXT: [[C:%.*]] = qnn.requantize %z {epilogue = #qnn.epilogue<round 5, round 4 [0, 127]>}
// CHECK-NEXT: %y = tensor.insert_slice [[C]] into [[I]][0, 0, 1, 0] [1, 4, 2, 8] [1, 1, 2, 1]
// CHECK-SAME:   qnn.elided = [#qnn.elided<"sum", "its rounding is a step of the epilogue of relu">]

// Each has as many columns of a core as the whole will have there, but for the last: 5 over 4 is
// 2, 2, 1, 0.

// SHARES: qnn.max_pool %x
// SHARES-SAME: columns = #dataflow.spread<w [0, 1, 2, 3, 3]>
// SHARES: qnn.requantize %z
// SHARES-SAME: columns = #dataflow.spread<w [0, 1, 2, 2, 2]>

// The pieces of a piece are at the rows and columns of the whole.

// PIECES: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 0, 0] [1, 2, 3, 8] [1, 1, 2, 1]
// PIECES: tensor.insert_slice %{{.*}} into %{{.*}}[0, 2, 0, 0] [1, 2, 3, 8] [1, 1, 2, 1]
// PIECES: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 1, 0] [1, 2, 2, 8] [1, 1, 2, 1]
// PIECES: tensor.insert_slice %{{.*}} into %{{.*}}[0, 2, 1, 0] [1, 2, 2, 8] [1, 1, 2, 1]

func.func @main(%x : tensor<1x4x3x8xi8, #qnn.pos<5>>, %z : tensor<1x4x2x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x5x8xi8, #qnn.pos<4>> {
  %m = qnn.max_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x4x3x8xi8, #qnn.pos<5>>) -> tensor<1x4x3x8xi8, #qnn.pos<5>>
  %i = qnn.interleave %m, %z {factor = array<i64: 1, 2>}
     : (tensor<1x4x3x8xi8, #qnn.pos<5>>, tensor<1x4x2x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x5x8xi8, #qnn.pos<5>> loc("sum")
  %y = qnn.requantize %i {epilogue = #qnn.epilogue<round 4 [0, 127]>}
     : (tensor<1x4x5x8xi8, #qnn.pos<5>>) -> tensor<1x4x5x8xi8, #qnn.pos<4>> loc("relu")
  func.return %y : tensor<1x4x5x8xi8, #qnn.pos<4>>
}
