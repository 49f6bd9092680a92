// RUN: BSC_ROUNDTRIP

// Two tensors of one shape.  Positions may differ: the operands are aligned to the larger
// one, added exactly, and rounded once.

func.func @plain(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.add %a, %b
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.add %a, %b : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// With a relu6 behind it (6 at position 4 is 96), rounded down, and
// spread over two columns of cores.
func.func @all(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.add %a, %b {epilogue = #qnn.epilogue<round 4 [0, 96]>, rounding = "floor",
                       columns = #dataflow.spread<w [0, 1, 2, 3, 4]>}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.add %a, %b {epilogue = #qnn.epilogue<round 4 [0, 96]>, rounding = "floor", columns = #dataflow.spread<w [0, 1, 2, 3, 4]>} : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}
