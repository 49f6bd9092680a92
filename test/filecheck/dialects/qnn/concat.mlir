// RUN: BSC_ROUNDTRIP

// Tensors side by side along C, each requantized to the result's position.

func.func @plain(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x16xi8, #qnn.pos<5>>)
    -> tensor<1x4x4x24xi8, #qnn.pos<5>> {
  %y = qnn.concat %a, %b
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x16xi8, #qnn.pos<5>>)
    -> tensor<1x4x4x24xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.concat %a, %b : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x24xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x24xi8, #qnn.pos<5>>
}

// Any number of them, at positions of their own.
func.func @all(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x16xi8, #qnn.pos<4>>)
    -> tensor<1x4x4x32xi8, #qnn.pos<3>> {
  %y = qnn.concat %a, %b, %a {epilogue = #qnn.epilogue<round 3 [0, 127]>, rounding = "half_up",
                              columns = #dataflow.spread<w [0, 1, 2, 3, 4]>}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x16xi8, #qnn.pos<4>>,
        tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x32xi8, #qnn.pos<3>>
  // CHECK: %y = qnn.concat %a, %b, %a {epilogue = #qnn.epilogue<round 3 [0, 127]>, rounding = "half_up", columns = #dataflow.spread<w [0, 1, 2, 3, 4]>} : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x16xi8, #qnn.pos<4>>, tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x32xi8, #qnn.pos<3>>
  func.return %y : tensor<1x4x4x32xi8, #qnn.pos<3>>
}
