// RUN: BSC_ROUNDTRIP

// The same bytes under another shape.  The position stays.

func.func @flatten(%x : tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x784xi8, #qnn.pos<5>> {
  %y = qnn.reshape %x
     : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x784xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.reshape %x : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x784xi8, #qnn.pos<5>>
  func.return %y : tensor<1x1x1x784xi8, #qnn.pos<5>>
}

func.func @all(%x : tensor<1x1x1x784xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>> {
  %y = qnn.reshape %x {columns = #dataflow.spread<w [0, 2, 4, 6, 7]>}
     : (tensor<1x1x1x784xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.reshape %x {columns = #dataflow.spread<w [0, 2, 4, 6, 7]>} : (tensor<1x1x1x784xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  func.return %y : tensor<1x7x7x16xi8, #qnn.pos<5>>
}
