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
