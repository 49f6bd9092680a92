// RUN: bsc-opt --detect-block-sparsity %s | filecheck %s

// 12 x 20 channels are 2 x 3 blocks, of which the last row and column are not full: what is
// missing counts as zero.  The blocks 0 and 5 are stored, bits 1, 0, 0, 0, 0, 1.
// CHECK:      bsw.weight @odd
// CHECK-SAME:   gamma = #bsw.gamma<2x3, "21">
// CHECK-SAME:   format = "bitmap"

// Without a zero block there is nothing to leave out.
// CHECK:      bsw.weight @full
// CHECK-SAME:   gamma = #bsw.gamma<2x2, "0f">
// CHECK-SAME:   format = "dense", density = 1.000000e+00

// A weight of zeros has no block at all.
// CHECK:      bsw.weight @zero
// CHECK-SAME:   gamma = #bsw.gamma<2x2, "00">
// CHECK-SAME:   format = "bitmap", density = 0.000000e+00

// A kernel has the mask of all its taps together: 8 x 3 x 3 x 8 is one block.
// CHECK:      bsw.weight @taps
// CHECK-SAME:   gamma = #bsw.gamma<1x1, "01">

bsw.weight @odd : !bsw.weight<12x1x1x20, pos 7> {
  data = #bsw.payload<base64 "AQEBAQEBAQEAAAAAAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB">}
bsw.weight @full : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 1, size 256>}
bsw.weight @zero : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 0, size 256>}
bsw.weight @taps : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 1, size 576>}
