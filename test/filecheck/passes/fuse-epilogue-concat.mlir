// RUN: bsc-opt --fuse-epilogue --validate-values %s | filecheck %s

// A concat becomes placement: its inputs are requantized into their channels of the result,
// and a requantization folds into what makes the input: here the max pool writes straight
// into channels 8 to 15.  %x is somebody else's, so that it is copied.

// CHECK:      %y = tensor.empty() : tensor<1x4x4x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %y_1 = qnn.requantize %x
// CHECK-NEXT: %y_2 = tensor.insert_slice %y_1 into %y[0, 0, 0, 0] [1, 4, 4, 8]
// CHECK-NEXT: %y_3 = qnn.max_pool %x
// CHECK-SAME:   qnn.elided = [#qnn.elided<"pool", "it is written straight into cat">]
// CHECK-SAME:   epilogue = #qnn.epilogue<round 5, round 4>
// CHECK-NEXT: %y_4 = tensor.insert_slice %y_3 into %y_2[0, 0, 0, 8] [1, 4, 4, 8]
// CHECK-NEXT: func.return %y_4

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %m = qnn.max_pool %x {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> loc("pool")
  %y = qnn.concat %x, %m
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("cat")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
