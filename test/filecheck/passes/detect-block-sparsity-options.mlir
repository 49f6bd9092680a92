// RUN: bsc-opt --detect-block-sparsity=16x8 %s | filecheck %s --check-prefix=TALL
// RUN: bsc-opt --detect-block-sparsity=4x4 %s | filecheck %s --check-prefix=SMALL
// RUN: not bsc-opt --detect-block-sparsity=8 %s 2>&1 | filecheck %s --check-prefix=BAD

// A weight of 16 x 32 with a 1 in the corner of every second block of 4 x 4, in the first 16
// input channels.  In blocks of 16 x 8 that is one row of four, the first two of them stored.
// TALL: block = array<i64: 16, 8>, gamma = #bsw.gamma<1x4, "03">, format = "bitmap", density = 5.000000e-01

// Only 8 of the 32 blocks of 4 x 4 hold anything.  But each takes a matrix operation, made
// for 8 x 8, to itself: as many as the whole weight takes when it is dense.  So the density
// is told, and all of the weight is stored.
// SMALL: gamma = #bsw.gamma<2x4, "ff">, format = "dense", density = 2.500000e-01

// BAD: bsc-opt: error: detect-block-sparsity: block must be COUTxCIN, two numbers of at least 1 as in 8x8 or 16x4, or auto, not 8

bsw.weight @w : !bsw.weight<16x1x1x32, pos 7> {
  data = #bsw.payload<base64 "AQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=">}
