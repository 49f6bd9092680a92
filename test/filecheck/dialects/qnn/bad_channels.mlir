// RUN: BSC_INVALID

// Channels, groups and shapes of operands that do not fit each other.

// CHECK: Operation does not verify: groups = 3 must divide CIN = 16, COUT = 32
%x, %w = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x5, pos 7>)
%y = qnn.conv2d %x, %w {groups = 3}
   : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x5, pos 7>
  -> tensor<1x8x8x32xi8, #qnn.pos<4>>

// -----

// A depthwise weight has one input channel a group.
// CHECK: Operation does not verify: the weight has 16 input channels in each of 16 groups, the input has 16
%x, %w = "test.op"() : () -> (tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x16, pos 7>)
%y = qnn.conv2d %x, %w {groups = 16}
   : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x16, pos 7>
  -> tensor<1x6x6x16xi8, #qnn.pos<4>>

// -----

// CHECK: Operation does not verify: the weight reads (1, 1, 64), the input is (2, 2, 16)
%x, %w = "test.op"() : () -> (tensor<1x2x2x16xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x64, pos 7>)
%y = qnn.dense %x, %w
   : tensor<1x2x2x16xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x64, pos 7>
  -> tensor<1x1x1x10xi8, #qnn.pos<4>>

// -----

// One row may stand for all, two may not.
// CHECK: Operation does not verify: operands differ in shape: (1, 4, 4, 8), (1, 2, 4, 8); the second may have a single row or column that stands for all
%a, %b = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x2x4x8xi8, #qnn.pos<5>>)
%y = qnn.mul %a, %b
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x2x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// A single channel does not stand for all.
// CHECK: Operation does not verify: operands differ in shape: (1, 4, 4, 8), (1, 4, 4, 1); the second may
%a, %b = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x1xi8, #qnn.pos<5>>)
%y = qnn.add %a, %b
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x4x4x1xi8, #qnn.pos<5>>)
  -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// What is repeated stands on the right.
// CHECK: Operation does not verify: operands differ in shape: (1, 1, 1, 8), (1, 4, 4, 8); the second may
%a, %b = "test.op"() : () -> (tensor<1x1x1x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
%y = qnn.mul %a, %b
   : (tensor<1x1x1x8xi8, #qnn.pos<5>>, tensor<1x4x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: inputs must agree in all but C, not [(1, 2, 4), (1, 4, 4)]
%a, %b = "test.op"() : () -> (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x2x4x8xi8, #qnn.pos<5>>)
%y = qnn.concat %a, %b
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>, tensor<1x2x4x8xi8, #qnn.pos<5>>)
  -> tensor<1x4x4x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: (1, 7, 7, 16) and (1, 1, 1, 783) have different sizes
%x = "test.op"() : () -> tensor<1x7x7x16xi8, #qnn.pos<5>>
%y = qnn.reshape %x
   : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x783xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a reshape keeps the position
%x = "test.op"() : () -> tensor<1x7x7x16xi8, #qnn.pos<5>>
%y = qnn.reshape %x
   : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x784xi8, #qnn.pos<4>>
