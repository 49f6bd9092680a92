// RUN: bsc-opt --detect-block-sparsity %s | filecheck %s

// The weight has 2 x 2 blocks of 8 x 8, and in all of it two numbers: one in the first block
// of the first row, one in the second block of the second.  Γ has a bit for each block,
// lowest first: 1, 0, 0, 1.  A block is stored for one small number too: nothing is dropped.

// CHECK:      bsw.weight @w : !bsw.weight<16x1x1x16, pos 7>
// CHECK-SAME:   gamma = #bsw.gamma<2x2, "09">, format = "bitmap", density = 5.000000e-01

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7> {
  data = #bsw.payload<base64 "AAUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==">}
