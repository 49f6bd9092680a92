// RUN: BSC_INVALID

// The bits of Γ.

// CHECK: Γ: the shape is two numbers of blocks
"test.op"() {gamma = #bsw.gamma<2x3x4, "000000">} : () -> ()

// -----

// CHECK: Γ: 9 bits need 2 bytes, not 1
"test.op"() {gamma = #bsw.gamma<3x3, "ff">} : () -> ()

// -----

// CHECK: Γ: bits beyond the last block must be 0
"test.op"() {gamma = #bsw.gamma<2x3, "ff">} : () -> ()

// -----

// CHECK: Γ: non-hexadecimal number found
"test.op"() {gamma = #bsw.gamma<2x3, "xy">} : () -> ()
