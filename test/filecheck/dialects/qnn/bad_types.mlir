// RUN: BSC_INVALID

// What a tensor of qnn is: 1 x H x W x C with fixed sizes, and a position as its encoding.

// CHECK: Operation does not verify: a tensor is 1 x H x W x C with fixed sizes, not tensor<1x4x8xi8, #qnn.pos<5>>
%x = "test.op"() : () -> tensor<1x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x : (tensor<1x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: a tensor is 1 x H x W x C with fixed sizes, not tensor<1x?x4x8xi8, #qnn.pos<5>>
%x = "test.op"() : () -> tensor<1x?x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x : (tensor<1x?x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the batch must be 1, not 2: tensor<2x4x4x8xi8, #qnn.pos<5>>
%x = "test.op"() : () -> tensor<2x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x : (tensor<2x4x4x8xi8, #qnn.pos<5>>) -> tensor<2x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: tensor<1x4x4x8xi8> has no position: write tensor<…xi8, #qnn.pos<p>>
%x = "test.op"() : () -> tensor<1x4x4x8xi8>
%y = qnn.requantize %x : (tensor<1x4x4x8xi8>) -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: the result's shape must be (1, 4, 4, 8), not (1, 4, 4, 16)
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.requantize %x : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<5>>

// -----

// A core's operations are on int8.
// CHECK: Operation does not verify: an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), not f32
%x = "test.op"() : () -> tensor<1x4x4x8xf32, #qnn.pos<5>>
%y = qnn.requantize %x : (tensor<1x4x4x8xf32, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), not i16
%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>
%y = qnn.max_pool %x {kernel = array<i64: 2, 2>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x3x3x8xi16, #qnn.pos<5>>

// -----

// Only a convolution or a dense layer takes int32, and only as the sum of other channels.
// CHECK: Operation does not verify: an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), not i32
%x = "test.op"() : () -> tensor<1x4x4x8xi32, #qnn.pos<12>>
%y = qnn.add %x, %x
   : (tensor<1x4x4x8xi32, #qnn.pos<12>>, tensor<1x4x4x8xi32, #qnn.pos<12>>)
  -> tensor<1x4x4x8xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: an activation is i8 (a partial sum of conv2d, dense or avg_pool i32), not i32
%x = "test.op"() : () -> tensor<1x4x4x8xi32, #qnn.pos<5>>
%w = "test.op"() : () -> !bsw.weight<8x1x1x8, pos 7>
%y = qnn.conv2d %x, %w : tensor<1x4x4x8xi32, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
  -> tensor<1x4x4x8xi8, #qnn.pos<5>>
