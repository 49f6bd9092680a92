// RUN: BSC_INVALID

// What a weight's type, blocks and payloads must agree on.

// CHECK: a weight's shape is COUTxKHxKWxCIN
bsw.weight @c : !bsw.weight<8x8, pos 7> {data = #bsw.payload<splat 1, size 64>}

// -----

// CHECK: a weight's dimensions must be positive: (8, 1, 1, 0)
bsw.weight @c : !bsw.weight<8x1x1x0, pos 7> {data = #bsw.payload<splat 1, size 64>}

// -----

// CHECK: Operation does not verify: block must be two positive numbers, not [8]
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7> {
  block = array<i64: 8>, data = #bsw.payload<splat 1, size 64>}

// -----

// CHECK: Operation does not verify: block must be two positive numbers, not [8, 0]
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7> {
  block = array<i64: 8, 0>, data = #bsw.payload<splat 1, size 64>}

// -----

// CHECK: Operation does not verify: (8, 1, 1, 8) needs 64 bytes of data, not 63
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 1, size 63>}

// -----

// CHECK: Operation does not verify: the type must give the position of the bias, and only then
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7> {
  data = #bsw.payload<splat 1, size 64>, bias = #bsw.payload<splat 1, size 32>}

// -----

// CHECK: Operation does not verify: the type must give the position of the bias, and only then
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7, bias 12> {data = #bsw.payload<splat 1, size 64>}

// -----

// A bias is int32.
// CHECK: Operation does not verify: COUT = 8 needs 32 bytes of bias, not 8
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7, bias 12> {
  data = #bsw.payload<splat 1, size 64>, bias = #bsw.payload<splat 1, size 8>}

// -----

// CHECK: Operation does not verify: Γ must have (1, 2) blocks of (8, 8), not (2, 1)
bsw.weight @c : !bsw.weight<8x1x1x12, pos 7> {
  gamma = #bsw.gamma<2x1, "03">, data = #bsw.payload<splat 1, size 96>}

// -----

// CHECK: Operation does not verify: format must be "bitmap" or "dense", not "csr"
bsw.weight @c : !bsw.weight<8x1x1x8, pos 7> {
  format = "csr", data = #bsw.payload<splat 1, size 64>}
