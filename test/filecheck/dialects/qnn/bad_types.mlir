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
