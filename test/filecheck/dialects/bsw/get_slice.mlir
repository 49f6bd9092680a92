// RUN: BSC_ROUNDTRIP

// A weight as a value, and parts of it.

bsw.weight @c : !bsw.weight<64x3x3x32, pos 7, bias 12> {
  data = #bsw.payload<splat 1, size 18432>, bias = #bsw.payload<splat 0, size 256>}

func.func @main() {
  %w = bsw.get @c : !bsw.weight<64x3x3x32, pos 7, bias 12>
  // CHECK: %w = bsw.get @c : !bsw.weight<64x3x3x32, pos 7, bias 12>

  // A split of COUT: half of the output channels.
  %top = bsw.slice %w cout [0, 32] cin [0, 32]
       : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<32x3x3x32, pos 7, bias 12>
  // CHECK: %top = bsw.slice %w cout [0, 32] cin [0, 32] : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<32x3x3x32, pos 7, bias 12>

  // A split of CIN: the bias goes with the first input channel, so that the partial sums of
  // both halves add it once.
  %left = bsw.slice %w cout [0, 64] cin [0, 16]
        : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7, bias 12>
  // CHECK: %left = bsw.slice %w cout [0, 64] cin [0, 16] : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7, bias 12>
  %right = bsw.slice %w cout [0, 64] cin [16, 32]
         : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7>
  // CHECK: %right = bsw.slice %w cout [0, 64] cin [16, 32] : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x3x3x16, pos 7>

  // A slice of a slice; boundaries are those of its source.
  %corner = bsw.slice %right cout [32, 64] cin [8, 16]
          : !bsw.weight<64x3x3x16, pos 7> -> !bsw.weight<32x3x3x8, pos 7>
  // CHECK: %corner = bsw.slice %right cout [32, 64] cin [8, 16] : !bsw.weight<64x3x3x16, pos 7> -> !bsw.weight<32x3x3x8, pos 7>

  // A split of the window: rows and columns of it.  The type says which piece has the bias.
  %below = bsw.slice %w cout [0, 64] cin [0, 32] kh [1, 3]
         : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x2x3x32, pos 7>
  // CHECK: %below = bsw.slice %w cout [0, 64] cin [0, 32] kh [1, 3] : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x2x3x32, pos 7>
  %middle = bsw.slice %w cout [0, 64] cin [0, 32] kh [1, 2] kw [1, 3]
          : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x1x2x32, pos 7, bias 12>
  // CHECK: %middle = bsw.slice %w cout [0, 64] cin [0, 32] kh [1, 2] kw [1, 3] : !bsw.weight<64x3x3x32, pos 7, bias 12> -> !bsw.weight<64x1x2x32, pos 7, bias 12>
  func.return
}
