// RUN: BSC_ROUNDTRIP

// A convolution in NHWC.  Types say everything about numbers: x stands for q * 2^-5, the
// weights for q * 2^-7, so the exact sum is at position 12, where the bias is too; one
// rounding brings it to the result's position 4.

// The least: strides 1, no pads, one group.
func.func @plain(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>, %w : !bsw.weight<32x3x3x16, pos 7>)
    -> tensor<1x6x6x32xi8, #qnn.pos<4>> {
  %y = qnn.conv2d %x, %w
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>
    -> tensor<1x6x6x32xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %x, %w : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7> -> tensor<1x6x6x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x6x6x32xi8, #qnn.pos<4>>
}

// Pads are (top, left, bottom, right) as in ONNX, and need not be equal.
func.func @window(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>,
                  %w : !bsw.weight<32x3x3x16, pos 7, bias 12>)
    -> tensor<1x4x3x32xi8, #qnn.pos<4>> {
  %y = qnn.conv2d %x, %w {strides = array<i64: 2, 2>, dilations = array<i64: 1, 2>,
                          pads = array<i64: 1, 0, 1, 2>}
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7, bias 12>
    -> tensor<1x4x3x32xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %x, %w {strides = array<i64: 2, 2>, dilations = array<i64: 1, 2>, pads = array<i64: 1, 0, 1, 2>} : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7, bias 12> -> tensor<1x4x3x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x3x32xi8, #qnn.pos<4>>
}

// Depthwise: as many groups as channels.  The weight's CIN is that of one group.
func.func @depthwise(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>, %w : !bsw.weight<16x3x3x1, pos 7>)
    -> tensor<1x6x6x16xi8, #qnn.pos<4>> {
  %y = qnn.conv2d %x, %w {groups = 16}
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x1, pos 7>
    -> tensor<1x6x6x16xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %x, %w {groups = 16 : i64} : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x1, pos 7> -> tensor<1x6x6x16xi8, #qnn.pos<4>>
  func.return %y : tensor<1x6x6x16xi8, #qnn.pos<4>>
}

// Fused: round the sum to position 4, add the residual (which is at position 3), round to
// position 3 and clamp.  This is a convolution, an add and a relu, with both roundings.
func.func @fused(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>, %w : !bsw.weight<32x1x1x16, pos 7>,
                 %r : tensor<1x8x8x32xi8, #qnn.pos<3>>) -> tensor<1x8x8x32xi8, #qnn.pos<3>> {
  %y = qnn.conv2d %x, %w residual %r : tensor<1x8x8x32xi8, #qnn.pos<3>>
       {epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>, rounding = "half_even"}
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7>
    -> tensor<1x8x8x32xi8, #qnn.pos<3>>
  // CHECK: %y = qnn.conv2d %x, %w residual %r : tensor<1x8x8x32xi8, #qnn.pos<3>> {epilogue = #qnn.epilogue<round 4, add, round 3 [0, 127]>, rounding = "half_even"} : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7> -> tensor<1x8x8x32xi8, #qnn.pos<3>>
  func.return %y : tensor<1x8x8x32xi8, #qnn.pos<3>>
}

// A split of CIN: the first half yields its int32 sum unrounded, the second half adds it and
// rounds, once.  A partial sum is at the position of the products or more.
func.func @split_cin(%x0 : tensor<1x8x8x8xi8, #qnn.pos<5>>, %w0 : !bsw.weight<32x1x1x8, pos 7, bias 12>,
                     %x1 : tensor<1x8x8x8xi8, #qnn.pos<5>>, %w1 : !bsw.weight<32x1x1x8, pos 7>)
    -> tensor<1x8x8x32xi8, #qnn.pos<4>> {
  %sum = qnn.conv2d %x0, %w0
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7, bias 12>
    -> tensor<1x8x8x32xi32, #qnn.pos<12>>
  // CHECK: %sum = qnn.conv2d %x0, %w0 : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7, bias 12> -> tensor<1x8x8x32xi32, #qnn.pos<12>>
  %y = qnn.conv2d %x1, %w1 partial %sum : tensor<1x8x8x32xi32, #qnn.pos<12>>
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7>
    -> tensor<1x8x8x32xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %x1, %w1 partial %sum : tensor<1x8x8x32xi32, #qnn.pos<12>> : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7> -> tensor<1x8x8x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x8x32xi8, #qnn.pos<4>>
}

// What the splitting passes decide: W = 14 over four columns of cores, COUT = 32 over two
// rows, and what one core computes at once.
func.func @shared(%x : tensor<1x14x14x16xi8, #qnn.pos<5>>, %w : !bsw.weight<32x1x1x16, pos 7>)
    -> tensor<1x14x14x32xi8, #qnn.pos<4>> {
  %y = qnn.conv2d %x, %w {
         columns = #dataflow.spread<w [0, 4, 8, 12, 14]>,
         rows = #dataflow.spread<c [0, 8, 16, 24, 32]>,
         subvolume = #dataflow.subvolume<rows 7, width 4, cout 16, cin 16, stationary weights>}
     : tensor<1x14x14x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7>
    -> tensor<1x14x14x32xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.conv2d %x, %w {columns = #dataflow.spread<w [0, 4, 8, 12, 14]>, rows = #dataflow.spread<c [0, 8, 16, 24, 32]>, subvolume = #dataflow.subvolume<rows 7, width 4, cout 16, cin 16, stationary weights>} : tensor<1x14x14x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7> -> tensor<1x14x14x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x14x14x32xi8, #qnn.pos<4>>
}
