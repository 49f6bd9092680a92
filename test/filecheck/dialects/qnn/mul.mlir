// RUN: BSC_ROUNDTRIP

// The product of two tensors of one shape, exact at the sum of their positions (5 + 3), then
// rounded once.

func.func @plain(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.mul %a, %b
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.mul %a, %b : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

func.func @all(%a : tensor<1x4x4x8xi8, #qnn.pos<5>>, %b : tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.mul %a, %b {epilogue = #qnn.epilogue<round 4 [-96, 96]>, rounding = "half_up",
                       columns = #dataflow.spread<c [0, 8, 8, 8, 8]>}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.mul %a, %b {epilogue = #qnn.epilogue<round 4 [-96, 96]>, rounding = "half_up", columns = #dataflow.spread<c [0, 8, 8, 8, 8]>} : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<3>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}
