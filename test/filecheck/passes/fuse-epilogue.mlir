// RUN: bsc-opt --fuse-epilogue --validate-values %s | filecheck %s

// A relu is a requantize that clamps at 0.  It becomes a step of the convolution's epilogue:
// the sum is rounded to position 4 and then, as in the model, to position 3.  The tensor in
// between is not made any more, and the operation says so.

// CHECK:      %y = qnn.conv2d %x, %w
// CHECK-SAME:   qnn.elided = [#qnn.elided<"conv", "its rounding is a step of the epilogue of relu">]
// CHECK-SAME:   epilogue = #qnn.epilogue<round 4, round 3 [0, 127]>
// CHECK-SAME:   -> tensor<1x4x4x16xi8, #qnn.pos<3>>
// CHECK-NEXT: func.return %y

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 3, size 256>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7>
  %c = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv")
  %y = qnn.requantize %c {epilogue = #qnn.epilogue<round 3 [0, 127]>}
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>> loc("relu")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<3>>
}
