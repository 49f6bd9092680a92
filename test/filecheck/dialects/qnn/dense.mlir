// RUN: BSC_ROUNDTRIP

// A fully connected layer.  The weight has the input's H x W x C as KH x KW x CIN, so that a
// feature map is read as it lies, and flattening it costs nothing.

func.func @plain(%x : tensor<1x1x1x64xi8, #qnn.pos<5>>, %w : !bsw.weight<10x1x1x64, pos 7, bias 12>)
    -> tensor<1x1x1x10xi8, #qnn.pos<2>> {
  %y = qnn.dense %x, %w
     : tensor<1x1x1x64xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x64, pos 7, bias 12>
    -> tensor<1x1x1x10xi8, #qnn.pos<2>>
  // CHECK: %y = qnn.dense %x, %w : tensor<1x1x1x64xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x64, pos 7, bias 12> -> tensor<1x1x1x10xi8, #qnn.pos<2>>
  func.return %y : tensor<1x1x1x10xi8, #qnn.pos<2>>
}

// Over a whole 7x7 map, in two halves of CIN, with a relu and a residual: all there is.
func.func @all(%x : tensor<1x7x7x32xi8, #qnn.pos<5>>, %w : !bsw.weight<10x7x7x32, pos 7>,
               %sum : tensor<1x1x1x10xi32, #qnn.pos<13>>, %r : tensor<1x1x1x10xi8, #qnn.pos<2>>)
    -> tensor<1x1x1x10xi8, #qnn.pos<2>> {
  %y = qnn.dense %x, %w partial %sum : tensor<1x1x1x10xi32, #qnn.pos<13>>
       residual %r : tensor<1x1x1x10xi8, #qnn.pos<2>>
       {epilogue = #qnn.epilogue<add, round 2 [0, 127]>, rounding = "half_away"}
     : tensor<1x7x7x32xi8, #qnn.pos<5>>, !bsw.weight<10x7x7x32, pos 7>
    -> tensor<1x1x1x10xi8, #qnn.pos<2>>
  // CHECK: %y = qnn.dense %x, %w partial %sum : tensor<1x1x1x10xi32, #qnn.pos<13>> residual %r : tensor<1x1x1x10xi8, #qnn.pos<2>> {epilogue = #qnn.epilogue<add, round 2 [0, 127]>, rounding = "half_away"} : tensor<1x7x7x32xi8, #qnn.pos<5>>, !bsw.weight<10x7x7x32, pos 7> -> tensor<1x1x1x10xi8, #qnn.pos<2>>
  func.return %y : tensor<1x1x1x10xi8, #qnn.pos<2>>
}
