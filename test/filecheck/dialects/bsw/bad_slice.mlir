// RUN: BSC_INVALID

// Ranges are within the weight, and the type follows from them.

// CHECK: Operation does not verify: cout [32, 96] is not a range in [0, 64)
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [32, 96] cin [0, 32]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x32, pos 7, bias 12>

// -----

// CHECK: Operation does not verify: cin [16, 16] is not a range in [0, 32)
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [16, 16]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x32, pos 7>

// -----

// The bias goes with input channel 0, and only with it.
// CHECK: Operation does not verify: the slice has type !bsw.weight<64x3x3x16, pos 7>, not !bsw.weight<64x3x3x16, pos 7, bias 12>
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [16, 32]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7, bias 12>

// -----

// CHECK: Operation does not verify: kh [2, 4] is not a range in [0, 3)
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [0, 32] kh [2, 4]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x2x3x32, pos 7, bias 12>

// -----

// CHECK: Operation does not verify: kw [1, 0] is not a range in [0, 3)
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [0, 32] kw [1, 0]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x32, pos 7, bias 12>

// -----

// A bias that the weight does not have, or that belongs to other input channels.
// CHECK: Operation does not verify: the slice has type !bsw.weight<64x1x3x32, pos 7>, not !bsw.weight<64x1x3x32, pos 7, bias 9>
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7>
%s = bsw.slice %w cout [0, 64] cin [0, 32] kh [0, 1]
   : !bsw.weight<64x3x3x32, pos 7> -> !bsw.weight<64x1x3x32, pos 7, bias 9>

// -----

// CHECK: Operation does not verify: the slice has type !bsw.weight<64x1x3x16, pos 7>, not !bsw.weight<64x1x3x16, pos 7, bias 12>
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [16, 32] kh [0, 1]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x1x3x16, pos 7, bias 12>

// -----

// Only slices of the window may leave the bias to another one.
// CHECK: Operation does not verify: the slice has type !bsw.weight<64x3x3x16, pos 7, bias 12>, not !bsw.weight<64x3x3x16, pos 7>
%w = "test.op"() : () -> !bsw.weight<64x3x3x32, pos 7, bias 12>
%s = bsw.slice %w cout [0, 64] cin [0, 16]
   : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7>
