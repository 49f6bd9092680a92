// RUN: bsc-opt --fuse-epilogue --validate-values=3 %s | filecheck %s

// The end of a residual block: an add folds into the later of the convolutions that make its
// operands, and the relu after it follows.
//
// The add was rounded to position 3 and the relu stays there: rounding twice to one position
// is rounding once, so that one step remains, with the tighter bounds.

// CHECK:      %a = qnn.conv2d %x, %w :
// CHECK:      %y = qnn.conv2d %a, %w residual %a :
// CHECK-SAME:   #qnn.elided<"b", "sum adds it to the residual before it is stored">
// CHECK-SAME:   #qnn.elided<"sum", "its rounding is a step of the epilogue of relu">
// CHECK-SAME:   epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>
// CHECK-NEXT: func.return %y

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 3, size 256>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7>
  %a = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("a")
  %b = qnn.conv2d %a, %w
     : tensor<1x4x4x16xi8, #qnn.pos<4>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("b")
  %s = qnn.add %a, %b
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>, tensor<1x4x4x16xi8, #qnn.pos<4>>)
    -> tensor<1x4x4x16xi8, #qnn.pos<3>> loc("sum")
  %y = qnn.requantize %s {epilogue = #qnn.epilogue<round 3 [0, 127]>}
     : (tensor<1x4x4x16xi8, #qnn.pos<3>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>> loc("relu")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<3>>
}
