// RUN: BSC_ROUNDTRIP

// The largest element under a window, channel by channel.  Padding never wins, and where
// position and bounds stay the same, nothing is rounded.

func.func @plain(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>> {
  %y = qnn.max_pool %x {kernel = array<i64: 2, 2>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.max_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  func.return %y : tensor<1x7x7x16xi8, #qnn.pos<5>>
}

// As behind the first convolution of a ResNet, at another position.
func.func @all(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %y = qnn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>,
                        dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 0, 0>,
                        epilogue = #qnn.epilogue<round 4 [0, 127]>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, epilogue = #qnn.epilogue<round 4 [0, 127]>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}

// What other elements gave: a pool of 4x2 is one of its upper and one of its lower half.
func.func @partial(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>, %m : tensor<1x7x7x16xi8, #qnn.pos<5>>)
    -> tensor<1x7x7x16xi8, #qnn.pos<5>> {
  %y = qnn.max_pool %x partial %m {kernel = array<i64: 2, 2>}
     : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<5>>)
    -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.max_pool %x partial %m {kernel = array<i64: 2, 2>} : (tensor<1x8x8x16xi8, #qnn.pos<5>>, tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x7x7x16xi8, #qnn.pos<5>>
  func.return %y : tensor<1x7x7x16xi8, #qnn.pos<5>>
}
