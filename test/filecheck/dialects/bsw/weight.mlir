// RUN: BSC_ROUNDTRIP

// A weight is a symbol.  Its type is COUT x KH x KW x CIN, the position of its numbers, and
// that of its int32 bias if it has one.  The numbers are a payload (payload.mlir).

// Four output channels, 1x1, two input channels: 8 bytes, all of them 1.
// CHECK: bsw.weight @plain : !bsw.weight<4x1x1x2, pos 7> {data = #bsw.payload<splat 1, size 8>}
bsw.weight @plain : !bsw.weight<4x1x1x2, pos 7> {data = #bsw.payload<splat 1, size 8>}

// With a bias, 4 bytes for each output channel.
// CHECK: bsw.weight @biased : !bsw.weight<16x3x3x24, pos 7, bias 12> {data = #bsw.payload<splat 1, size 3456>, bias = #bsw.payload<splat 0, size 64>}
bsw.weight @biased : !bsw.weight<16x3x3x24, pos 7, bias 12> {
  data = #bsw.payload<splat 1, size 3456>, bias = #bsw.payload<splat 0, size 64>}

// In blocks of 8x8 it is 2 x 3 of them, and Γ says which are stored: row by row, the lowest
// bit first.  0x2d is 101101 in binary: both rows have their first and last block.
// CHECK: bsw.weight @sparse : !bsw.weight<16x3x3x24, pos 7> {gamma = #bsw.gamma<2x3, "2d">, format = "bitmap", data = #bsw.payload<splat 1, size 3456>}
bsw.weight @sparse : !bsw.weight<16x3x3x24, pos 7> {
  gamma = #bsw.gamma<2x3, "2d">, format = "bitmap", data = #bsw.payload<splat 1, size 3456>}

// Another shape of blocks.  Edges that do not fill a block count as one: 20 over 16 is 2.
// CHECK: bsw.weight @tall : !bsw.weight<20x1x1x8, pos -1> {block = array<i64: 16, 4>, gamma = #bsw.gamma<2x2, "0f">, format = "dense", data = #bsw.payload<splat 255, size 160>}
bsw.weight @tall : !bsw.weight<20x1x1x8, pos -1> {
  block = array<i64: 16, 4>, gamma = #bsw.gamma<2x2, "0f">, format = "dense",
  data = #bsw.payload<splat 255, size 160>}

// --detect-block-sparsity also notes the share of blocks that hold anything but zeros.
// CHECK: bsw.weight @half : !bsw.weight<16x1x1x8, pos 7> {gamma = #bsw.gamma<2x1, "01">, density = 5.000000e-01 : f64, data = #bsw.payload<splat 1, size 128>}
bsw.weight @half : !bsw.weight<16x1x1x8, pos 7> {
  gamma = #bsw.gamma<2x1, "01">, density = 0.5 : f64, data = #bsw.payload<splat 1, size 128>}
