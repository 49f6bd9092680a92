// RUN: BSC_ROUNDTRIP

// The product of two tensors, exact at the sum of their positions (5 + 3), then rounded once.

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

// Squeeze and excite: a number for each channel.
func.func @pixel(%a : tensor<1x4x6x8xi8, #qnn.pos<5>>, %b : tensor<1x1x1x8xi8, #qnn.pos<7>>)
    -> tensor<1x4x6x8xi8, #qnn.pos<5>> {
  %y = qnn.mul %a, %b : (tensor<1x4x6x8xi8, #qnn.pos<5>>, tensor<1x1x1x8xi8, #qnn.pos<7>>)
    -> tensor<1x4x6x8xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.mul %a, %b : (tensor<1x4x6x8xi8, #qnn.pos<5>>, tensor<1x1x1x8xi8, #qnn.pos<7>>) -> tensor<1x4x6x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x6x8xi8, #qnn.pos<5>>
}

// A number for each channel of each row.
func.func @row(%a : tensor<1x4x6x8xi8, #qnn.pos<5>>, %b : tensor<1x4x1x8xi8, #qnn.pos<7>>)
    -> tensor<1x4x6x8xi8, #qnn.pos<5>> {
  %y = qnn.mul %a, %b : (tensor<1x4x6x8xi8, #qnn.pos<5>>, tensor<1x4x1x8xi8, #qnn.pos<7>>)
    -> tensor<1x4x6x8xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.mul %a, %b : (tensor<1x4x6x8xi8, #qnn.pos<5>>, tensor<1x4x1x8xi8, #qnn.pos<7>>) -> tensor<1x4x6x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x6x8xi8, #qnn.pos<5>>
}
