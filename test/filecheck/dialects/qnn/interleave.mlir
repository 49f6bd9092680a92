// RUN: BSC_ROUNDTRIP

// Two tensors take turns with the columns.

func.func @plain(%a : tensor<1x4x3x8xi8, #qnn.pos<5>>, %b : tensor<1x4x2x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x5x8xi8, #qnn.pos<5>> {
  %y = qnn.interleave %a, %b {factor = array<i64: 1, 2>}
     : (tensor<1x4x3x8xi8, #qnn.pos<5>>, tensor<1x4x2x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x5x8xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.interleave %a, %b {factor = array<i64: 1, 2>} : (tensor<1x4x3x8xi8, #qnn.pos<5>>, tensor<1x4x2x8xi8, #qnn.pos<5>>) -> tensor<1x4x5x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x5x8xi8, #qnn.pos<5>>
}

// Four with rows and columns, at positions of their own.
func.func @all(%a : tensor<1x2x3x8xi8, #qnn.pos<5>>, %b : tensor<1x2x2x8xi8, #qnn.pos<4>>,
               %c : tensor<1x1x3x8xi8, #qnn.pos<5>>, %d : tensor<1x1x2x8xi8, #qnn.pos<3>>)
    -> tensor<1x3x5x8xi8, #qnn.pos<3>> {
  %y = qnn.interleave %a, %b, %c, %d
         {factor = array<i64: 2, 2>, epilogue = #qnn.epilogue<round 3 [0, 127]>,
          rounding = "floor", columns = #dataflow.spread<w [0, 2, 4, 5, 5]>}
     : (tensor<1x2x3x8xi8, #qnn.pos<5>>, tensor<1x2x2x8xi8, #qnn.pos<4>>,
        tensor<1x1x3x8xi8, #qnn.pos<5>>, tensor<1x1x2x8xi8, #qnn.pos<3>>)
    -> tensor<1x3x5x8xi8, #qnn.pos<3>>
  // CHECK: %y = qnn.interleave %a, %b, %c, %d {factor = array<i64: 2, 2>, epilogue = #qnn.epilogue<round 3 [0, 127]>, rounding = "floor", columns = #dataflow.spread<w [0, 2, 4, 5, 5]>}
  func.return %y : tensor<1x3x5x8xi8, #qnn.pos<3>>
}
