// RUN: BSC_INVALID

// Kernels, strides, dilations and pads.

// CHECK: Operation does not verify: kernel must be 2 numbers of at least 1, not [3]
%x = "test.op"() : () -> tensor<1x8x8x16xi8, #qnn.pos<5>>
%y = qnn.max_pool %x {kernel = array<i64: 3>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x6x6x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: strides must be 2 numbers of at least 1, not [2, 0]
%x = "test.op"() : () -> tensor<1x8x8x16xi8, #qnn.pos<5>>
%y = qnn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 0>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x6x6x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: dilations must be 2 numbers of at least 1, not [1, 1, 1]
%x, %w = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>)
%y = qnn.conv2d %x, %w {dilations = array<i64: 1, 1, 1>}
   : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>
  -> tensor<1x6x6x32xi8, #qnn.pos<4>>

// -----

// Pads of -1 do not crop.
// CHECK: Operation does not verify: pads must be 4 numbers of at least 0, not [-1, 0, 0, 0]
%x, %w = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>)
%y = qnn.conv2d %x, %w {pads = array<i64: -1, 0, 0, 0>}
   : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>
  -> tensor<1x5x6x32xi8, #qnn.pos<4>>

// -----

// CHECK: Operation does not verify: the window (9 x 3) is larger than the padded input of shape (1, 8, 8, 16)
%x = "test.op"() : () -> tensor<1x8x8x16xi8, #qnn.pos<5>>
%y = qnn.max_pool %x {kernel = array<i64: 9, 3>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x1x6x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the result's shape must be (1, 6, 6, 32), not (1, 8, 8, 32)
%x, %w = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>)
%y = qnn.conv2d %x, %w
   : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x16, pos 7>
  -> tensor<1x8x8x32xi8, #qnn.pos<4>>
