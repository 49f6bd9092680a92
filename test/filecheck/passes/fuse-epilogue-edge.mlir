// RUN: bsc-opt --fuse-epilogue --validate-values %s | filecheck %s

// What does not fold: a tensor that has another reader is made all the same.
// CHECK:      %c = qnn.conv2d %x, %w :
// CHECK-NEXT: %y = qnn.requantize %c

// Roundings in two modes cannot share an epilogue, which has one.
// CHECK-NEXT: %d = qnn.conv2d %x, %w {rounding = "floor"}
// CHECK-NEXT: %z = qnn.requantize %d

// An int32 partial sum is not rounded before the chain ends.  Its last operation absorbs
// what follows.
// CHECK-NEXT: %p = qnn.conv2d %x, %w : {{.*}} -> tensor<1x4x4x16xi32, #qnn.pos<12>>
// CHECK-NEXT: %v = qnn.conv2d %x, %w partial %p
// CHECK-SAME:   epilogue = #qnn.epilogue<round 4, round 3>

// An operation with a residual already cannot add another one.
// CHECK-NEXT: %r = qnn.conv2d %x, %w residual %x
// CHECK-NEXT: %t = qnn.add %r, %x

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 3, size 256>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>)
    -> (tensor<1x4x4x16xi8, #qnn.pos<4>>, tensor<1x4x4x16xi8, #qnn.pos<3>>,
        tensor<1x4x4x16xi8, #qnn.pos<3>>, tensor<1x4x4x16xi8, #qnn.pos<3>>,
        tensor<1x4x4x16xi8, #qnn.pos<3>>) {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7>
  %c = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  %y = qnn.requantize %c
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>>
  %d = qnn.conv2d %x, %w {rounding = "floor"}
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  %z = qnn.requantize %d
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>>
  %p = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi32, #qnn.pos<12>>
  %u = qnn.conv2d %x, %w partial %p : tensor<1x4x4x16xi32, #qnn.pos<12>>
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  %v = qnn.requantize %u
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<3>>
  %r = qnn.conv2d %x, %w residual %x : tensor<1x4x4x16xi8, #qnn.pos<5>>
       {epilogue = #qnn.epilogue<round 4, add, round 4>}
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  %t = qnn.add %r, %x
     : (tensor<1x4x4x16xi8, #qnn.pos<4>>, tensor<1x4x4x16xi8, #qnn.pos<5>>)
    -> tensor<1x4x4x16xi8, #qnn.pos<3>>
  func.return %c, %y, %z, %v, %t : tensor<1x4x4x16xi8, #qnn.pos<4>>, tensor<1x4x4x16xi8, #qnn.pos<3>>,
    tensor<1x4x4x16xi8, #qnn.pos<3>>, tensor<1x4x4x16xi8, #qnn.pos<3>>, tensor<1x4x4x16xi8, #qnn.pos<3>>
}
