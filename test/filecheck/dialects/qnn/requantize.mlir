// RUN: BSC_ROUNDTRIP

// The same numbers at another position: a shift, a rounding, a saturation.

func.func @plain(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.requantize %x
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.requantize %x : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// A relu is a requantization with narrower bounds; so is a clip.
func.func @relu(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> {
  %y = qnn.requantize %x {epilogue = #qnn.epilogue<round 5 [0, 127]>, rounding = "half_even"}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.requantize %x {epilogue = #qnn.epilogue<round 5 [0, 127]>, rounding = "half_even"} : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<5>>
}
